namespace LlmGateway.EndToEnd;

public sealed partial class OutageTests
{
    [Fact]
    public async Task A_proxy_that_is_killed_loses_its_slots_long_before_its_leases_end()
    {
        var user = await SlotTests.LimitedAsync(Backend.App, 1);
        var (running, group) = await Barrier.StartAsync(prompt => user.ChatAsync("barrier", prompt, at: Stack.Proxy2));
        SlotTests.MustBeTooMany(await user.ChatAsync("small", Price.Question), "customer", 1);

        await using (await Outage.StopAsync("proxy2"))
        {
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => running);
            // Its leases would live for a minute, and nobody starts it before the end of this block.
            await Eventually.HoldsAsync(async () => (await user.ChatAsync("small", Price.Question)).Status == 200, "a free slot");
        }
        await Sandbox.ReleaseAsync(group);
        Assert.Equal(Start - Cost, await user.BalanceAfterAsync(2));
        await Books.EndLeasesAsync(user);
    }

    [Fact]
    public async Task A_proxy_that_stood_still_loses_its_slots_and_what_it_ran_frees_no_other()
    {
        var user = await SlotTests.LimitedAsync(Backend.App, 1);
        var paused = await Barrier.StartAsync(prompt => user.ChatAsync("barrier", prompt, at: Stack.Proxy2));

        (Task<Reply> Running, string Group) other = default;
        await using (await Outage.FreezeAsync("proxy2"))
        {
            await Eventually.HoldsAsync(async () => (await user.ChatAsync("small", Price.Question)).Status == 200, "a free slot");
            other = await Barrier.StartAsync(prompt => user.ChatAsync("barrier", prompt));
        }
        await Sandbox.ReleaseAsync(paused.Group);
        (await paused.Running).MustBe(200);
        await Books.UsageAsync(user, 2);
        await Eventually.HoldsAsync(async () => await HeldByFreedAsync() == 0, "what the paused proxy gives back");

        foreach (var proxy in Proxies)
            SlotTests.MustBeTooMany(await user.ChatAsync("small", Price.Question, at: proxy), "customer", 1);
        await Sandbox.ReleaseAsync(other.Group);
        (await other.Running).MustBe(200);
        foreach (var proxy in Proxies)
            (await user.ChatAsync("small", Price.Question, at: proxy)).MustBe(200);
        await SlotTests.MustBeFreeAsync(user);

        async Task<long> HeldByFreedAsync()
        {
            await using var query = Books.Wallet.CreateCommand("""
                select coalesce(sum(granted - consumed - returned), 0)::bigint
                from lease join lease_line line on line.lease = lease.id join account on account.id = line.account
                where slots = 2 and owner = $1
                """);
            query.Parameters.Add(new() { Value = user.Customer });
            return (long)(await query.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
        }
    }
}
