using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/credits</c>: a credit or debit of call credits, as a post. Sessions, which knows customers and their types, has
/// checked what the caller wrote.
/// </summary>
public static class CreditAdjustments
{
    public static void MapCreditAdjustments(this WebApplication app) => app.MapPost("/internal/credits", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, Writer writer)
    {
        var asked = await Body.ReadAsync<AdjustCredits>(http);
        if (asked.Amount is <= 0 or > CallCredits.MaxAmount)
            return Problems.Invalid("amount", $"from 1 to {CallCredits.MaxAmount}");
        if (asked.Balance is not { Kind: AccountKind.Credits, Unit: Unit.Credits, Denomination: not null })
            return Problems.Invalid("balance", "must be one of call credits");
        var type = asked switch
        {
            { Debit: true } => PostType.Debit,
            { Kind: "promotion" } => PostType.Promotion,
            _ => PostType.Grant,
        };
        var answer = await writer.RunAsync(new Post(asked.Id, type, Open.ScopeOf(asked.Balance), [asked.Amount])
        {
            Actor = asked.Actor, Text = asked.Reason, ExpiresAt = asked.ExpiresAt,
        });
        Failpoint.Hit("wallet.credits.adjusted");
        return Results.Json(
            answer switch
            {
                Answer.Refused refused => new AdjustedCredits(CreditsOutcome.NotEnough, refused.Available),
                Answer.Differs => new(CreditsOutcome.IdUsed, 0),
                Answer.NoLot { Expired: true } => new(CreditsOutcome.Expired, 0),
                Answer.NoLot => new(CreditsOutcome.TooManyLots, 0),
                _ => new(CreditsOutcome.Done, 0),
            },
            Defaults.Json);
    }
}
