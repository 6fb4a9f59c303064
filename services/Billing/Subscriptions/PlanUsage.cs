using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// What customers use beyond the quotas of their plans, for the invoices that ask for it. The ledger counts it, by the month of the
/// subscription; what is new since the last time is a row, and Stripe's meter is told of that under the row's id.
/// </summary>
public sealed class PlanUsage(
    NpgsqlDataSource database, StripeModes modes, SubscriptionCalls stripe, LedgerClient ledger, TimeProvider time,
    ILogger<PlanUsage> log)
{
    /// <summary>Of a round: subscriptions that are counted, reports that are sent, and calls that get no answer.</summary>
    const int MaxCounted = 1000, MaxSent = 500, MaxOutages = 5;

    /// <summary>Stripe makes the invoice of a period an hour after it.</summary>
    static readonly TimeSpan CountEvery = TimeSpan.FromMinutes(10), LastForInvoice = TimeSpan.FromMinutes(45);

    /// <summary>Requests that ran at a month's end are booked by then.</summary>
    static readonly TimeSpan LateFor = TimeSpan.FromDays(2);

    sealed record Report(Guid Id, string Subscriber, bool Test, bool Livemode, long Tokens, DateTimeOffset At);

    /// <param name="everything">Also what was counted a short time ago.</param>
    /// <returns>How many reports could not be sent.</returns>
    public async Task<int> RunAsync(bool everything, CancellationToken token)
    {
        await CountAsync(everything ? TimeSpan.Zero : CountEvery, token);
        var (failed, outages) = (0, 0);
        foreach (var report in await UnsentAsync(token))
            try
            {
                await SendAsync(report, token);
            }
            catch (Exception e) when (!token.IsCancellationRequested)
            {
                failed++;
                var outage = Problems.IsOutage(e);
                log.Log(outage ? LogLevel.Warning : LogLevel.Error, e, "usage report {Report} is not sent yet", report.Id);
                // One that Stripe refuses, as of a customer that was deleted, keeps no other from it.
                if (outage && ++outages == MaxOutages)
                    break;
            }
        return failed;
    }

    async Task CountAsync(TimeSpan since, CancellationToken token)
    {
        var (now, months) = (time.GetUtcNow(), new List<(Guid Subscription, Cycle Month)>());
        foreach (var (subscription, anchor) in await MeteredAsync(since, token))
        {
            var rule = new CycleRule(CycleUnit.Month, 1, anchor.UtcDateTime, "UTC");
            var month = Cycles.Of(rule, now);
            months.Add((subscription, month));
            if (now - month.From < LateFor)
                months.Add((subscription, Cycles.Of(rule, month.From.AddTicks(-1))));
        }
        var used = await ledger.UsedAsync(
            [.. months.Select(one => Counters.Overage(one.Subscription, one.Month.Name))], token);
        foreach (var (subscription, month) in months)
            if (used.TryGetValue(Counters.Overage(subscription, month.Name), out var tokens) && tokens > 0)
                await AddAsync(subscription, month, tokens, now, token);
    }

    /// <summary>Those whose turn it is, also such as have ended a short time ago.</summary>
    async Task<List<(Guid Id, DateTimeOffset Anchor)>> MeteredAsync(TimeSpan since, CancellationToken token)
    {
        await using var take = database.Sql("""
            update subscription set usage_at = now() where id in (
                select id from subscription
                where metered and usage_at <= now() - $1 and (ended_at is null or ended_at > now() - $2) and anchor is not null
                order by usage_at limit $3)
            returning id, anchor
            """, since, LateFor, MaxCounted);
        await using var row = await take.ExecuteReaderAsync(token);
        var metered = new List<(Guid, DateTimeOffset)>();
        while (await row.ReadAsync(token))
            metered.Add((row.GetGuid(0), row.GetFieldValue<DateTimeOffset>(1)));
        return metered;
    }

    /// <summary>As of when it is reported: within its month, or now where the month's invoice may be made already.</summary>
    public static DateTimeOffset MomentOf(Cycle month, DateTimeOffset now) =>
        now >= month.To && now - month.To <= LastForInvoice ? month.To.AddSeconds(-1) : now;

    /// <summary>What is new since the last report of the month. What comes after its invoice is on the next one.</summary>
    async Task AddAsync(Guid subscription, Cycle month, long used, DateTimeOffset now, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        await connection.RunAsync("select from subscription where id = $1 for update", token, subscription);
        await connection.ChangeAsync("""
            insert into usage_report (id, subscription, month, tokens, at)
            select $1, $2, $3, $4 - coalesce(sum(tokens), 0), $5 from usage_report where subscription = $2 and month = $3
            having $4 > coalesce(sum(tokens), 0)
            """, token, Ids.New(), subscription, month.From, used, MomentOf(month, now));
        await transaction.CommitAsync(CancellationToken.None);
    }

    /// <summary>After a day Stripe may count one twice: those that are older wait for a person.</summary>
    async Task<List<Report>> UnsentAsync(CancellationToken token)
    {
        await using var query = database.Sql("""
            select r.id, c.stripe, s.test, s.livemode, r.tokens, r.at
            from usage_report r join subscription s on s.id = r.subscription
                join subscriber c on c.customer = s.customer and c.livemode = s.livemode
            where not r.sent and r.created_at > now() - $1 and c.stripe is not null order by r.created_at limit $2
            """, StripeCalls.KeyLife, MaxSent);
        await using var row = await query.ExecuteReaderAsync(token);
        var reports = new List<Report>();
        while (await row.ReadAsync(token))
            reports.Add(new(
                row.GetGuid(0), row.GetString(1), row.GetBoolean(2), row.GetBoolean(3), row.GetInt64(4),
                row.GetFieldValue<DateTimeOffset>(5)));
        return reports;
    }

    async Task SendAsync(Report report, CancellationToken token)
    {
        if (modes.Of(report.Test, report.Livemode) is not { } mode)
            return;
        await stripe.ReportUsageAsync(mode, report.Id, report.Subscriber, report.Tokens, report.At, token);
        await database.ChangeAsync("update usage_report set sent = true where id = $1", token, report.Id);
    }
}
