using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>A plan that a customer pays by the month: our row, which is there before Stripe is asked for anything.</summary>
/// <param name="Plan">In force, or to be.</param>
/// <param name="Cents">What that costs.</param>
public sealed record Subscription(
    Guid Id, Guid Organization, Guid Project, Guid Customer, bool Test, bool Livemode, string Plan, long Cents, int TrialDays,
    string Status, DateTimeOffset CreatedAt)
{
    /// <summary>Nobody may know of it but us.</summary>
    public const string New = "new";

    /// <summary>Its checkout waits for the customer.</summary>
    public const string Open = "open";

    /// <summary>Its checkout is over, and nobody has subscribed.</summary>
    public const string Expired = "expired";

    /// <summary>Stripe's.</summary>
    public const string Incomplete = "incomplete", IncompleteExpired = "incomplete_expired", Trialing = "trialing", Active = "active",
        PastDue = "past_due", Unpaid = "unpaid", Paused = "paused", Canceled = "canceled";

    /// <summary>In force with the next period that is paid.</summary>
    public string? NextPlan { get; init; }

    /// <summary>Stripe's checkout; null until we know it.</summary>
    public string? Checkout { get; init; }

    public string? Url { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Stripe's subscription; null until there is one.</summary>
    public string? Stripe { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>From which periods are counted.</summary>
    public DateTimeOffset? Anchor { get; init; }

    public DateTimeOffset? TrialEnd { get; init; }

    /// <summary>The end of the last period that was paid, or of the trial. Null: nothing was.</summary>
    public DateTimeOffset? PaidTo { get; init; }

    public DateTimeOffset? CancelAt { get; init; }

    /// <summary>When the plan ends. Null: nobody knows.</summary>
    public DateTimeOffset? EndsAt { get; init; }

    /// <summary>When it was over. Null: it is not.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Of what Sessions is to know of it; 0: nothing yet.</summary>
    public long Version { get; init; }

    /// <summary>Of what Sessions knows.</summary>
    public long Told { get; init; }

    /// <summary>Its invoices ask for what is used beyond the quota.</summary>
    public bool Metered { get; init; }

    public DateTimeOffset LookedAt { get; init; }

    /// <summary>When this row was read, by the database's clock.</summary>
    public DateTimeOffset ReadAt { get; init; }

    /// <summary>Whether it waits for its customer at a checkout, as far as we know.</summary>
    public bool IsBegun => Status is New or Open;
}

/// <summary>Subscriptions as rows. A customer has one at a time that is not over, in each mode.</summary>
public static class SubscriptionRows
{
    public const string Columns = """
        id, organization, project, customer, test, livemode, plan, cents, trial_days, status, created_at, next_plan, checkout, url,
        expires_at, stripe, started_at, anchor, trial_end, paid_to, cancel_at, ends_at, ended_at, version, told, looked_at,
        clock_timestamp(), metered
        """;

    /// <summary>The row that knows a subscription of Stripe's, or a checkout.</summary>
    public static Task<Subscription?> SubscriptionOfAsync(this NpgsqlDataSource database, string stripe, CancellationToken token) =>
        OneAsync(database.Sql($"select {Columns} from subscription where stripe = $1 or checkout = $1", stripe), token);

    public static Task<Subscription?> SubscriptionAsync(this NpgsqlDataSource database, Guid id, CancellationToken token) =>
        OneAsync(database.Sql($"select {Columns} from subscription where id = $1", id), token);

    /// <summary>The one that is not over.</summary>
    public static Task<Subscription?> RunningSubscriptionAsync(
        this NpgsqlDataSource database, Guid customer, bool livemode, CancellationToken token) =>
        OneAsync(
            database.Sql(
                $"select {Columns} from subscription where customer = $1 and livemode = $2 and ended_at is null", customer, livemode),
            token);

    /// <summary>The row, which nobody else changes until the end of the transaction.</summary>
    public static async Task<Subscription> LockSubscriptionAsync(this NpgsqlConnection connection, Guid id, CancellationToken token) =>
        await OneAsync(connection.Sql($"select {Columns} from subscription where id = $1 for update", id), token)
            ?? throw new InvalidOperationException($"there is no subscription {id:N}");

    /// <summary>False when the customer has one that is not over.</summary>
    public static async Task<bool> TryAddAsync(this NpgsqlDataSource database, Subscription one, CancellationToken token)
    {
        return await database.ChangeAsync("""
            insert into subscription (id, organization, project, customer, test, livemode, plan, cents, trial_days)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            on conflict (customer, livemode) where ended_at is null do nothing
            """, token,
            one.Id, one.Organization, one.Project, one.Customer, one.Test, one.Livemode, one.Plan, one.Cents, one.TrialDays) == 1;
    }

    /// <summary>
    /// Lets one call at a time change it at Stripe: what a change costs follows from the price that it finds. Who dies holds it as long as
    /// <paramref name="time"/>. Null: another one holds it.
    /// </summary>
    public static async Task<DateTime?> TryHoldAsync(this NpgsqlDataSource database, Guid id, TimeSpan time, CancellationToken token)
    {
        await using var hold = database.Sql(
            "update subscription set held_until = now() + $2 where id = $1 and held_until <= now() returning held_until", id, time);
        return await hold.ExecuteScalarAsync(token) as DateTime?;
    }

    /// <param name="until">Of <see cref="TryHoldAsync"/>. Whoever holds it by now, if that is over, goes on.</param>
    public static Task LetGoAsync(this NpgsqlDataSource database, Guid id, DateTime until) => database.ChangeAsync(
        "update subscription set held_until = now() where id = $1 and held_until = $2", CancellationToken.None, id, until);

    /// <summary>
    /// The audit has who asks for a change before Stripe is asked: whoever dies in between has asked for it all the same.
    /// </summary>
    /// <param name="action">Second part of the action.</param>
    public static async Task AuditAsync(
        this NpgsqlDataSource database, HttpContext http, Subscription row, string action, object? before, object after,
        CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await connection.AuditAsync(
            http,
            new($"subscription.{action}", Ids.Show(Ids.Subscription, row.Id), before, after) { Customer = row.Customer },
            token);
    }

    public static async Task<List<Subscription>> SubscriptionsAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var _ = query;
        await using var row = await query.ExecuteReaderAsync(token);
        var all = new List<Subscription>();
        while (await row.ReadAsync(token))
            all.Add(Read(row));
        return all;
    }

    static async Task<Subscription?> OneAsync(NpgsqlCommand query, CancellationToken token) =>
        await SubscriptionsAsync(query, token) is [var one] ? one : null;

    static Subscription Read(NpgsqlDataReader row) => new(
        row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), row.GetGuid(3), row.GetBoolean(4), row.GetBoolean(5), row.GetString(6),
        row.GetInt64(7), row.GetInt32(8), row.GetString(9), row.GetFieldValue<DateTimeOffset>(10))
    {
        NextPlan = Text(row, 11), Checkout = Text(row, 12), Url = Text(row, 13), ExpiresAt = Moment(row, 14), Stripe = Text(row, 15),
        StartedAt = Moment(row, 16), Anchor = Moment(row, 17), TrialEnd = Moment(row, 18), PaidTo = Moment(row, 19),
        CancelAt = Moment(row, 20), EndsAt = Moment(row, 21), EndedAt = Moment(row, 22), Version = row.GetInt64(23),
        Told = row.GetInt64(24), LookedAt = row.GetFieldValue<DateTimeOffset>(25), ReadAt = row.GetFieldValue<DateTimeOffset>(26),
        Metered = row.GetBoolean(27),
    };

    static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    static DateTimeOffset? Moment(NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);
}
