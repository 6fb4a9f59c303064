using LlmGateway.Contracts;
using System.Text.Json;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/customers</c> <c>{externalId, email?, name?, company?, phone?, wallet?: true}</c> → 201. With <c>wallet: false</c> the
/// customer is not charged in USD, only limited. 409 when the external id is taken, by a deleted customer too.
/// </summary>
public static class CreateCustomer
{
    public static void MapCreateCustomer(this WebApplication app) => app.MapPost("/v1/customers", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        HttpContext http, SessionsDb db, WalletClient wallet, OutboxSignal outbox, TimeProvider time, CancellationToken token)
    {
        var caller = http.Backend();
        var body = await CustomerFields.ReadAsync(http, "externalId", "wallet");
        var project = await db.Projects.SingleAsync(p => p.Id == caller.Project, token);
        if (!project.Active)
            return Problems.ProjectInactive;

        var (externalId, withWallet) = Read(body);
        var customer = CustomerCreation.Add(db, project, caller.Test, externalId, time.GetUtcNow());
        CustomerFields.Apply(body, customer);
        if (await CustomerCreation.FindAsync(db, project.Id, caller.Test, externalId, token) is not null)
            return Taken;
        if (withWallet)
        {
            await wallet.OpenAsync([CustomerCreation.Wallet(customer.Id, project, caller.Test)], token);
            customer.WalletId = Ids.WalletOf(customer.Id);
        }
        try
        {
            await db.SaveChangesAsync(token);
        }
        catch (DbUpdateException e) when (SessionsDb.IsDuplicate(e))
        {
            return Taken;
        }
        outbox.Raise();
        return Results.Json(await CustomerView.ReadAsync(customer, wallet, withLedger: false, token), Defaults.Json, statusCode: 201);
    }

    static Problem Taken => Problems.Conflict("customer_exists", "A customer with this externalId exists.", "externalId");

    static (string ExternalId, bool WithWallet) Read(JsonElement body)
    {
        var externalId = body.TryGetProperty("externalId", out var id) ? Fields.Text(id, "externalId") : null;
        if (externalId is null)
            throw new ProblemException(Problems.Missing("externalId"));
        if (!body.TryGetProperty("wallet", out var wallet))
            return (externalId, true);
        if (wallet.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
            throw Fields.Invalid("wallet", "must be true or false");
        return (externalId, wallet.GetBoolean());
    }
}
