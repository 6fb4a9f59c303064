using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.OneShots;

/// <summary>
/// A call whose cost is bounded by its request. It has no output limit, no stream and no translation. Only the model's name is rewritten.
/// </summary>
public abstract class OneShotRequest : ModelRequest
{
    /// <summary>Members of any of these wires that decide the cost. Any other spelling of their names is refused.</summary>
    static readonly string[] Costly = ["model", "input", "prompt", "n", "size", "quality", "stream", "stream_format"];

    public override int? MaxTokens => 0;

    internal Place ModelValue { get; set; }

    /// <summary>Offset of the opening brace of the body.</summary>
    internal int Opening { get; set; }

    internal delegate void MemberReader<T>(T request, ref StrictJson json, ReadOnlySpan<byte> name);

    public override ReadOnlyMemory<byte> Rewrite(
        ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage, bool searches = false, bool plainTier = false)
    {
        if (Model == upstreamModel && ModelValue.Length > 0)
            return body;
        var edits = new ByteEdits();
        if (ModelValue.Length > 0)
            edits.Replace(ModelValue.Start, ModelValue.Length, Quoted(upstreamModel));
        else
            edits.Insert(Opening + 1, (byte[])[.. "\"model\":"u8, .. Quoted(upstreamModel), (byte)',']);
        return edits.Apply(body.Span);
    }

    /// <summary>
    /// The one pass over a body. <c>model</c> is read here; <paramref name="readMember"/> reads the other members that decide the cost.
    /// </summary>
    /// <param name="needed">A member that must be present.</param>
    /// <param name="needsModel">False leaves the model to the project.</param>
    internal static T Read<T>(ReadOnlySpan<byte> body, string needed, MemberReader<T> readMember, bool needsModel = true)
        where T : OneShotRequest, new()
    {
        var request = new T { BodyBytes = body.Length };
        var json = new StrictJson(body);
        json.OpenBody();
        request.Opening = json.Start;
        var hasNeeded = false;
        ReadOnlySpan<byte> name = default;
        while (json.NextMember(ref name))
        {
            var text = Encoding.UTF8.GetString(name);
            hasNeeded |= text == needed && json.Token != JsonTokenType.Null;
            if (text == "model")
                (request.Model, request.ModelValue) = (json.ReadModel("model"), new(json.Start, json.End - json.Start));
            else if (text is "user")
                request.User = json.TextOrNull();
            else if (text is "stream" && json.Token == JsonTokenType.True)
                throw Invalid("stream", "is not offered here");
            else
            {
                if (Array.Find(Costly, costly => costly.Equals(text, StringComparison.OrdinalIgnoreCase)) is { } known && known != text)
                    throw Invalid(text, $"must be written '{known}'");
                ForbiddenMembers.Refuse(name, json.Token);
                readMember(request, ref json, name);
            }
            json.Skip();
        }
        json.Step();
        if (request.Model.Length == 0 && needsModel)
            throw new ProblemException(Problems.Missing("model"));
        return hasNeeded ? request : throw new ProblemException(Problems.Missing(needed));
    }
}

/// <summary>Reads the usage of a JSON answer that has nothing else to count.</summary>
/// <param name="units">Units that providers do not count, so that the request's own figures settle it: images, for instance.</param>
/// <param name="member">Where the usage stands, and how it is read. The default is OpenAI's form.</param>
public sealed class OneShotMeter(Usage units, byte[]? member = null, OneShotMeter.UsageReader? read = null) : WholeMeter
{
    public delegate ProviderUsage UsageReader(ReadOnlySpan<byte> json, Usage units);

    readonly byte[] _member = member ?? "usage"u8.ToArray();
    readonly UsageReader _read = read ?? OneShotUsage.Read;

    public override long DeliveredTokens => 0;

    public override bool IsEmpty => false;

    public override bool See(ReadOnlySpan<byte> answer)
    {
        ProviderUsage? reported = null;
        try
        {
            var reader = new Utf8JsonReader(answer);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            while (reader.NextMember())
            {
                var (isUsage, isError) = (reader.Has(_member), reader.Has("error"u8));
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                ErrorSeen |= isError && reader.TokenType != JsonTokenType.Null;
                reader.StepOver();
                if (isUsage)
                    reported = _read(answer[start..(int)reader.BytesConsumed], units);
            }
            if (reader.Read() || ErrorSeen)
                return false;
        }
        catch (JsonException)
        {
            return false;
        }
        Usage = reported is { Usage: not null } || !OneShotUsage.IsCounted(units) ? reported : new(units, reported?.Reason, reported?.Raw);
        return true;
    }
}

/// <summary>The usage objects of embeddings (<c>prompt_tokens</c>) and images (<c>input_tokens</c>, <c>output_tokens</c>).</summary>
static class OneShotUsage
{
    enum Count { Input, Output, ImageInput }

    static readonly UsageField[] Fields =
    [
        new("", "prompt_tokens", (int)Count.Input),
        new("", "input_tokens", (int)Count.Input),
        new("", "completion_tokens", (int)Count.Output),
        new("", "output_tokens", (int)Count.Output),
        new("input_tokens_details", "image_tokens", (int)Count.ImageInput),
    ];

    /// <summary>The usage is known from the request alone.</summary>
    public static bool IsCounted(Usage units) => units[Meter.Image] > 0 || units[Meter.Characters] > 0;

    public static ProviderUsage Read(ReadOnlySpan<byte> json, Usage units)
    {
        Span<long> counts = stackalloc long[(int)Count.ImageInput + 1];
        if (ProviderUsage.ReadCounts(json, Fields, counts, out var raw) is { } unusable)
            return unusable;
        var (input, output) = (counts[(int)Count.Input], counts[(int)Count.Output]);
        if (input == 0)
            return new(null, ProviderUsage.Zero, raw);
        string? reason = null;
        var usage = Contracts.Usage.From(units.ToArray());
        (usage[Meter.Input], usage[Meter.Request]) = (input, 1);
        usage[units[Meter.Image] > 0 ? Meter.ImageOutput : Meter.Output] = output;
        ProviderUsage.Move(usage, Meter.Input, Meter.ImageInput, counts[(int)Count.ImageInput], input, ref reason);
        return new(usage, reason, raw);
    }
}
