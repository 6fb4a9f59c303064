using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>DELETE /v1/subscriptions/{id}?now=</c>: it ends with the period that is paid, or at once with <c>now=true</c>; a checkout that nobody
/// has used is over. Nothing is given back. Repeatable: the answer is the subscription as it is then.
/// </summary>
public static class EndSubscription
{
    public static void MapEndSubscription(this WebApplication app) =>
        app.MapDelete("/v1/subscriptions/{id}", HandleAsync).WithQuery("now").WithRefusals();

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, Subscriptions subscriptions, SubscriptionCalls stripe, StripeModes modes, NpgsqlDataSource database,
        CancellationToken token)
    {
        var caller = http.Backend();
        var now = new ListQuery(http.Request.Query).Text("now") switch
        {
            null or "false" => false,
            "true" => true,
            _ => throw ListQuery.Invalid("now", "must be true or false"),
        };
        if (await ListSubscriptions.FindAsync(database, caller, id, token) is not { } row)
            return ListSubscriptions.NotFound;
        if (modes.Of(row.Test, row.Livemode) is not { } mode)
            return StartTopUp.NotSetUp(caller.Test);
        row = await subscriptions.LookAsync(mode, row, token);
        if (row.Status == Subscription.Open || (row is { EndedAt: null, Stripe: not null } && (now || row.CancelAt is null)))
            await database.AuditAsync(http, row, "end_asked", before: null, new { Now = now }, token);
        if (row is { Status: Subscription.Open })
            row = await subscriptions.DropAsync(mode, row, token);
        if (row is { EndedAt: null, Stripe: { } known } && (now || row.CancelAt is null))
            row = await subscriptions.TakeChangedAsync(mode, row, await stripe.EndAsync(mode, known, now, row.Metered, token), token);
        return Results.Json(ListSubscriptions.Show(row), Defaults.Json);
    }
}
