namespace LlmGateway.Faults;

/// <summary>A deployment: services end in order, one after the other, and callers notice nothing but a connection that is closed.</summary>
public sealed class RestartTests : IAsyncLifetime
{
    const long Start = 1_000_000_000;

    public async ValueTask InitializeAsync() => await Processes.HealthyAsync();

    public async ValueTask DisposeAsync() => await Books.MustBeRightAsync();

    [Fact]
    public async Task Streams_that_run_when_their_proxy_is_told_to_end_are_delivered_to_their_end()
    {
        const int streams = 5;
        foreach (var name in Processes.Proxies)
        {
            var user = await Load.Backend.NewUserAsync();
            var open = await Task.WhenAll(
                Enumerable.Range(0, streams)
                    .Select(_ => OpenStream.StartAsync(user.Token, "slow", Price.Question, "\"n\":2", Stack.Url(name))));
            foreach (var stream in open)
                await stream.ReadWordsAsync(1);
            var process = Stack.ProcessId(name)!.Value;

            await Processes.TerminateAsync(name);
            foreach (var stream in open)
            {
                var rest = await stream.RestAsync();
                Assert.Equal("[DONE]", rest[^1]);
                Assert.DoesNotContain(rest, data => data.Contains("\"error\"", StringComparison.Ordinal));
                stream.Dispose();
            }

            await Processes.BackAsync(name, process);
            const long cost = Price.OfQuestion + 2 * Price.OfAnswer;
            Assert.Equal(Start - streams * cost, await user.BalanceAfterAsync(streams));
        }
    }

    [Fact]
    public async Task What_a_proxy_metered_last_is_charged_although_that_proxy_does_not_come_back()
    {
        const string name = "proxy2";
        var (user, process) = (await Load.Backend.NewUserAsync(), Stack.ProcessId(name)!.Value);
        using var stream = await OpenStream.StartAsync(user.Token, "slow", Price.Question, "\"n\":2", Stack.Url(name));
        await stream.ReadWordsAsync(1);
        Stack.App.Hold(name);

        await Processes.TerminateAsync(name);
        Assert.Equal("[DONE]", (await stream.RestAsync())[^1]);

        Assert.Equal(Start - Price.OfQuestion - 2 * Price.OfAnswer, await user.BalanceAfterAsync(1));
        await Stack.App.ReleaseAsync(name);
        await Processes.BackAsync(name, process);
    }

    [Fact]
    public async Task Services_that_are_replaced_one_by_one_under_load_lose_and_double_nothing()
    {
        var load = await Load.StartAsync(seed: 19);
        foreach (var name in Processes.Gateway)
        {
            var process = Stack.ProcessId(name)!.Value;
            await Processes.TerminateAsync(name);
            await Processes.BackAsync(name, process);
        }
        await load.StopAsync();
        await load.CheckAsync();
    }
}
