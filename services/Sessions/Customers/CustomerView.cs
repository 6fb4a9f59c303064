using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>A customer as its backend sees it. Amounts are USD, as decimal strings.</summary>
/// <param name="RecentLedger">Newest first; only where one customer is shown.</param>
public sealed record CustomerView(
    string Id,
    string ExternalId,
    string? Email,
    string? Name,
    string? Company,
    string? Phone,
    CustomerStatus Status,
    DateTimeOffset CreatedAt,
    CustomerView.WalletView? Wallet,
    Money LifetimeSpend,
    Money LifetimeToppedUp,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<LedgerLine>? RecentLedger)
{
    /// <summary>Only where one customer is shown that has or had one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PlanView? Plan { get; init; }

    /// <summary>Only where one customer is shown that has some.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PutRates.Rates? Rates { get; init; }

    /// <param name="Status"><c>active</c> or <c>frozen</c>.</param>
    /// <param name="Owed">What its next top-up pays first: refunds and disputes have taken more than it had.</param>
    public sealed record WalletView(string Id, Money Balance, string Currency, string Status, Money Owed);

    public static CustomerView Of(Customer customer, WalletSummary? wallet) => new(
        Ids.Show(Ids.Customer, customer.Id), customer.ShownExternalId, customer.Email, customer.Name, customer.Company, customer.Phone,
        customer.Status, customer.CreatedAt,
        wallet is null ? null : new(
            Ids.Show(Ids.Wallet, wallet.Id), wallet.Balance, "USD", wallet.Frozen ? "frozen" : "active", wallet.Owed),
        wallet?.Spent ?? Money.Zero, wallet?.ToppedUp ?? Money.Zero, wallet?.RecentLedger);

    /// <summary>One customer with its money.</summary>
    public static async Task<CustomerView> ReadAsync(Customer customer, WalletClient wallet, bool withLedger, CancellationToken token)
    {
        if (customer.WalletId is not { } id)
            return Of(customer, null) with { RecentLedger = withLedger ? [] : null };
        return Of(customer, (await wallet.SummariesAsync([id], withLedger, token))[id]);
    }

    /// <summary>The caller's own customer, or null. Another's customer and one that does not exist look the same.</summary>
    public static Task<Customer?> FindAsync(SessionsDb db, Principal caller, string id, CancellationToken token) =>
        Ids.TryParse(Ids.Customer, id, out var customer)
            ? db.Customers
                .Include(c => c.Project)
                .SingleOrDefaultAsync(c => c.Id == customer && c.ProjectId == caller.Project && c.Test == caller.Test, token)
            : Task.FromResult<Customer?>(null);

    public static Problem NotFound => Problems.NotFound("customer");

    public static Problem Deleted => Problems.Conflict("customer_deleted", "A deleted customer cannot be changed.");
}
