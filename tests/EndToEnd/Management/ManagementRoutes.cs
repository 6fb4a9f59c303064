using System.Text.RegularExpressions;

namespace LlmGateway.EndToEnd;

/// <summary>Every management route of the product, read from its services' own tables.</summary>
static partial class ManagementRoutes
{
    /// <summary>Method and pattern.</summary>
    public static readonly IReadOnlyList<string> All =
    [
        .. ((ServiceDefaults.RouteCallers[])
            [Sessions.Routes.Callers, Wallet.Routes.Callers, Billing.Routes.Callers, Webhooks.Routes.Callers])
        .SelectMany(table => table.Keys).Where(route => route.Contains(" /v1/", StringComparison.Ordinal)),
        "POST /v1/providers/{id}/test", // the edge's own
    ];

    /// <summary>A call of the route.</summary>
    /// <param name="value">Of a parameter, by the pattern before it and its name.</param>
    public static Task<Reply> CallAsync(string route, string credential, Func<string, string, string> value, string body = "{}")
    {
        var (method, pattern) = route.Split(' ') is [var first, var second] ? (first, second) : default;
        var path = Parameter().Replace(pattern, match => value(pattern[..match.Index], match.Groups[1].Value));
        return Gateway.SendAsync(method, path, credential, method is "GET" or "DELETE" ? null : body);
    }

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex Parameter();
}
