using Microsoft.AspNetCore.Http;

namespace LlmGateway.ServiceDefaults;

/// <summary>Answers that a person reads. An operator's command asks for <c>text/plain</c>, and programs get JSON.</summary>
public static class PlainText
{
    public static bool WantsText(this HttpContext http) =>
        http.Request.Headers.Accept.ToString().StartsWith("text/plain", StringComparison.Ordinal);

    /// <param name="ok">False gives status 500, so that a program sees a failure without reading the lines.</param>
    public static IResult Of(bool ok, IEnumerable<string> lines) =>
        Results.Text(
            string.Join('\n', lines),
            "text/plain",
            statusCode: ok ? StatusCodes.Status200OK : StatusCodes.Status500InternalServerError);
}
