using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>A project's account at Stripe, to which its earnings go: our row, which is there before Stripe's account.</summary>
/// <param name="Country">Null: the platform's own.</param>
/// <param name="Stripe">Null until we know it.</param>
/// <param name="Transfers">Stripe's word for the capability.</param>
/// <param name="Due">What Stripe wants to know now.</param>
/// <param name="Paused">By an operator: whichever account the project has.</param>
/// <param name="ReadAt">When this row was read, by the database's clock.</param>
public sealed record ConnectAccount(
    Guid Id, Guid Organization, Guid Project, bool Test, bool Livemode, string? Country, string? Stripe, bool DetailsSubmitted,
    bool PayoutsEnabled, string? Transfers, IReadOnlyList<string> Due, string? DisabledReason, bool Paused, DateTimeOffset CreatedAt,
    DateTimeOffset LookedAt, DateTimeOffset ReadAt)
{
    public AccountState State => AccountStates.Of(this);
}

/// <summary>Accounts as rows. A project has one at a time in each mode.</summary>
public static class ConnectAccountRows
{
    const string Columns = """
        id, organization, project, test, livemode, country, stripe, details_submitted, payouts_enabled, transfers, due, disabled_reason,
        exists (select from payout_pause p where p.project = connect_account.project and p.test = connect_account.test), created_at,
        looked_at, clock_timestamp()
        """;

    /// <param name="livemode">The sandbox plays accounts, too. They stay where they are while Stripe itself is asked.</param>
    public static Task<ConnectAccount?> ConnectAccountAsync(
        this NpgsqlDataSource database, Guid project, bool test, bool livemode, CancellationToken token) =>
        OneAsync(
            database.Sql(
                $"select {Columns} from connect_account where project = $1 and test = $2 and livemode = $3 and gone_at is null",
                project, test, livemode),
            token);

    public static Task<ConnectAccount?> ConnectAccountAsync(this NpgsqlDataSource database, Guid id, CancellationToken token) =>
        OneAsync(database.Sql($"select {Columns} from connect_account where id = $1", id), token);

    /// <summary>The row that knows an account of Stripe's, unless it is gone.</summary>
    public static Task<ConnectAccount?> ConnectAccountOfAsync(this NpgsqlDataSource database, string stripe, CancellationToken token) =>
        OneAsync(database.Sql($"select {Columns} from connect_account where stripe = $1 and gone_at is null", stripe), token);

    /// <summary>False when the project has one: the first of many that ask at once makes the row.</summary>
    public static async Task<bool> AddConnectAccountAsync(
        this NpgsqlDataSource database, Guid id, Guid organization, Guid project, bool test, bool livemode, string? country,
        CancellationToken token)
    {
        return await database.ChangeAsync("""
            insert into connect_account (id, organization, project, test, livemode, country) values ($1, $2, $3, $4, $5, $6)
            on conflict (project, test, livemode) where gone_at is null do nothing
            """, token, id, organization, project, test, livemode, country) == 1;
    }

    static async Task<ConnectAccount?> OneAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var _ = query;
        await using var row = await query.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? new(
                row.GetGuid(0), row.GetGuid(1), row.GetGuid(2), row.GetBoolean(3), row.GetBoolean(4), Text(row, 5), Text(row, 6),
                row.GetBoolean(7), row.GetBoolean(8), Text(row, 9), row.GetFieldValue<string[]>(10), Text(row, 11), row.GetBoolean(12),
                row.GetFieldValue<DateTimeOffset>(13), row.GetFieldValue<DateTimeOffset>(14), row.GetFieldValue<DateTimeOffset>(15))
            : null;
    }

    static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);
}
