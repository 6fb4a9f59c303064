using RabbitMQ.Client;

namespace LlmGateway.Faults;

/// <summary>Charges when RabbitMQ dies, loses its queue, or delivers more than once.</summary>
public sealed class BrokerTests : IAsyncLifetime
{
    const long Start = 1_000_000_000, Cost = Price.OfQuestion + Price.OfAnswer;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Processes.HealthyAsync();

    public async ValueTask DisposeAsync() => await Invariants.HoldAsync();

    /// <summary>
    /// Runs only on request: after a SIGKILL RabbitMQ 3.10 may have a quorum queue that never finds its leader again.
    /// </summary>
    [Fact(Explicit = true)]
    public async Task A_broker_that_is_killed_while_it_is_sent_to_loses_no_charge_and_doubles_none()
    {
        var load = await Load.StartAsync(seed: 22);
        var killed = Stack.ProcessId("rabbitmq")!.Value;
        await Processes.KillAsync("rabbitmq");
        await Eventually.HoldsAsync(
            () => Task.FromResult(Stack.ProcessId("rabbitmq") is { } now && now != killed),
            "another broker",
            TimeSpan.FromSeconds(60));
        await Processes.HealthyAsync();
        await load.StopAsync();
        await load.CheckAsync();
    }

    [Fact]
    public async Task Charges_wait_for_a_queue_that_was_deleted_until_the_ledger_has_made_it_again()
    {
        var user = await Load.Backend.NewUserAsync();
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        Assert.Equal(Start - Cost, await user.BalanceAfterAsync(1));

        await DeleteQueueAsync();
        for (var i = 0; i < 6; i++)
            (await user.ChatAsync("small", Price.Question, at: Stack.Proxies[i % 2])).MustBe(200);

        await Books.UsageAsync(user, 7);
        Assert.Equal(Start - 7 * Cost, await user.BalanceAfterAsync(7));
    }

    [Fact]
    public async Task Charges_that_arrive_twenty_times_count_once()
    {
        const int copies = 20, calls = 5;
        var user = await Load.Backend.NewUserAsync();
        for (var i = 0; i < calls; i++)
            (await user.ChatAsync("small", Price.Question, at: Stack.Proxy2)).MustBe(200);
        Assert.Equal(Start - calls * Cost, await user.BalanceAfterAsync(calls));

        await using (await Outage.StopAsync("proxy2"))
        {
            var spool = Path.Combine(Stack.App.Data, "spool", "proxy2");
            var newest = Directory.GetFiles(spool, "*.spool").Order(StringComparer.Ordinal).Last();
            var number = long.Parse(Path.GetFileNameWithoutExtension(newest), System.Globalization.CultureInfo.InvariantCulture);
            for (var copy = 1; copy < copies; copy++)
                File.Copy(newest, Path.Combine(spool, $"{number + copy:D12}.spool"));
        }

        // Sent before everything that comes later: when this is settled they have arrived.
        (await user.ChatAsync("small", Price.Question, at: Stack.Proxy2)).MustBe(200);
        Assert.Equal(Start - (calls + 1) * Cost, await user.BalanceAfterAsync(calls + 1));
        Assert.All(await Books.UsageAsync(user), row => Assert.Equal(Cost, row.Charged));
    }

    /// <summary>At rest, when nothing is in it: what it holds is on no disk of ours any more.</summary>
    static async Task DeleteQueueAsync()
    {
        await using var connection =
            await new ConnectionFactory { Uri = new Uri(Stack.Connection("rabbitmq")) }.CreateConnectionAsync(Token);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Token);
        await channel.QueueDeleteAsync("wallet-settlements", ifUnused: false, ifEmpty: false, cancellationToken: Token);
    }
}
