using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/batch-costs</c>: a batch has ended that was charged its bound when it was created. A correction gives back the
/// difference to its real cost. Only the first reported cost counts. 404 while the ledger does not have the batch's own settlement.
/// </summary>
public static class BatchCosts
{
    public static void MapBatchCosts(this WebApplication app) => app.MapPost("/internal/batch-costs", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, Writer writer)
    {
        var cost = await Body.ReadAsync<BatchCost>(http);
        if (cost.Cost.Nanos < 0)
            return Problems.Invalid("cost", "'cost' must not be negative.");
        if (await FindAsync(cost, database, http.RequestAborted) is not { } correction)
            return Problems.NotFound("batch");
        await writer.RunAsync(correction);
        return Results.NoContent();
    }

    static async Task<Rerate?> FindAsync(BatchCost cost, NpgsqlDataSource database, CancellationToken token)
    {
        await using var query = database.Sql(
            "select organization, project, test, customer, price_version from usage_record where request_id = $1", cost.RequestId);
        await using var row = await query.ExecuteReaderAsync(token);
        if (!await row.ReadAsync(token))
            return null;
        Guid? wallet = row.IsDBNull(3) ? null : Ids.WalletOf(row.GetGuid(3));
        return new(
            Ids.Derive(cost.RequestId, "batch"),
            cost.RequestId,
            wallet,
            row.GetGuid(0),
            row.GetGuid(1),
            row.GetBoolean(2),
            row.IsDBNull(4) ? Guid.Empty : row.GetGuid(4),
            cost.Cost.Nanos)
        {
            OfBatch = true,
        };
    }
}
