using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// The types of call credits that customers have. A balance is open in the ledger before its row is committed, so that no proxy asks for
/// one that is not there.
/// </summary>
public static class CreditTypes
{
    /// <summary>What is wrong with a type that a customer is to have, or null.</summary>
    public static string? Error(string type) => !CallCredits.IsType(type) ? CallCredits.TypeRule
        : type == CallCredits.Free ? $"must not be {CallCredits.Free}: nobody pays for calls of that type"
        : null;

    /// <param name="initial">The first amount. It has no effect on a balance that is open already.</param>
    public static OpenRegister Balance(Customer customer, Project project, string type, long initial = 0) =>
        new(
            CallCredits.BalanceOf(customer.Id, type), AccountKind.Credits, Unit.Credits, project.OrganizationId, project.Id, customer.Id,
            customer.Test, initial)
        {
            Denomination = CallCredits.Denomination(project.Id, type),
        };

    /// <summary>A customer's types, in the order of their names.</summary>
    public static Task<List<string>> OfAsync(SessionsDb db, Guid customer, CancellationToken token) =>
        db.CustomerCredits.Where(credits => credits.CustomerId == customer).Select(credits => credits.QueryType).Order().ToListAsync(token);

    /// <summary>What a customer has of each type, as callers see it.</summary>
    public static async Task<IResult> ShowAsync(SessionsDb db, WalletClient wallet, Guid customer, CancellationToken token)
    {
        var types = await OfAsync(db, customer, token);
        var left = await wallet.CreditsLeftAsync([.. types.Select(type => CallCredits.BalanceOf(customer, type))], token);
        return Results.Json(
            new
            {
                balances = types.Select(type => new CreditBalance(type, left.GetValueOrDefault(CallCredits.BalanceOf(customer, type)))),
                tokenization = true,
            },
            Defaults.Json);
    }
}
