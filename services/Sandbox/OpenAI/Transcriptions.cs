using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>
/// <c>POST /v1/audio/transcriptions</c> and <c>/v1/audio/translations</c>: the form's <c>prompt</c> orders the text, as a user's message
/// would. Whisper models are billed by the second, others by tokens, ten for a second begun.
/// </summary>
public static class Transcriptions
{
    const int TokensPerSecond = 10;

    /// <summary>A file that is not WAV is taken for this many bytes a second.</summary>
    const int BytesPerSecond = 16_000;

    public static void MapTranscriptions(this IEndpointRouteBuilder routes)
    {
        routes.MapTurn("/v1/audio/transcriptions", ReadAsync);
        routes.MapTurn("/v1/audio/translations", ReadAsync);
    }

    static async Task<(Turn? Turn, IResult? Refusal)> ReadAsync(Exchange exchange)
    {
        var request = exchange.Context.Request;
        if (OpenAIError.OfCredential(request) is { } error)
        {
            return (null, error);
        }
        if (!request.HasFormContentType)
        {
            return (null, OpenAIError.Invalid("Expected a multipart form."));
        }
        IFormCollection form;
        try
        {
            request.Body = new MemoryStream(exchange.Body);
            form = await request.ReadFormAsync(exchange.CallerLeft);
        }
        catch (Exception broken) when (broken is InvalidDataException or IOException)
        {
            return (null, OpenAIError.Invalid("We could not parse the form of your request."));
        }
        if (form["model"].ToString() is not { Length: > 0 } model || form.Files.GetFile("file") is not { } file)
        {
            return (null, OpenAIError.Invalid("Missing required parameter: 'file' or 'model'.", "file", "missing_required_parameter"));
        }
        using var audio = new MemoryStream();
        await file.CopyToAsync(audio, exchange.CallerLeft);
        return (Transcribe(model, form["prompt"].ToString(), form["response_format"].ToString(), audio.ToArray()), null);
    }

    static Turn Transcribe(string model, string prompt, string format, byte[] audio)
    {
        var seconds = Seconds(audio);
        var said = Said.OfText(prompt);
        var heard = JsonSerializer.SerializeToElement(Convert.ToHexString(SHA256.HashData(audio)) + prompt);
        var audioTokens = model.StartsWith("whisper", StringComparison.Ordinal) ? 0 : TokensPerSecond * (int)Math.Ceiling(seconds);
        var question = new Question(
            model,
            Question.FingerprintOf(model, heard),
            said.Tokens + audioTokens,
            Markers.Read(prompt) with { Thinks = null });
        return new(question, status => OpenAIError.OfStatus(status, model), (answer, behaviour) =>
        {
            var text = string.Concat(answer.Choices[0].Text);
            var usage = answer.Usage.As(behaviour.Usage) is [.., var last] ? Describe(last, seconds, said.Tokens, audioTokens) : null;
            return format switch
            {
                "text" => new WholeReply(Encoding.UTF8.GetBytes(text + "\n"), "text/plain; charset=utf-8"),
                "verbose_json" => new WholeReply(new
                {
                    task = "transcribe",
                    language = "english",
                    duration = seconds,
                    text,
                    segments = Array.Empty<object>(),
                    usage,
                }),
                _ => new WholeReply(new { text, usage }),
            };
        });
    }

    static object Describe(Usage usage, double seconds, int textTokens, int audioTokens) => audioTokens == 0
        ? new { type = "duration", seconds = (int)Math.Ceiling(seconds) }
        : new
        {
            type = "tokens",
            input_tokens = usage.Prompt,
            input_token_details = new { text_tokens = textTokens, audio_tokens = audioTokens },
            output_tokens = usage.Completion,
            total_tokens = usage.Total,
        };

    /// <summary>The length of a WAV file with the plain header; other files count by their size.</summary>
    static double Seconds(byte[] audio) => audio.Length > 44
        && audio.AsSpan().StartsWith("RIFF"u8)
        && BinaryPrimitives.ReadInt32LittleEndian(audio.AsSpan(28)) is > 0 and var bytesPerSecond
        ? (audio.Length - 44) / (double)bytesPerSecond
        : audio.Length / (double)BytesPerSecond;
}
