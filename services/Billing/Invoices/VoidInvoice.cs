using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/invoices/{id}/void {reason}</c>: a document that is wrong in what it says of seller or buyer does not count any more. It
/// keeps its number, and another one is made in its place, of the same sums, with seller and buyer as they are now. Repeated it does
/// nothing.
/// </summary>
public static class VoidInvoice
{
    const int MaxReason = 200;

    public sealed record Request(string Reason);

    public static void MapVoidInvoice(this WebApplication app) =>
        app.MapPost("/v1/invoices/{id}/void", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, NpgsqlDataSource database, Invoicing invoicing, CancellationToken token)
    {
        var caller = http.Backend();
        var input = await Body.ReadAsync<Request>(http);
        if (string.IsNullOrWhiteSpace(input.Reason) || input.Reason.Length > MaxReason || input.Reason.Any(char.IsControl))
            return Problems.Invalid("reason", $"'reason' must have 1 to {MaxReason} characters, and no control characters.");
        if (await FindAsync(database, caller, id, token) is not { } wrong)
            return Problems.NotFound("invoice");
        if (await SellerAsync(database, caller, token) is { } seller
            && await invoicing.ReplaceAsync(wrong, seller, input.Reason, caller.Actor(), AuditAsync, token) is { } refused)
            return refused;
        return Results.Json((await FindAsync(database, caller, id, token))!.Show(), Defaults.Json);

        Task AuditAsync(NpgsqlConnection connection, Document instead) => connection.AuditAsync(
            http,
            new(
                "invoice.voided", Ids.Show(Ids.Invoice, wrong.Id), null,
                new { input.Reason, ReplacedBy = Ids.Show(Ids.Invoice, instead.Id) })
            {
                Customer = wrong.Customer,
            },
            token);
    }

    static async Task<Document?> FindAsync(NpgsqlDataSource database, Principal caller, string id, CancellationToken token) =>
        Ids.TryParse(Ids.Invoice, id, out var which)
        && await database.DocumentsAsync(
            "i.id = $1 and i.project = $2 and i.test = $3", token, which, caller.Project, caller.Test) is [var document]
            ? document
            : null;

    /// <summary>Where a document is, somebody has said who sells.</summary>
    static async Task<Seller?> SellerAsync(NpgsqlDataSource database, Principal caller, CancellationToken token)
    {
        await using var query = database.Sql(
            "select content from seller where project = $1 and test = $2", caller.Project, caller.Test);
        return await query.ExecuteScalarAsync(token) is string content
            ? JsonSerializer.Deserialize<Seller>(content, Defaults.Json)
            : null;
    }
}
