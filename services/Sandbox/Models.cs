namespace LlmGateway.Sandbox;

/// <summary>
/// <c>GET /v1/models</c> and <c>/v1/models/{id}</c>, which three wires share. <c>anthropic-version</c> chooses Anthropic, and a key in
/// Google's manner chooses Gemini. Every name is a model, so that a seed file may use any. The list has a few, and one for each fault.
/// </summary>
public static class Models
{
    static readonly string[] Bases = ["sandbox-small", "sandbox-large"];

    public static void MapModels(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/models", (HttpRequest request) => request switch
        {
            _ when IsAnthropic(request) => AnthropicError.OfHeaders(request) ?? AnthropicModels.List(request),
            _ when GeminiError.HasKey(request) => GeminiError.OfCredential(request) ?? GeminiModels.List(request),
            _ => OpenAIError.OfCredential(request) ?? OpenAIModels.List(),
        });
        routes.MapGet("/v1/models/{**id}", (string id, HttpRequest request) => request switch
        {
            _ when IsAnthropic(request) => AnthropicError.OfHeaders(request) ?? AnthropicModels.One(Uri.UnescapeDataString(id)),
            _ when GeminiError.HasKey(request) => GeminiError.OfCredential(request) ?? GeminiModels.One(Uri.UnescapeDataString(id)),
            _ => OpenAIError.OfCredential(request) ?? OpenAIModels.One(Uri.UnescapeDataString(id)),
        });
        routes.MapGet("/v1beta/models", (HttpRequest request) => GeminiError.OfCredential(request) ?? GeminiModels.List(request));
        routes.MapGet("/v1beta/models/{**id}", (string id, HttpRequest request) =>
            GeminiError.OfCredential(request) ?? GeminiModels.One(Uri.UnescapeDataString(id)));
    }

    /// <summary>The names that a wire lists.</summary>
    public static IEnumerable<string> Names(IEnumerable<string> own) =>
        [.. Bases, .. own, .. Faults.All.Select(fault => Bases[0] + fault.Suffix)];

    static bool IsAnthropic(HttpRequest request) => request.Headers["anthropic-version"].Count > 0;
}
