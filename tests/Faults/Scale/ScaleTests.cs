using System.Diagnostics;

namespace LlmGateway.Faults;

/// <summary>
/// What grows with users, streams, time without a broker, or leases, and how far it may. A bound is a count or a size, never a time. Each
/// scenario tells its figures as rows of a table. The bounds and where they come from: docs/benchmarks.md.
/// </summary>
public sealed class ScaleTests(ScaleApp app) : IClassFixture<ScaleApp>, IAsyncLifetime
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    public async ValueTask InitializeAsync()
    {
        Assert.NotNull(app);
        await Processes.HealthyAsync();
        await Invariants.HoldAtRestAsync();
    }

    public async ValueTask DisposeAsync() => await Books.MustBeRightAsync();

    [Fact]
    public async Task Sessions_that_are_active_at_once_cost_Sessions_few_requests_and_proxies_little_memory_and_are_revoked_at_once()
    {
        const string question = "POST /internal/credentials";
        var (sizes, people) = (Sizes.Now, ScaleApp.People.People[..Sizes.Now.Sessions]);
        var revoked = await Population.Backend.MintAsync($"user-{Guid.NewGuid():N}");
        Gauges[] before = [.. Processes.Proxies.Select(Gauges.Of)];

        var (most, questions) = (0.0, 0L);
        for (var round = 0; round < sizes.Rounds; round++)
        {
            var (clock, sessions) = (Stopwatch.GetTimestamp(), Gauges.Of("sessions"));
            await Crowd.DoAsync(people.Length, async i =>
            {
                foreach (var proxy in Stack.Proxies)
                    (await Gateway.SendAsync("GET", "/v1/models", people[i].Token, at: proxy)).MustBe(200);
            });
            var after = Gauges.Of("sessions");
            questions += after[question] - sessions[question];
            most = Math.Max(most, (after.Answers - sessions.Answers) / Stopwatch.GetElapsedTime(clock).TotalSeconds);
        }

        var calls = (double)sizes.Rounds * people.Length * Stack.Proxies.Length;
        Sizes.AtMost(300, most, $"requests/s to Sessions while {people.Length} sessions call two proxies, in the busiest round");
        Sizes.AtMost(0.25, questions / calls, $"questions for credentials per call, in {sizes.Rounds} rounds");
        for (var i = 0; i < before.Length; i++)
            Sizes.AtMost(
                4_096, (double)(Gauges.Of(Processes.Proxies[i]).Heap - before[i].Heap) / people.Length, "bytes of a proxy per session");
        await RevokeAsync(revoked);
    }

    /// <summary>While this many copies are in memory.</summary>
    static async Task RevokeAsync(User user)
    {
        foreach (var proxy in Stack.Proxies)
            (await Gateway.SendAsync("GET", "/v1/models", user.Token, at: proxy)).MustBe(200);
        (await Population.Backend.DeleteAsync($"/v1/sessions/{user.SessionId}")).MustBe(204);
        foreach (var proxy in Stack.Proxies)
            (await Eventually.GetAsync(
                () => Gateway.SendAsync("GET", "/v1/models", user.Token, at: proxy),
                reply => reply.Status == 401,
                "the refusal of a revoked session",
                TimeSpan.FromSeconds(1))).MustBeProblem(401, "revoked");
    }

    [Fact]
    public async Task Streams_beyond_ten_thousand_keep_their_leases_and_cost_a_bounded_memory_each()
    {
        var sizes = Sizes.Now;
        var before = Gauges.Of("proxy");
        await using var streams = await HeldStreams.OpenAsync(ScaleApp.People.People[..sizes.Streams]);

        var during = Gauges.Of("proxy");
        Sizes.AtMost(48 * 1024, (double)(during.Heap - before.Heap) / sizes.Streams, $"bytes of a proxy per stream, of {sizes.Streams}");
        Sizes.AtMost(96 * 1024, (double)(during.Resident - before.Resident) / sizes.Streams, "the same as the system counts it");
        var renewed = await LeaseTable.NowAsync() + sizes.Held;
        var left = await Eventually.GetAsync(
            () => LeaseTable.HeldByAsync("proxy"), leases => leases.EndFirst >= renewed.AddMinutes(1), "the renewal of every lease",
            Patience + sizes.Held);
        Assert.Equal(sizes.Streams, left.Count);

        Assert.Equal(sizes.Streams, await streams.ReleaseAsync());
        var usage = await Eventually.GetAsync(
            () => LeaseTable.UsageAsync("held"), usage => usage.Count >= sizes.Streams, "the settlement of every stream", Patience);
        Assert.Equal((sizes.Streams, sizes.Streams * (Price.OfQuestion + Price.OfAnswer), 0L), usage);
        // Thousands of leases fall idle at the same moment; each goes back, none is left to its end.
        await Eventually.GetAsync(
            () => LeaseTable.HeldByAsync("proxy"), leases => leases.Count == 0, "the return of every lease", Patience);
    }

    [Fact]
    public async Task While_the_broker_is_away_settlements_take_a_bounded_disk_and_no_memory_and_each_counts_once_afterwards()
    {
        const string waiting = "gateway.spool.records";
        var (sizes, people) = (Sizes.Now, ScaleApp.People.People[..500]);
        // What the first calls leave in memory is not meant.
        await Crowd.DoAsync(people.Length, async i => (await AskAsync(i)).MustBe(200));
        await Books.WaitUntilRightAsync();
        var before = Gauges.Of("proxy2");
        long answered;
        await using (await Outage.StopAsync("rabbitmq"))
        {
            answered = await Crowd.UntilRefusedAsync(AskAsync, MustBeFull);
            Assert.InRange(answered, sizes.Settlements, long.MaxValue);
            var during = Gauges.Of("proxy2");
            Assert.Equal(answered, during[waiting]);
            Sizes.AtMost((sizes.SpoolMegabytes + 8) * 1024 * 1024, SpoolBytes(), $"bytes of the spool with {answered} settlements");
            // Not of settlements: a customer has one lease, however many are to be paid from it.
            Sizes.AtMost(6_144, (double)(during.Heap - before.Heap) / people.Length, "bytes of the proxy per customer with some that wait");
            (await Chat.AskAsync(people[0].Token, "spooled", Price.Question, at: Stack.Proxy)).MustBe(200);
            answered += 1 + people.Length; // the other one has room, and there were the first calls
        }
        var usage = await Eventually.GetAsync(
            () => LeaseTable.UsageAsync("spooled"), usage => usage.Count >= answered, "the settlement of what waited", Patience);
        Assert.Equal((answered, answered * (Price.OfQuestion + Price.OfAnswer), 0L), usage);
        await Eventually.HoldsAsync(() => Task.FromResult(Gauges.Of("proxy2")[waiting] == 0), "an empty spool");
        Sizes.AtMost(8 * 1024 * 1024, SpoolBytes(), "bytes of the spool afterwards");
        (await AskAsync(0)).MustBe(200);
        Assert.Equal(answered + 1, (await Eventually.GetAsync(
            () => LeaseTable.UsageAsync("spooled"), usage => usage.Count > answered, "one more settlement")).Count);

        Task<Reply> AskAsync(int i) => Chat.AskAsync(people[i % people.Length].Token, "spooled", Price.Question, at: Stack.Proxy2);
    }

    static void MustBeFull(Reply reply) => Assert.Contains(
        "has written down as many finished requests as it may", reply.MustBeProblem(503, "dependency_unavailable").Text);

    static long SpoolBytes() =>
        new DirectoryInfo(Path.Combine(Stack.App.Data, "spool", "proxy2")).EnumerateFiles("*.spool").Sum(file => file.Length);

    [Fact]
    public async Task Leases_that_come_and_go_leave_neither_rows_nor_larger_tables_nor_memory()
    {
        var (sizes, wallets) = (Sizes.Now, ScaleApp.People.People);
        var (before, books, bytes) = (Gauges.Of("wallet"), await LeaseTable.BooksAsync(), await LeaseTable.BytesAsync());
        var largest = 0L;
        for (var round = 0; round < sizes.LeaseRounds; round++)
        {
            await LeaseTable.OpenAsync(wallets, sizes.Leases);
            await LeaseTable.EndAsync();
            await Eventually.HoldsAsync(async () => await LeaseTable.RowsAsync() == 0, "the end of every lease", Patience);
            largest = Math.Max(largest, await LeaseTable.BytesAsync());
        }
        var total = sizes.LeaseRounds * sizes.Leases;
        // Of one round, however many there were.
        Sizes.AtMost(
            2_048, (double)(largest - bytes) / sizes.Leases, $"bytes by which the lease tables grew, per lease of a round, after {total}");
        Sizes.AtMost(0, await LeaseTable.BooksAsync() - books, "rows of the books that leases leave");
        Sizes.AtMost(32 * 1024 * 1024, Gauges.Of("wallet").Heap - before.Heap, "bytes of Wallet more than before");
    }

    [Fact]
    public async Task Credentials_with_a_wrong_checksum_cost_no_look_up()
    {
        var before = Gauges.Of("sessions")["POST /internal/credentials"];
        foreach (var person in ScaleApp.People.People[..20])
            Assert.Equal(401, (await Gateway.SendAsync("GET", "/v1/models", Misspelt(person.Token))).Status);
        Assert.Equal(before, Gauges.Of("sessions")["POST /internal/credentials"]);

        static string Misspelt(string token) => token[..^1] + (token[^1] == '0' ? '1' : '0');
    }
}
