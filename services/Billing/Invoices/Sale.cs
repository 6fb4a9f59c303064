using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>What documents are of: a payment of a wallet's, or one for a plan.</summary>
/// <param name="Wallet">Null: it is for a plan.</param>
/// <param name="Subscription">Null: it is of a wallet's.</param>
public sealed record Sale(Guid Id, Guid Organization, Guid Project, Guid Customer, bool Test, Guid? Wallet, Guid? Subscription)
{
    public Guid? Payment => Subscription is null ? Id : null;

    public Guid? PlanPayment => Subscription is null ? null : Id;

    public static Sale Of(Payment payment) => new(
        payment.Id, payment.Organization, payment.Project, payment.Customer, payment.Test, payment.Wallet, Subscription: null);
}

/// <summary>Sales as rows.</summary>
public static class SaleRows
{
    /// <summary>What a document is of.</summary>
    public static async Task<Sale> SaleAsync(this NpgsqlDataSource database, Document document, CancellationToken token)
    {
        if (document.Subscription is null)
            return Sale.Of((await database.PaymentAsync(document.Payment, token))!);
        await using var query = database.Sql("""
            select s.organization, s.project, s.customer, s.test, s.id
            from plan_payment p join subscription s on s.id = p.subscription where p.id = $1
            """, document.Payment);
        await using var row = await query.ExecuteReaderAsync(token);
        await row.ReadAsync(token);
        return new(document.Payment, row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), row.GetBoolean(3), Wallet: null, row.GetGuid(4));
    }

    /// <summary>Nobody else makes a document of it until the end of the transaction.</summary>
    public static Task LockAsync(this NpgsqlConnection connection, Sale sale, CancellationToken token) => sale.Subscription is null
        ? connection.LockAsync(sale.Id, token)
        : connection.RunAsync("select from plan_payment where id = $1 for update", token, sale.Id);
}
