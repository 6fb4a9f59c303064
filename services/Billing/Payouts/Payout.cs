using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// A part of what a project has earned, on its way to its account at Stripe: our row, which is there before the ledger's reservation and
/// Stripe's transfer.
/// </summary>
/// <param name="Destination">Stripe's account.</param>
/// <param name="Settled">The ledger has its end.</param>
/// <param name="Reversed">Cents that came back afterwards.</param>
/// <param name="IsYoung">Stripe still knows the key of its transfer: it may be asked for it.</param>
/// <param name="IsOld">Nobody asks Stripe for it any more, and what was asked has ended.</param>
public sealed record Payout(
    Guid Id, Guid Organization, Guid Project, bool Test, bool Livemode, string Destination, long Cents, string Status, string? Transfer,
    string? FailureCode, string? Failure, bool Settled, bool Automatic, DateTimeOffset CreatedAt, long Reversed, bool IsYoung, bool IsOld)
{
    /// <summary>The ledger may have reserved nothing.</summary>
    public const string New = "new";

    /// <summary>Nobody may know what Stripe has done.</summary>
    public const string Reserved = "reserved";

    public const string Paid = "paid";

    /// <summary>Stripe has refused it, and it is earned again, for good: who wants it all the same begins another.</summary>
    public const string Failed = "failed";

    /// <summary>
    /// The ledger did not have it; Stripe was never asked. With a code its developer was told before that it is pending.
    /// </summary>
    public const string Refused = "refused";

    public long Nanos => Cents * Quote.NanosPerCent;

    /// <summary>As the developer sees it.</summary>
    public string ShownStatus => Status switch
    {
        New or Reserved => "pending",
        Paid when Reversed == Cents => "reversed",
        Refused => Failed,
        var other => other,
    };
}

/// <summary>Payouts as rows.</summary>
public static class PayoutRows
{
    const string Columns = """
        id, organization, project, test, livemode, destination, cents, status, transfer, failure_code, failure, settled,
        automatic is not null, created_at, (select coalesce(sum(r.cents), 0)::bigint from payout_reversal r where r.payout = payout.id)
        """;

    /// <summary>Between the last question and the end nobody asks, so that no answer is still on its way then.</summary>
    static readonly TimeSpan Rest = TimeSpan.FromHours(1);

    static string Select => $"""
        select {Columns}, created_at > now() - interval '{(int)StripeCalls.KeyLife.TotalMinutes} minutes',
            created_at <= now() - interval '{(int)(StripeCalls.KeyLife + Rest).TotalMinutes} minutes' from payout
        """;

    public static async Task<Payout?> PayoutAsync(this NpgsqlDataSource database, Guid id, CancellationToken token) =>
        await ReadAsync(database.Sql($"{Select} where id = $1", id), token) is [var payout] ? payout : null;

    /// <summary>A project's, the newest first. What was refused at once is nobody's payout.</summary>
    /// <param name="after">The last one that was shown; null: from the first.</param>
    public static Task<List<Payout>> PayoutsAsync(
        this NpgsqlDataSource database, Guid project, bool test, Guid? after, int most, CancellationToken token) =>
        ReadAsync(
            database.Sql($"""
                {Select} where project = $1 and test = $2 and (status <> 'refused' or failure_code is not null)
                    and ($3::uuid is null
                        or (created_at, id) < (select p.created_at, p.id from payout p where p.id = $3 and p.project = $1))
                order by created_at desc, id desc limit $4
                """, project, test, after, most),
            token);

    /// <summary>False when there is one under this id, or one of this day.</summary>
    public static async Task<bool> TryAddPayoutAsync(
        this NpgsqlDataSource database, Guid id, ConnectAccount account, long cents, DateOnly? automatic, string actor,
        CancellationToken token)
    {
        return await database.ChangeAsync("""
            insert into payout (id, account, organization, project, test, livemode, destination, cents, automatic, actor)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing
            """, token,
            id, account.Id, account.Organization, account.Project, account.Test, account.Livemode, account.Stripe!, cents,
            automatic, actor) == 1;
    }

    /// <summary>
    /// Those whose end is not known or not in the ledger, that nobody has looked at for longest. One that is new is its caller's for a
    /// minute: two must not learn different things of the ledger.
    /// </summary>
    public static async Task<List<(Guid Id, bool Test)>> PayoutsUnderWayAsync(
        this NpgsqlDataSource database, TimeSpan since, int most, CancellationToken token)
    {
        await using var query = database.Sql("""
            update payout set looked_at = now() where id in (
                select id from payout
                where (status in ('new', 'reserved') or (status in ('paid', 'failed', 'refused') and not settled)
                        or id in (select payout from payout_reversal where not booked))
                    and looked_at <= now() - case status when 'new' then greatest($1, interval '1 minute') else $1 end
                order by looked_at limit $2 for update of payout skip locked)
            returning id, test
            """, since, most);
        await using var row = await query.ExecuteReaderAsync(token);
        var under = new List<(Guid, bool)>();
        while (await row.ReadAsync(token))
            under.Add((row.GetGuid(0), row.GetBoolean(1)));
        return under;
    }

    static async Task<List<Payout>> ReadAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var _ = query;
        await using var row = await query.ExecuteReaderAsync(token);
        var payouts = new List<Payout>();
        while (await row.ReadAsync(token))
            payouts.Add(new(
                row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), row.GetBoolean(3), row.GetBoolean(4), row.GetString(5), row.GetInt64(6),
                row.GetString(7), Text(row, 8), Text(row, 9), Text(row, 10), row.GetBoolean(11), row.GetBoolean(12),
                row.GetFieldValue<DateTimeOffset>(13), row.GetInt64(14), row.GetBoolean(15),
                row.GetBoolean(16)));
        return payouts;
    }

    static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);
}
