using Npgsql;

namespace LlmGateway.Harness;

/// <summary>How a request ended, as stored.</summary>
enum Outcome { Completed, Aborted, Interrupted, Failed }

/// <summary>What the ledger has of a request. Amounts are nano-dollars.</summary>
sealed record UsageRow(
    Guid RequestId,
    Outcome Outcome,
    int Status,
    long InputTokens,
    long OutputTokens,
    long Cost,
    long Charged,
    long Absorbed,
    bool Estimated,
    string? Reason,
    Guid? AttemptOf = null);

/// <summary>The ledger's tables, read directly: what must be true whatever the API shows.</summary>
static class Books
{
    public static readonly NpgsqlDataSource Wallet = NpgsqlDataSource.Create(Stack.Connection("wallet"));
    public static readonly NpgsqlDataSource Sessions = NpgsqlDataSource.Create(Stack.Connection("sessions"));
    public static readonly NpgsqlDataSource Webhooks = NpgsqlDataSource.Create(Stack.Connection("webhooks"));

    /// <summary>To be called when PostgreSQL was stopped: pooled connections to it are dead.</summary>
    public static void ForgetConnections()
    {
        Wallet.Clear();
        Sessions.Clear();
        Webhooks.Clear();
    }

    /// <summary>The rows of a customer's requests, oldest first.</summary>
    public static async Task<IReadOnlyList<UsageRow>> UsageAsync(User user)
    {
        await using var query = Wallet.CreateCommand("""
            select request_id, outcome, status, meters[1], meters[5] + meters[6], cost, charged, absorbed, estimated, reason, attempt_of
            from usage_record where customer = $1 order by started_at, request_id
            """);
        query.Parameters.Add(new() { Value = user.Customer });
        await using var row = await query.ExecuteReaderAsync();
        var rows = new List<UsageRow>();
        while (await row.ReadAsync())
            rows.Add(new(
                row.GetGuid(0),
                (Outcome)row.GetInt16(1),
                row.GetInt16(2),
                row.GetInt64(3),
                row.GetInt64(4),
                row.GetInt64(5),
                row.GetInt64(6),
                row.GetInt64(7),
                row.GetBoolean(8),
                row.IsDBNull(9) ? null : row.GetString(9),
                row.IsDBNull(10) ? null : row.GetGuid(10)));
        return rows;
    }

    /// <summary>The rows once there are as many as there were requests.</summary>
    public static Task<IReadOnlyList<UsageRow>> UsageAsync(User user, int count) =>
        Eventually.GetAsync(() => UsageAsync(user), rows => rows.Count >= count, $"{count} usage records");

    /// <summary>The row of a customer's only request.</summary>
    public static async Task<UsageRow> OnlyUsageAsync(User user) => Assert.Single(await UsageAsync(user, 1));

    /// <summary>What the ledger can prove only while nobody calls, and what a dead proxy breaks until its leases end.</summary>
    const string NothingIsHeld = "no lease holds anything";

    /// <summary>What a proxy wanted to give back while the ledger was away is held until its lease ends, after a minute.</summary>
    static readonly TimeSpan EndOfLeases = TimeSpan.FromSeconds(75);

    /// <summary>
    /// Waits until the ledger itself proves that its books are right and that nothing is held. For tests beside which none runs.
    /// </summary>
    public static Task WaitUntilRightAsync() => Eventually.GetAsync(
        BreachesAsync, breaches => breaches.Count == 0, "right books at rest", EndOfLeases);

    /// <summary>The books are right at every moment, whoever else is calling.</summary>
    public static async Task MustBeRightAsync() =>
        Assert.DoesNotContain(await BreachesAsync(), breach => !breach.StartsWith(NothingIsHeld, StringComparison.Ordinal));

