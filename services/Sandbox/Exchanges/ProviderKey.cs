namespace LlmGateway.Sandbox;

/// <summary>Every key but one is accepted, on every wire.</summary>
public static class ProviderKey
{
    public const string Bad = "sk-bad";

    /// <summary>The bearer key of a request; empty when there is none.</summary>
    public static string Bearer(HttpRequest request)
    {
        const string scheme = "Bearer ";
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? header[scheme.Length..].Trim() : "";
    }
}
