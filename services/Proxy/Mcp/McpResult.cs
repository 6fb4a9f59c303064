using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>What came of a call of a tool, as its MCP server says it.</summary>
/// <param name="IsFailure">The tool or the server has failed.</param>
/// <param name="Cost">Nano-dollars, as <c>_meta.cost</c> says. Null where it says none.</param>
public sealed record McpResult(bool IsFailure, long? Cost)
{
    /// <summary>Null where this is not the answer to the message, but for example a notice of progress.</summary>
    public static McpResult? Read(ReadOnlyMemory<byte> json, McpMessage message)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var answer = document.RootElement;
            if (answer.ValueKind != JsonValueKind.Object || !answer.TryGetProperty("id", out var id) || !message.IsAnsweredBy(id))
                return null;
            if (answer.TryGetProperty("result", out var result))
                return new(Member(result, "isError") is { ValueKind: JsonValueKind.True }, CostOf(result));
            return answer.TryGetProperty("error", out var error) ? new(true, CostOf(Member(error, "data"))) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Half a character in a text, or no JSON.
            return null;
        }
    }

    /// <summary>A cost that is no amount of money is none that was said.</summary>
    static long? CostOf(JsonElement? of) => Member(Member(of, "_meta"), "cost") is { } cost && TextOf(cost) is { } text
        && DecimalText.TryParse(text, Money.Decimals, out var nanos, out _) && nanos >= 0 ? nanos : null;

    static string? TextOf(JsonElement cost) => cost.ValueKind switch
    {
        JsonValueKind.String => cost.GetString(),
        JsonValueKind.Number => cost.GetRawText(),
        _ => null,
    };

    static JsonElement? Member(JsonElement? of, string name) =>
        of is { ValueKind: JsonValueKind.Object } outer && outer.TryGetProperty(name, out var member) ? member : null;
}
