using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>GET /v1/subscriptions?customer=&amp;status=&amp;limit=&amp;cursor=</c>: the project's, newest first, and <c>GET
/// /v1/subscriptions/{id}</c>: one, with what was paid for it. <c>cursor</c> is the last one that was shown.
/// </summary>
public static class ListSubscriptions
{
    const int DefaultPage = 20, MaxPage = 100;

    static readonly string[] Statuses =
    [
        Subscription.Open, Subscription.Expired, Subscription.Incomplete, Subscription.IncompleteExpired, Subscription.Trialing,
        Subscription.Active, Subscription.PastDue, Subscription.Unpaid, Subscription.Paused, Subscription.Canceled,
    ];

    /// <param name="Price">Of the plan, for each period.</param>
    /// <param name="NextPlan">In force with the next period.</param>
    /// <param name="PaidTo">The end of the last period that was paid, or of the trial.</param>
    /// <param name="EndsAt">Of the plan, as far as it is known.</param>
    /// <param name="EndedAt">Of the subscription.</param>
    public sealed record View(
        string Id, string CustomerId, string Plan, Money Price, string Currency, string? NextPlan, string Status, DateTimeOffset CreatedAt,
        DateTimeOffset? StartedAt, DateTimeOffset? TrialEnd, DateTimeOffset? PaidTo, DateTimeOffset? CancelAt, DateTimeOffset? EndsAt,
        DateTimeOffset? EndedAt)
    {
        /// <summary>Only where one is shown, newest first.</summary>
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public IReadOnlyList<PaidView>? Payments { get; init; }
    }

    /// <param name="Invoice">Stripe's.</param>
    /// <param name="Refunded">What of it has gone back, or is disputed.</param>
    public sealed record PaidView(string Invoice, string Plan, Money Amount, Money Refunded, DateTimeOffset PaidAt);

    public sealed record Answer(IReadOnlyList<View> Subscriptions, string? NextCursor);

    public static void MapListSubscriptions(this WebApplication app)
    {
        app.MapGet("/v1/subscriptions", ListAsync).WithQuery("customer", "status", "limit", "cursor");
        app.MapGet("/v1/subscriptions/{id}", OneAsync).WithQuery();
    }

    public static Problem NotFound => Problems.NotFound("subscription");

    /// <summary>The caller's own; null for another's as for one that is not there.</summary>
    public static async Task<Subscription?> FindAsync(NpgsqlDataSource database, Principal caller, string id, CancellationToken token) =>
        Ids.TryParse(Ids.Subscription, id, out var named) && await database.SubscriptionAsync(named, token) is { } row
            && (row.Project, row.Test) == (caller.Project, caller.Test)
                ? row
                : null;

    static async Task<IResult> ListAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var (caller, query) = (http.Backend(), new ListQuery(http.Request.Query));
        var page = query.Limit(DefaultPage, MaxPage);
        var (customer, after, status) = (query.Id("customer", Ids.Customer), query.Id("cursor", Ids.Subscription), query.Text("status"));
        if (status is not null && !Statuses.Contains(status))
            throw ListQuery.Invalid("status", $"must be one of {string.Join(", ", Statuses)}");
        var rows = await SubscriptionRows.SubscriptionsAsync(
            database.Sql(
                $"""
                select {SubscriptionRows.Columns} from subscription
                where project = $1 and test = $2 and ($3::uuid is null or customer = $3) and ($4::uuid is null or id < $4)
                    and ($5::text is null or replace(status, 'new', 'open') = $5)
                order by id desc limit $6
                """, caller.Project, caller.Test, customer, after, status, page),
            token);
        return Results.Json(
            new Answer([.. rows.Select(Show)], rows.Count == page ? Ids.Show(Ids.Subscription, rows[^1].Id) : null), Defaults.Json);
    }

    static async Task<IResult> OneAsync(
        string id, HttpContext http, NpgsqlDataSource database, PlanPayments payments, CancellationToken token) =>
        await FindAsync(database, http.Backend(), id, token) is { } row
            ? Results.Json(Show(row) with { Payments = await payments.OfAsync(row.Id, token) }, Defaults.Json)
            : NotFound;

    public static View Show(Subscription row) => new(
        Ids.Show(Ids.Subscription, row.Id), Ids.Show(Ids.Customer, row.Customer), row.Plan, new(row.Cents * Quote.NanosPerCent), "USD",
        row.NextPlan, row.Status == Subscription.New ? Subscription.Open : row.Status, row.CreatedAt, row.StartedAt, row.TrialEnd,
        row.PaidTo, row.CancelAt, row.EndsAt, row.EndedAt);
}
