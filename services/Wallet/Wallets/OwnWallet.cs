using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /v1/wallet/balance</c>: what an end user sees of their own wallet. A frozen wallet stays readable. Proxies ask only when Redis
/// has no copy (<see cref="HotBalances"/>).
/// </summary>
public static class OwnWallet
{
    const int RecentEntries = 10;

    /// <param name="Version"><inheritdoc cref="Statement.Recent" path="/param[@name='Version']"/></param>
    /// <param name="RightFor"><inheritdoc cref="Statement.Recent" path="/param[@name='RightFor']"/></param>
    /// <param name="Json">The answer.</param>
    public sealed record Shown(Guid Wallet, long Version, TimeSpan? RightFor, byte[] Json);

    public static void MapOwnWallet(this WebApplication app) => app.MapGet("/v1/wallet/balance", HandleAsync);

    /// <summary>What has expired is booked before, so that the newest entry has the balance that is shown.</summary>
    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, Writer writer, HotBalances balances)
    {
        if (http.EndUser().Wallet is not { } wallet)
            return Problems.NotFound("wallet");
        await Expiries.BookAsync(database, writer, [wallet], http.RequestAborted);
        return await balances.RefreshAsync(wallet, http.RequestAborted) is { } json
            ? Results.Bytes(json, "application/json; charset=utf-8")
            : Problems.NotFound("wallet");
    }

    public static async Task<List<Shown>> ReadAsync(NpgsqlDataSource database, Guid[] wallets, CancellationToken token)
    {
        var read = await Statement.RecentAsync(database, wallets, RecentEntries, token);
        return read.ConvertAll(wallet => new Shown(wallet.Id, wallet.Version, wallet.RightFor, JsonSerializer.SerializeToUtf8Bytes(
            new
            {
                balance = new Money(wallet.Balance),
                currency = "USD",
                owed = new Money(wallet.Owed),
                recentLedger = wallet.Lines,
                limits = Array.Empty<object>(),
            },
            Defaults.Json)));
    }
}
