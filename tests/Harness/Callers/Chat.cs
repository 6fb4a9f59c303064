using System.Text.Json;

namespace LlmGateway.Harness;

/// <summary>Requests on the OpenAI chat wire.</summary>
static class Chat
{
    public const string Path = "/v1/chat/completions";

    /// <summary>A picture of one pixel, in base64.</summary>
    public const string Png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

    /// <param name="more">More members of the request.</param>
    public static string Body(string model, string prompt, string? more = null) =>
        $$"""{"model":"{{model}}","messages":"""
            + $$"""[{"role":"user","content":{{JsonSerializer.Serialize(prompt)}}}]{{(more is null ? "" : "," + more)}}}""";

    public static Task<Reply> AskAsync(string credential, string model, string prompt, string? more = null, Uri? at = null) =>
        Gateway.SendAsync("POST", Path, credential, Body(model, prompt, more), at);
}
