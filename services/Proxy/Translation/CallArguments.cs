using System.Text;
using System.Text.Json;

namespace LlmGateway.Proxy.Translation;

static class CallArguments
{
    /// <summary>True for the arguments of a call in which an answer was cut off.</summary>
    /// <param name="isLast">No call follows. A call that has no arguments yet may have been about to get some, others have none.</param>
    public static bool IsCut(string arguments, bool isLast) => string.IsNullOrWhiteSpace(arguments)
        ? isLast
        : !LenientJson.IsJson(Encoding.UTF8.GetBytes(arguments));

    /// <summary>The arguments to write for a call that has none. An answer that was cut off has none for its last call.</summary>
    public static string OfNone(StopReason stop, bool isLast) => isLast && StopReasons.WordsOf(stop).Responses is not null ? "" : "{}";

    /// <summary>
    /// The arguments that the model wrote, if they are JSON. Other text is kept as a text, so that the caller sees what went wrong.
    /// </summary>
    public static void Write(Utf8JsonWriter json, string arguments)
    {
        if (string.IsNullOrWhiteSpace(arguments))
            json.WriteRawValue("{}"u8);
        else if (LenientJson.IsJson(Encoding.UTF8.GetBytes(arguments)))
            json.WriteRawValue(arguments, skipInputValidation: true);
        else
            json.WriteStringValue(arguments);
    }
}
