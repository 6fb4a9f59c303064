using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.OneShots;

/// <summary>
/// <c>POST /v1/audio/transcriptions</c> and <c>/v1/audio/translations</c>: a form with a file of sound, paid by the minute or by tokens.
/// Only the form's <c>model</c> is rewritten; the file's bytes pass unchanged.
/// </summary>
public sealed class TranscriptionsWire(string path) : Wire
{
    // Answer formats that are JSON and have usage. The first is the default. All other formats are plain text.
    static readonly string[] JsonFormats = ["json", "verbose_json", "diarized_json"], TextFormats = ["text", "srt", "vtt"];

    /// <summary>Fields that decide the cost and are read. Any other spelling of their names is refused.</summary>
    static readonly string[] Decisive = ["file", "model", "stream", "response_format", "chunking_strategy"];

    public override string Name => "OpenAI transcriptions";
    public override string Kind => "audio";
    public override bool TakesForm => true;

    public override string Path(string upstreamModel, bool stream) => path;

    public override string? AnswerType(string? provided) =>
        provided?.Split(';')[0].Trim() is "application/json" or "text/plain" or "text/vtt" or "text/srt" or "application/x-subrip"
            ? provided
            : null;

    public override WholeMeter NewWholeMeter(ModelRequest request, bool counts) => new TranscriptionMeter((TranscriptionRequest)request);

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target)
    {
        var request = new TranscriptionRequest { BodyBytes = body.Length };
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var form = new FormReader(body);
        while (form.Next())
        {
            var part = form.Name;
            if (Decisive.FirstOrDefault(known => known.Equals(Field(part), StringComparison.OrdinalIgnoreCase)) is { } name)
            {
                if (name != part)
                    throw Invalid(part, $"must be written '{name}'");
                if (!seen.Add(name))
                    throw Invalid(name, "must be there once");
            }
            if (form.IsFile != (part == "file"))
                throw Invalid(part, form.IsFile ? "must not be a file" : "must be a file, with a name");
            ReadPart(request, form);
        }
        if (request.Model.Length == 0)
            throw new ProblemException(Problems.Missing("model"));
        return seen.Contains("file") ? request : throw new ProblemException(Problems.Missing("file"));
    }

    /// <summary>Some servers read <c>model[]</c> as <c>model</c>.</summary>
    static string Field(string part) => part.Split('[')[0];

    static void ReadPart(TranscriptionRequest request, FormReader form)
    {
        if (form.Name == "file")
        {
            request.Length = form.Length > 0 ? SoundLength.Of(form.Content) : throw Invalid("file", "must not be empty");
            // Rate limits count texts, not sound.
            request.BodyBytes -= form.Length;
            return;
        }
        switch (form.Name)
        {
            case "model":
                request.Model = form.Length > 0 && Encoding.UTF8.GetString(form.Content) is { Length: <= ModelRequest.MaxModelName } model
                    ? model
                    : throw Invalid("model", $"must be a text of 1 to {ModelRequest.MaxModelName} characters");
                request.ModelValue = new(form.Start, form.Length);
                break;
            case "stream" when !form.Content.SequenceEqual("false"u8):
                throw Invalid("stream", "is not offered here");
            case "response_format":
                var format = Encoding.UTF8.GetString(form.Content);
                request.AnswersText = TextFormats.Contains(format);
                if (!request.AnswersText && !JsonFormats.Contains(format))
                    throw Invalid("response_format", $"must be one of {string.Join(", ", [.. JsonFormats, .. TextFormats])}");
                break;
            case "chunking_strategy":
                request.IsChunked = true;
                break;
            default:
                ForbiddenMembers.Refuse(Encoding.UTF8.GetBytes(Field(form.Name)), JsonTokenType.String);
                break;
        }
    }
}

/// <summary>What the gateway needs from a form with sound.</summary>
public sealed class TranscriptionRequest : OneShotRequest
{
    internal SoundLength Length { get; set; }

    /// <summary>The answer is plain text without usage.</summary>
    internal bool AnswersText { get; set; }

    /// <summary>The provider may cut the sound into pieces. Each may fill the model's context.</summary>
    internal bool IsChunked { get; set; }

    public override Usage MostUsage(ModelOffer model)
    {
        var byMinute = model.Prices?.PerMinute is not null;
        var byTokens = model.Prices is { } prices && (prices.Input ?? prices.AudioInput ?? prices.Output) is not null;
        if (byMinute && byTokens)
            throw Unpriceable("model", "it has prices by the minute and by tokens, and its provider reports one of them");
        if (byMinute && Length.Most is null)
            throw Unpriceable(
                "file",
                "the model is paid by the minute, and only of WAV (plain samples) and MP3 the size tells how long it can be at most");
        var most = new Usage { [Meter.Request] = 1 };
        if (byMinute)
            most[Meter.Second] = Length.Most!.Value;
        if (!byTokens)
            return most;
        if (model.ContextTokens == 0 || model.MaxOutputTokens == 0)
            throw Unpriceable("model", "its sound is priced by tokens, and it has no 'contextTokens' or no 'maxOutputTokens'");
        if (IsChunked)
            throw Unpriceable("chunking_strategy", "the model is paid by tokens, which its context bounds only for sound in one piece");
        if (AnswersText)
            throw Unpriceable("response_format", "the model is paid by tokens, and only JSON says how many there were");
        // All input may be reported as sound or as text.
        (most[Meter.Input], most[Meter.AudioInput], most[Meter.Output]) = (model.ContextTokens, model.ContextTokens, model.MaxOutputTokens);
        return most;
    }

    public override ReadOnlyMemory<byte> Rewrite(
        ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage, bool searches = false, bool plainTier = false)
    {
        if (Model == upstreamModel)
            return body;
        var edits = new ByteEdits();
        edits.Replace(ModelValue.Start, ModelValue.Length, Encoding.UTF8.GetBytes(upstreamModel));
        return edits.Apply(body.Span);
    }
}
