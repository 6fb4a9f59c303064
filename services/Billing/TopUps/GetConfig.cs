using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET /v1/config</c>: what a page needs to offer credit. With a credential it is of that one's mode and project, without one of the
/// live mode where that is set up.
/// </summary>
public static class GetConfig
{
    static readonly string[] Amounts = ["5", "10", "25", "50", "100"];

    const string StripeJs = "https://js.stripe.com/v3/";

    /// <summary>Where the sandbox has what a page loads instead of Stripe.js.</summary>
    public const string SandboxScript = "Stripe:SandboxScript";

    public sealed record Answer(
        string? PublishableKey, string Mode, bool Sandbox, string StripeJsUrl, string Currency, IReadOnlyList<string> Amounts,
        Money MinAmount, Money MaxAmount, Branding Branding);

    public static void MapGetConfig(this WebApplication app) => app.MapGet("/v1/config", HandleAsync);

    static async Task<IResult> HandleAsync(
        HttpContext http, StripeModes modes, SessionsClient sessions, IConfiguration settings, CancellationToken token)
    {
        var caller = http.Features.Get<ServiceCall>()?.Principal;
        var mode = caller is null ? modes.Of(test: false) ?? modes.Of(test: true) : modes.Of(caller.Test);
        var terms = caller is null ? null : await sessions.TermsAsync(caller.Project, token);
        return Results.Json(
            new Answer(
                mode?.PublishableKey, mode?.Name ?? (caller is { Test: true } ? "test" : "live"), mode is { IsSandbox: true },
                mode is { IsSandbox: true } && settings[SandboxScript] is { Length: > 0 } script ? script : StripeJs, "USD", Amounts,
                Quote.Least, Quote.Most, (terms?.Branding ?? new()) with { Name = terms?.Branding?.Name ?? terms?.Name }),
            Defaults.Json);
    }
}
