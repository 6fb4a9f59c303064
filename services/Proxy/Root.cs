using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary><c>GET /</c> for people who open the address in a browser, and the answer to paths that do not exist.</summary>
public static class Root
{
    static readonly object Welcome = new
    {
        name = "LLM Gateway",
        message = "Point an OpenAI client at this address with '/v1' and a session token (es_…) or customer key (llm_gw_…).",
    };

    public static void MapRoot(this WebApplication app)
    {
        app.MapGet("/", () => Results.Json(Welcome));
        app.MapFallback((HttpContext http) => Problems.NotFound($"route: {http.Request.Method} {http.Request.Path}"));
    }
}
