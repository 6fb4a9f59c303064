
namespace LlmGateway.Proxy;

/// <summary><c>GET /</c> for people who open the address in a browser, and what is said of paths that do not exist.</summary>
public static class Root
{
    static readonly object Welcome = new
    {
        name = "LLM Gateway",
        message = "Point a client at this address, OpenAI's at '/v1' of it, Anthropic's and Google's at the address itself, "
            + "with a session token (es_…) or customer key (llm_gw_…).",
    };

    /// <summary>
    /// Answers <c>HEAD</c> as <c>GET</c>, wherever that is. The server knows the request's own method and sends no content. Call before
    /// <c>UseRouting</c>.
    /// </summary>
    public static void UseHead(this WebApplication app) => app.Use(next => http =>
    {
        if (HttpMethods.IsHead(http.Request.Method))
            http.Request.Method = HttpMethods.Get;
        return next(http);
    });

    public static void MapRoot(this WebApplication app) => app.MapGet("/", () => Results.Json(Welcome));
}
