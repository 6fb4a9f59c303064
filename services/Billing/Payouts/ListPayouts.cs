using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET /v1/connect/payouts</c>: the project's payouts, newest first, with what has become of each, and beside them what is left.
/// <c>cursor</c> is the last payout that was shown.
/// </summary>
public static class ListPayouts
{
    const int DefaultPage = 20, MaxPage = 100;

    public sealed record Failure(string Code, string? Message);

    /// <param name="Status">
    /// <c>pending</c> (reserved, and Stripe's answer is not clear), <c>paid</c>, <c>failed</c> (earned again), <c>reversed</c> (paid, and
    /// all of it came back).
    /// </param>
    /// <param name="Reversed">What came back.</param>
    public sealed record View(
        string Id, string? TransferId, string AccountId, Money Amount, string Currency, string Status, Failure? Failure, Money Reversed,
        bool Automatic, DateTimeOffset CreatedAt);

    /// <param name="Owed">What was paid out and then taken back from customers: the next margins pay it first.</param>
    public sealed record Answer(IReadOnlyList<View> Payouts, string? NextCursor, Money MarginBalance, Money Owed, Money InPayout);

    public static void MapListPayouts(this WebApplication app) =>
        app.MapGet("/v1/connect/payouts", HandleAsync).WithQuery("cursor", "limit");

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, LedgerClient ledger, CancellationToken token)
    {
        var caller = http.Backend();
        var query = new ListQuery(http.Request.Query);
        var page = query.Limit(DefaultPage, MaxPage);
        Guid? after = null;
        if (query.Text("cursor") is { } cursor)
            after = Ids.TryParse(Ids.Payout, cursor, out var last) ? last : throw ListQuery.Invalid("cursor", "must be the id of a payout");
        var payouts = await database.PayoutsAsync(caller.Project, caller.Test, after, page, token);
        var margin = await ledger.MarginAsync(caller.Project, caller.Test, token);
        return Results.Json(
            new Answer(
                [.. payouts.Select(Show)], payouts.Count == page ? Ids.Show(Ids.Payout, payouts[^1].Id) : null, PayoutRules.Shown(margin),
                PayoutRules.Owed(margin), new(margin.InPayout)),
            Defaults.Json);
    }

    static View Show(Payout payout) => new(
        Ids.Show(Ids.Payout, payout.Id), payout.Transfer, payout.Destination, new(payout.Nanos), "USD", payout.ShownStatus,
        payout.FailureCode is { } code ? new(code, payout.Failure) : null, new(payout.Reversed * Quote.NanosPerCent), payout.Automatic,
        payout.CreatedAt);
}
