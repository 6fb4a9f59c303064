using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/connect/onboard {refreshUrl, returnUrl, country?}</c>: a page of Stripe's on which the developer says who is to be paid. A
/// project has one account in each mode, however many ask at once; each call makes a new page, which is opened once, within minutes. On it
/// somebody may say to which bank the money goes, so the audit has each page, and has it before anybody can open it.
/// </summary>
public static class Onboard
{
    /// <summary>An account that is cut off meanwhile makes place for the next one.</summary>
    const int MaxAttempts = 3;

    const int MaxUrl = 2048;

    /// <summary>To which Stripe pays out: an account elsewhere could be opened and never be paid.</summary>
    static readonly HashSet<string> Countries = new(
        ("AE AT AU BE BG BR CA CH CY CZ DE DK EE ES FI FR GB GI GR HK HR HU IE IT JP LI LT LU LV MT MX MY NL NO NZ PL PT RO SE SG SI SK "
            + "TH US").Split(' '), StringComparer.Ordinal);

    public sealed record Request(string RefreshUrl, string ReturnUrl, string? Country = null);

    public sealed record Answer(string AccountId, string Url, DateTimeOffset ExpiresAt);

    public static void MapOnboard(this WebApplication app) => app.MapPost("/v1/connect/onboard", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        HttpContext http, ConnectAccounts accounts, ConnectCalls stripe, StripeModes modes, NpgsqlDataSource database,
        CancellationToken token)
    {
        var caller = http.Backend();
        var input = await Body.ReadAsync<Request>(http);
        var mistake = Refuse("refreshUrl", input.RefreshUrl) ?? Refuse("returnUrl", input.ReturnUrl) ?? RefuseCountry(input.Country);
        if (mistake is not null)
            return mistake;
        if (modes.Of(caller.Test) is not { } mode)
            return StartPayout.NotSetUp(caller);
        try
        {
            for (var i = 0; i < MaxAttempts; i++)
                if (await accounts.OpenAsync(mode, caller, input.Country, token) is { Stripe: { } id } account)
                {
                    if (input.Country is { } country && account.Country is { } known && known != country)
                        return Problems.Invalid("country", $"'country' is {known} already, and cannot be changed.");
                    await AuditAsync(id);
                    if (await LinkAsync(id) is { } link)
                        return Results.Json(new Answer(id, link.Url, link.ExpiresAt), Defaults.Json);
                    await accounts.ForgetAsync(account, token);
                }
        }
        catch (StripeRefusalException e)
        {
            return Problems.Invalid(ParamOf(e), $"Stripe does not open the page: {e.Message}");
        }
        return Problems.Unavailable;

        async Task AuditAsync(string account)
        {
            await using var connection = await database.OpenConnectionAsync(token);
            await connection.AuditAsync(
                http, new("connect_account.page_made", "connect/account", null, new { AccountId = account, input.Country }), token);
        }

        // Null when the account is gone.
        async Task<global::Stripe.AccountLink?> LinkAsync(string account)
        {
            try
            {
                return await stripe.LinkAsync(mode, account, input.RefreshUrl, input.ReturnUrl, token);
            }
            catch (StripeRefusalException e) when (ConnectAccounts.IsGone(e))
            {
                return null;
            }
        }
    }

    static string? ParamOf(StripeRefusalException e) => e.Param switch
    {
        "refresh_url" => "refreshUrl",
        "return_url" => "returnUrl",
        "country" => "country",
        _ => null,
    };

    /// <summary>The developer's browser goes there. On a developer's own machine it may do so without TLS.</summary>
    static Problem? Refuse(string name, string url) =>
        url.Length > MaxUrl ? Problems.Invalid(name, $"'{name}' may have at most {MaxUrl} characters.")
        : !Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.UserInfo.Length > 0
            || !(parsed.Scheme == Uri.UriSchemeHttps || (parsed.Scheme == Uri.UriSchemeHttp && parsed.IsLoopback))
            ? Problems.Invalid(name, $"'{name}' must be an https address without a user (http on localhost).")
        : null;

    static Problem? RefuseCountry(string? country) => country is null || Countries.Contains(country)
        ? null
        : Problems.Invalid("country", $"'country' must be one of {string.Join(", ", Countries.Order(StringComparer.Ordinal))}.");
}
