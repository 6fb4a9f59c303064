using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// What a customer has of call credits: <c>GET /v1/balances</c> for its sessions, <c>{balances: [{type, count}], tokenization}</c>, and in
/// the refusal of a call whose credits are used up.
/// </summary>
public sealed class OwnCredits(Identity identity, ManagementRates rates, WalletClient wallet)
{
    public static void Map(WebApplication app) =>
        app.MapGet("/v1/balances", (HttpContext http, OwnCredits credits) => credits.ShowAsync(http));

    async Task<IResult> ShowAsync(HttpContext http)
    {
        var (caller, problem) = await identity.IdentifyAsync(http);
        problem ??= rates.Take(caller!.Credential);
        if (problem is null && caller!.Credential.Kind != CredentialKind.Session)
            problem = Problems.WrongCredential("a session token (es_…)");
        return problem is null
            ? Results.Json(new { balances = await OfAsync(caller!.Credential, http.RequestAborted), tokenization = true }, Defaults.Json)
            : problem;
    }

    /// <summary>The refusal with all that the customer has. While the ledger is away, what it has of the type that is used up.</summary>
    public async ValueTask<Problem> TellAsync(Problem problem, Credential caller, CancellationToken token)
    {
        if (problem.Queries is not { } known)
            return problem;
        try
        {
            return problem with { Queries = QueryState.Of(known.QueryType, await OfAsync(caller, token)) };
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            return problem;
        }
    }

    async Task<IReadOnlyList<CreditBalance>> OfAsync(Credential caller, CancellationToken token)
    {
        var sources = (caller.Claim?.Sources ?? []).Where(source => source.QueryType is not null).ToList();
        var left = await wallet.CreditsLeftAsync(sources.ConvertAll(source => source.Register!.Value), token);
        return sources.ConvertAll(source => new CreditBalance(source.QueryType!, left.GetValueOrDefault(source.Register!.Value)));
    }
}
