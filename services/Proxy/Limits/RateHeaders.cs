using System.Globalization;

namespace LlmGateway.Proxy;

/// <summary>Rate limits in the form of OpenAI's headers: one set for each unit.</summary>
public static class RateHeaders
{
    static readonly (string Limit, string Remaining, string Reset)
        Requests = ("X-RateLimit-Limit-Requests", "X-RateLimit-Remaining-Requests", "X-RateLimit-Reset-Requests"),
        Tokens = ("X-RateLimit-Limit-Tokens", "X-RateLimit-Remaining-Tokens", "X-RateLimit-Reset-Tokens");

    public static void Write(RateDecision decision, IHeaderDictionary headers)
    {
        foreach (var window in decision.Windows)
        {
            var (limit, remaining, reset) = window.Unit == "requests" ? Requests : Tokens;
            headers[limit] = window.Limit.ToString(CultureInfo.InvariantCulture);
            headers[remaining] = window.Remaining.ToString(CultureInfo.InvariantCulture);
            headers[reset] = $"{window.ResetSeconds}s";
        }
    }
}