    static async Task<IReadOnlyList<string>> BreachesAsync()
    {
        var reply = await Gateway.SendAsync(
            "GET", "/internal/verify?full=true", at: Stack.Wallet, headers: [Stack.Signed("operator", "wallet")]);
        return
        [
            .. reply.MustBe(200).Json.Items("checks").Where(check => !check.GetProperty("ok").GetBoolean())
                .Select(check => $"{check.Text("name")}: {check.Text("detail")}"),
        ];
    }

    /// <summary>
    /// Waits until every event that the ledger has decided has arrived once, without gaps. One that came to nobody's hands for a while, as
    /// behind a failure, is tried again after half a minute.
    /// </summary>
    public static async Task WaitUntilAllIsToldAsync()
    {
        var reply = await Gateway.SendAsync(
            "GET", "/internal/verify?wait=120", at: Stack.Url("webhooks"), headers: [Stack.Signed("operator", "webhooks")]);
        Assert.True(reply.MustBe(200).Json.GetProperty("ok").GetBoolean(), reply.Text);
    }

    /// <summary>Ends the time of the leases on a user's wallet, as if a minute had passed without a word from who holds them.</summary>
    public static async Task EndLeasesAsync(User user)
    {
        await using var command = Wallet.CreateCommand("""
            update lease set expires_at = now() - interval '1 second' where not expired and id in
                (select lease from lease_line join account on account.id = lease_line.account where owner = $1)
            """);
        command.Parameters.Add(new() { Value = user.Customer });
        await command.ExecuteNonQueryAsync();
        await Eventually.HoldsAsync(async () => await HeldAsync([user]) == 0, "the end of the leases");
    }

    /// <summary>What leases hold of the users' registers, nano-dollars.</summary>
    public static Task<long> HeldAsync(IEnumerable<User> users) =>
        NumberAsync(
            Wallet,
            "select sum(reserved)::bigint from account where owner = any($1)",
            users.Select(user => user.Customer).ToArray());

    /// <summary>
    /// Gives a customer a plan of its own, as a seed file would. To be called before any of its credentials is used: no proxy is told.
    /// </summary>
    /// <param name="overagePicos">Of a token, as <see cref="LlmGateway.Contracts.Rate"/>. Null: there is nothing beyond the quota.</param>
    /// <param name="ends">From now; below zero: it has ended.</param>
    public static Task GivePlanAsync(User user, long tokens, long? overagePicos, TimeSpan? ends = null) => RunAsync(
        """
        with made as (
            insert into plan (project_id, id, name, price_nanos, tokens, overage_picos, trial_days, last_term_full)
            select project_id, $2, $2, 0, $3, $4::bigint, 0, true from customer where id = $1 returning project_id, id)
        insert into customer_plan (customer_id, id, project_id, plan_id, starts_at, ends_at)
        select $1, gen_random_uuid(), project_id, id, now() - interval '1 hour', now() + $5::interval from made
        """,
        user.Customer, PlanOf(user), tokens, overagePicos, ends);

    /// <summary>
    /// Where a text stands in any table of the ledger or of Sessions, and where something of the customer is kept that cannot be read here.
    /// What answers repetitions of management calls is sealed and leaves within three days.
    /// </summary>
    public static async Task<IReadOnlyList<string>> MentionsAsync(string text, User user)
    {
        var mentions = new List<string>();
        foreach (var database in (NpgsqlDataSource[])[Wallet, Sessions])
            foreach (var table in await TextsAsync(
                database, "select relname from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"))
                mentions.AddRange(await TextsAsync(database, $"select '{table}' from \"{table}\" as t where t::text like $1", $"%{text}%"));
        mentions.AddRange(await TextsAsync(
            Wallet,
            """
            select 'paid_call' from paid_call where owner = $1 union all select 'session_window' from session_window where owner = $1
            union all select 'window_opening' from window_opening join account on account.id = register where owner = $1
            union all select 'usage_raw' from usage_raw join usage_record using (request_id) where customer = $1
            union all select 'note' from note where text is not null and transfer in (
                select transfer from entry where account in (select id from account where owner = $1))
            """,
            user.Customer));
        mentions.AddRange(await TextsAsync(Sessions, "select 'kept_response' from kept_response where customer_id = $1", user.Customer));
        return mentions;
    }

