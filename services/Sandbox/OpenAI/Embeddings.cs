using System.Runtime.InteropServices;
using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary><c>POST /v1/embeddings</c>: a vector for each text or list of tokens, as numbers or, on request, base64.</summary>
public static class Embeddings
{
    const int DefaultDimensions = 1536;
    const int MaxDimensions = 3072;
    const int MaxInputs = 2048;

    public static void MapEmbeddings(this IEndpointRouteBuilder routes) =>
        routes.MapTurn("/v1/embeddings", exchange => OpenAIError.Read(exchange, ReadTurn));

    public static Turn ReadTurn(RequestFields fields)
    {
        var model = fields.RequiredText("model");
        var inputs = ReadInputs(fields);
        var dimensions = fields.WholeNumber("dimensions", 1, MaxDimensions) ?? DefaultDimensions;
        var inBase64 = fields.Text("encoding_format") == "base64";
        var markers = Markers.Read(string.Join('\n', inputs.Select(input => input.Text)));
        var question = new Question(model, Question.FingerprintOf(model, fields.Any("input")), inputs.Sum(input => input.Tokens), markers);
        return new(question, status => OpenAIError.OfStatus(status, model), (answer, behaviour) => new WholeReply(new
        {
            @object = "list",
            data = inputs.Select((input, index) =>
            {
                var vector = Noise.Vector(model, input.Text, dimensions);
                // Little-endian, as on every machine that .NET runs on.
                object embedding = inBase64 ? Convert.ToBase64String(MemoryMarshal.AsBytes<float>(vector)) : vector;
                return new { @object = "embedding", index, embedding };
            }),
            model,
            usage = answer.Usage.As(behaviour.Usage) is [.., var usage]
                ? new { prompt_tokens = usage.Prompt, total_tokens = usage.Total }
                : null,
        }))
        {
            Answer = (_, _) => Answer.OfTokens(question, 0),
        };
    }

    static Said[] ReadInputs(RequestFields fields)
    {
        if (fields.Text("input") is { Length: > 0 } text)
        {
            return [Said.OfText(text)];
        }
        var array = fields.RequiredArray("input");
        Said[] inputs = array.GetArrayLength() > 0 && array[0].ValueKind == JsonValueKind.Number
            ? [OfTokens(array)]
            : [.. array.EnumerateArray().Select(Read)];
        if (inputs.Length > MaxInputs)
        {
            fields.Fail(
                $"Invalid 'input': array too long. Expected an array with maximum length {MaxInputs}.",
                "input",
                "array_above_max_length");
        }
        return inputs;

        Said Read(JsonElement input)
        {
            if (input.ValueKind == JsonValueKind.Array)
            {
                return OfTokens(input);
            }
            if (input.ValueKind != JsonValueKind.String)
            {
                fields.Fail("Invalid type for 'input': expected texts or lists of tokens.", "input", "invalid_type");
                return Said.Nothing;
            }
            return Said.OfText(input.GetString()!);
        }
    }

    static Said OfTokens(JsonElement tokens) => new(tokens.GetArrayLength(), tokens.GetRawText());
}
