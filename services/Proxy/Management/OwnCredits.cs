using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// What a customer has of call credits: <c>GET /v1/balances</c> for its sessions, <c>{balances: [{type, count}], tokenization}</c>, and in
/// the refusal of a call whose credits are used up.
/// </summary>
public sealed class OwnCredits(Identity identity, ManagementRates rates, WalletClient wallet, TimeProvider time)
{
    /// <summary>
    /// A refusal tells what was asked for another one of the same customer within this time: whoever calls on without credits must not cost
    /// the ledger a question each time.
    /// </summary>
    static readonly TimeSpan ToldFor = TimeSpan.FromSeconds(1);

    /// <summary>Customers whose balances are remembered. What is forgotten costs a question.</summary>
    const int MaxTold = 10_000;

    readonly ConcurrentDictionary<Guid, Asked> _told = new();

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

    /// <summary>
    /// The refusal with all that the customer has, as it was a moment ago, and what it has of the type that is used up as the refusal says
    /// it. While the ledger is away, that alone.
    /// </summary>
    public async ValueTask<Problem> TellAsync(Problem problem, Credential caller, CancellationToken token)
    {
        if (problem.Credits is not { } known)
            return problem;
        try
        {
            var all = await AskedOnce(caller).WaitAsync(token);
            return problem with
            {
                Credits = CreditState.Of(
                    known.QueryType, all.Select(balance => balance.Type == known.QueryType ? known.Current : balance)),
            };
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            return problem;
        }
    }

    Task<IReadOnlyList<CreditBalance>> AskedOnce(Credential caller)
    {
        if (_told.Count >= MaxTold)
            _told.Clear();
        return _told.AddOrUpdate(
            caller.Customer!.Value,
            _ => Ask(),
            (_, last) => time.GetElapsedTime(last.At) < ToldFor ? last : Ask()).Balances.Value;

        Asked Ask() => new(time.GetTimestamp(), new(() => OfAsync(caller, CancellationToken.None)));
    }

    /// <summary>One question for all who are refused at the same moment.</summary>
    sealed record Asked(long At, Lazy<Task<IReadOnlyList<CreditBalance>>> Balances);

    async Task<IReadOnlyList<CreditBalance>> OfAsync(Credential caller, CancellationToken token)
    {
        var sources = (caller.Claim?.Sources ?? []).Where(source => source.QueryType is not null).ToList();
        var left = await wallet.CreditsLeftAsync(sources.ConvertAll(source => source.Register!.Value), token);
        return sources.ConvertAll(source => new CreditBalance(source.QueryType!, left.GetValueOrDefault(source.Register!.Value)));
    }
}
