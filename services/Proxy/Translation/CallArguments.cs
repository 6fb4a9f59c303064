using System.Text;
using System.Text.Json;

namespace LlmGateway.Proxy.Translation;

static class CallArguments
{
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
