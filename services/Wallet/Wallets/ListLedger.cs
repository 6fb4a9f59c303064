using System.Globalization;
using System.Runtime.CompilerServices;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /v1/wallets/{id}/ledger?cursor=&amp;limit=&amp;from=&amp;to=</c>: a wallet's entries, newest first, a page as JSON. With
/// <c>Accept: text/csv</c> or <c>?format=csv</c> all of them, as a file.
/// </summary>
public static class ListLedger
{
    const int DefaultPage = 50, MaxPage = 200, CsvPage = 1000;

    static readonly string[] Columns =
        ["id", "type", "amount", "balanceAfter", "createdAt", "description", "reference", "owed", "owedPaid"];

    public static void MapListLedger(this WebApplication app) =>
        app.MapGet("/v1/wallets/{id}/ledger", HandleAsync).WithQuery("cursor", "limit", "from", "to", "format");

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, NpgsqlDataSource database, Writer writer, ExportSlots slots, TimeProvider time,
        CancellationToken token)
    {
        if (await Wallets.FindAsync(id, http, database) is null)
            return Problems.NotFound("wallet");
        Ids.TryParse(Ids.Wallet, id, out var wallet);
        await Expiries.BookAsync(database, writer, [wallet], token);
        var query = new ListQuery(http.Request.Query);
        var (from, to) = (query.Time("from"), query.Time("to"));
        var before = long.MaxValue;
        if (query.Text("cursor") is { } cursor && !long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out before))
            throw ListQuery.Invalid("cursor", "is not one of ours");
        var page = query.Limit(DefaultPage, MaxPage);
        if (http.WantsCsv())
            return await Csv.FileAsync(
                http, slots, http.Backend().Project, $"ledger-{Ids.Show(Ids.Wallet, wallet)}", Columns,
                RowsAsync(database, wallet, before, from, to, token), time);
        var (lines, next) = await Statement.ReadAsync(database, wallet, page, before, from, to, token);
        return Results.Json(new { entries = lines, nextCursor = next?.ToString(CultureInfo.InvariantCulture) }, Defaults.Json);
    }

    /// <summary>A page at a time.</summary>
    static async IAsyncEnumerable<IReadOnlyList<string?>> RowsAsync(
        NpgsqlDataSource database, Guid wallet, long before, DateTimeOffset? from, DateTimeOffset? to,
        [EnumeratorCancellation] CancellationToken token)
    {
        long? next = before;
        while (next is { } cursor)
        {
            (var lines, next) = await Statement.ReadAsync(database, wallet, CsvPage, cursor, from, to, token);
            foreach (var line in lines)
                yield return
                [
                    line.Id, line.Type, line.Amount.ToString(), line.BalanceAfter.ToString(), Csv.Of(line.CreatedAt), line.Description,
                    line.Reference, line.Owed?.ToString(), line.OwedPaid?.ToString(),
                ];
        }
    }
}