    /// <summary>All that the books have of a customer: its accounts, entries and usage records.</summary>
    public static Task<IReadOnlyList<string>> MoneyAsync(User user) => TextsAsync(
        Wallet,
        """
        select (id, kind, posted, version, spent, topped_up)::text from account where owner = $1
        union all select entry::text from entry where account in (select id from account where owner = $1)
        union all select usage_record::text from usage_record where customer = $1 order by 1
        """,
        user.Customer);

    /// <summary>Who has moved a customer's money, as the ledger names them.</summary>
    public static Task<IReadOnlyList<string>> ActorsAsync(User user) => TextsAsync(
        Wallet,
        """
        select distinct actor from transfer where actor is not null and id in (
            select transfer from entry where account in (select id from account where owner = $1))
        """,
        user.Customer);

    static async Task<IReadOnlyList<string>> TextsAsync(NpgsqlDataSource database, string sql, params object[] values)
    {
        await using var query = database.CreateCommand(sql);
        foreach (var value in values)
            query.Parameters.Add(new() { Value = value });
        await using var row = await query.ExecuteReaderAsync();
        var texts = new List<string>();
        while (await row.ReadAsync())
            texts.Add(row.GetString(0));
        return texts;
    }

    public static string PlanOf(User user) => $"plan-{user.Customer:N}";

    /// <summary>The project that a user belongs to, as the ledger knows it.</summary>
    public static async Task<Guid> ProjectAsync(User user)
    {
        await using var query = Wallet.CreateCommand("select project from account where owner = $1 and kind = 0");
        query.Parameters.Add(new() { Value = user.Customer });
        return (Guid)(await query.ExecuteScalarAsync())!;
    }

    /// <summary>Ends a session's time, as if it had run out.</summary>
    public static Task ExpireAsync(User user) =>
        RunAsync(
            "update session set expires_at = now() - interval '1 second' where id = $1",
            Guid.ParseExact(user.SessionId["ses_".Length..], "N"));

    /// <summary>Rows of a customer's responses, also of those whose time is over.</summary>
    public static Task<long> KeptResponsesAsync(User user) =>
        NumberAsync(Sessions, "select count(*) from kept_response where customer_id = $1", user.Customer);

    /// <summary>Ends the time of a customer's only response, as if a day had passed.</summary>
    public static Task EndKeptResponsesAsync(User user) =>
        RunAsync("update kept_response set expires_at = now() where customer_id = $1", user.Customer);

    /// <summary>Lets a customer's only response be as large as that.</summary>
    public static Task GrowKeptResponsesAsync(User user, long bytes) =>
        RunAsync(
            """
            with grown as (update kept_response set bytes = $2 where customer_id = $1)
            update kept_response_count set bytes = $2 where level = 0 and owner = $1
            """,
            user.Customer, bytes);

    /// <summary>Lets each of a customer's responses count as one of so many bytes for a request that refers to it.</summary>
    public static async Task InflateKeptResponsesAsync(User user, int plainBytes)
    {
        await using var command = Sessions.CreateCommand("update kept_response set plain_bytes = $2 where customer_id = $1");
        command.Parameters.Add(new() { Value = user.Customer });
        command.Parameters.Add(new() { Value = plainBytes });
        await command.ExecuteNonQueryAsync();
    }

    public static Task<long> CustomersAsync(string externalId) =>
        NumberAsync(Sessions, "select count(*) from customer where external_id = $1", externalId);

    static async Task RunAsync(string sql, params object?[] values)
    {
        await using var command = Sessions.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value ?? DBNull.Value });
        Assert.Equal(1, await command.ExecuteNonQueryAsync());
    }

    static async Task<long> NumberAsync(NpgsqlDataSource database, string sql, object value)
    {
        await using var query = database.CreateCommand(sql);
        query.Parameters.Add(new() { Value = value });
        return (long)(await query.ExecuteScalarAsync())!;
    }
}
