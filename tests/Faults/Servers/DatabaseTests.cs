using Npgsql;

namespace LlmGateway.Faults;

/// <summary>What the ledger does when PostgreSQL dies, does not say whether it has committed, is locked, or takes no one in.</summary>
public sealed class DatabaseTests : IAsyncLifetime
{
    const long Start = 1_000_000_000, Cost = Price.OfQuestion + Price.OfAnswer;

    /// <summary>How Npgsql sends it: a simple query, with its length and the end of its text.</summary>
    const string Commit = "COMMIT\0";

    const int MaxWaves = 50;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Processes.HealthyAsync();

    public async ValueTask DisposeAsync() => await Books.MustBeRightAsync();

    [Fact]
    public async Task PostgreSQL_that_is_killed_under_load_loses_nothing_that_a_caller_was_told()
    {
        var load = await Load.StartAsync(seed: 23);
        for (var i = 0; i < 2; i++)
        {
            var killed = Stack.ProcessId("postgres")!.Value;
            await Processes.KillAsync("postgres");
            await Eventually.HoldsAsync(
                () => Task.FromResult(Stack.ProcessId("postgres") is { } now && now != killed),
                "another PostgreSQL",
                TimeSpan.FromSeconds(60));
            await Processes.HealthyAsync();
        }
        await load.StopAsync();
        await load.CheckAsync();
    }

    [Fact]
    public async Task A_commit_whose_answer_is_lost_counts_once_however_often_it_is_repeated()
    {
        await using var network = new FaultProxy(Port("wallet"));
        await Processes.RestartAsync(
            "wallet",
            "ConnectionStrings__wallet",
            new NpgsqlConnectionStringBuilder(Stack.Connection("wallet")) { Port = network.Port }.ConnectionString);
        var load = await Load.StartAsync(seed: 25);
        const int commits = 25;

        network.Fault = Fault.CutAt(Commit, way: Way.ToServer) with { Times = commits };
        await Eventually.HoldsAsync(() => Task.FromResult(network.Breaks == commits), $"{commits} lost answers", TimeSpan.FromSeconds(60));
        network.Fault = Fault.None;

        await load.StopAsync();
        await load.CheckAsync();
        await Outage.KillAsync("wallet"); // back on the direct way
    }

    [Fact]
    public async Task While_the_ledger_is_locked_calls_are_refused_or_wait_and_nothing_is_half_done()
    {
        var user = await Load.Backend.NewUserAsync();
        await using var connection = await Books.Wallet.OpenConnectionAsync(Token);
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await using var hold = new NpgsqlCommand("lock table account in exclusive mode", connection, transaction);
            await hold.ExecuteNonQueryAsync(Token);

            foreach (var proxy in Stack.Proxies)
                (await user.ChatAsync("small", Price.Question, at: proxy)).MustBeProblem(503, "dependency_unavailable");
        }

        await ServedAsync(user);
        Assert.Equal(Start - Cost, await user.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task While_PostgreSQL_takes_no_one_in_calls_are_refused_and_afterwards_served()
    {
        var user = await Load.Backend.NewUserAsync();
        foreach (var proxy in Stack.Proxies)
            (await Gateway.SendAsync("GET", "/v1/models", user.Token, at: proxy)).MustBe(200);
        var crowd = new List<NpgsqlConnection>();
        var answered = 0;
        try
        {
            // A place that someone else gives up may be the ledger's before it is ours.
            var reply = await Eventually.GetAsync(
                async () =>
                {
                    await CrowdAsync(crowd);
                    return await user.ChatAsync("small", Price.Question);
                },
                reply => reply.Status != 200 || ++answered == MaxWaves, "a refusal", TimeSpan.FromSeconds(30));
            reply.MustBeProblem(503, "dependency_unavailable");
            Books.ForgetConnections();
        }
        finally
        {
            foreach (var connection in crowd)
                await connection.DisposeAsync();
        }

        await ServedAsync(user);
        Assert.Equal(Start - (answered + 1) * Cost, await user.BalanceAfterAsync(answered + 1));
    }

    [Fact]
    public async Task A_lease_whose_books_are_wrong_keeps_no_other_from_ending_and_no_service_from_running()
    {
        var (wrong, right) = (await Load.Backend.NewUserAsync(), await Load.Backend.NewUserAsync());
        var wallet = Stack.ProcessId("wallet");
        var (refused, ended) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        // Both hold 5 of their wallets; in the books of the first one nothing is reserved.
        await RunAsync("update account set reserved = reserved + 5 where kind = 0 and owner = $1", right.Customer);
        await LeaseAsync(refused, wrong);
        await LeaseAsync(ended, right);
        try
        {
            await Eventually.HoldsAsync(() => IsEndedAsync(ended), "the end of the other lease");

            Assert.False(await IsEndedAsync(refused));
            Assert.Equal(wallet, Stack.ProcessId("wallet"));
            (await wrong.ChatAsync("small", Price.Question)).MustBe(200);
        }
        finally
        {
            await RunAsync("delete from lease where id = $1", refused);
            await RunAsync("delete from lease_account where lease = $1", refused);
        }
    }

    /// <summary>A lease of a proxy that was never heard of again. The wrong one is the older one, and comes first.</summary>
    static async Task LeaseAsync(Guid lease, User user)
    {
        await RunAsync("""
            insert into lease_account (account, lease) select id, $1 from account where kind = 0 and owner = $2
            """, lease, user.Customer);
        await RunAsync("""
            insert into lease (
                id, holder, fence, return_fence, expires_at, expired, accounts, holds, uses, returns, latest_grants, unposted_uses)
            select lease, 'nobody', 1, 0, now() - interval '1 minute', false,
                array[account], array[5], array[0], array[0], array[5], array[0]
            from lease_account where lease = $1
            """, lease);
    }

    static async Task<bool> IsEndedAsync(Guid lease)
    {
        await using var query = Books.Wallet.CreateCommand("select expired from lease where id = $1");
        query.Parameters.Add(new() { Value = lease });
        return (bool)(await query.ExecuteScalarAsync(Token))!;
    }

    static async Task RunAsync(string sql, params object[] values)
    {
        await using var command = Books.Wallet.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        await command.ExecuteNonQueryAsync(Token);
    }

    /// <summary>Takes every connection that there is, those of the services first.</summary>
    static async Task CrowdAsync(List<NpgsqlConnection> crowd)
    {
        var anyone =
            new NpgsqlConnectionStringBuilder(Stack.Connection("wallet")) { Pooling = false, Database = "postgres" }.ConnectionString;
        for (var waves = 0; waves < MaxWaves; waves++)
        {
            try
            {
                for (; ; )
                {
                    var connection = new NpgsqlConnection(anyone);
                    await connection.OpenAsync(Token);
                    crowd.Add(connection);
                }
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.TooManyConnections)
            {
                // Full. Whoever of the ledger is still in makes room for one more of us.
            }
            await using var chase = new NpgsqlCommand(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = 'wallet'",
                crowd[0]);
            if (await chase.ExecuteScalarAsync(Token) is 0L)
                return;
        }
        Assert.Fail("the ledger always came back first");
    }

    static Task ServedAsync(User user) =>
        Eventually.HoldsAsync(
            async () => (await user.ChatAsync("small", Price.Question)).Status == 200,
            "an answer",
            TimeSpan.FromSeconds(5));

    static int Port(string database) => new NpgsqlConnectionStringBuilder(Stack.Connection(database)).Port;
}
