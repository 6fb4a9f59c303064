using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace LlmGateway.Faults;

/// <summary>Charges when RabbitMQ dies, loses its queue, or delivers more than once.</summary>
public sealed class BrokerTests : IAsyncLifetime
{
    const string Exchange = SettlementBatch.Queue, Queue = $"{Exchange}.2";

    const long Start = 1_000_000_000, Cost = Price.OfQuestion + Price.OfAnswer;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Processes.HealthyAsync();

    public async ValueTask DisposeAsync() => await Books.MustBeRightAsync();

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

        // The consumer hears of the end of its queue from the broker, and comes back with a pause that grows.
        await Eventually.GetAsync(() => Books.UsageAsync(user), rows => rows.Count >= 7, "7 usage records", TimeSpan.FromMinutes(1));
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

    [Theory]
    [InlineData(Exchange)]
    [InlineData($"{Exchange}_error")]
    public async Task Charges_in_a_queue_of_an_earlier_version_are_moved_and_the_queue_is_deleted(string former)
    {
        var user = await Load.Backend.NewUserAsync();
        await AtBrokerAsync(async channel =>
        {
            // As an earlier version declared it; the ledger of that time read from this one alone.
            await channel.QueueDeclareAsync(
                former, true, false, false, new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }, cancellationToken: Token);
            await channel.QueueBindAsync(former, Exchange, "", cancellationToken: Token);
            await channel.ExchangeUnbindAsync(Queue, Exchange, "", cancellationToken: Token);
        });
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await Eventually.HoldsAsync(async () => await CountAsync(former) > 0, "a charge in the former queue");

        await Outage.KillAsync("wallet");

        Assert.Equal(Start - Cost, await user.BalanceAfterAsync(1));
        await Eventually.HoldsAsync(async () => await CountAsync(former) is null, "the end of the former queue");
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        Assert.Equal(Start - 2 * Cost, await user.BalanceAfterAsync(2));
    }

    [Fact]
    public async Task What_the_ledger_cannot_read_is_shown_and_put_back_and_holds_up_nothing()
    {
        var ofSettlements = new BasicProperties { ContentType = SettlementBatch.ContentType };
        await AtBrokerAsync(async channel =>
            await channel.BasicPublishAsync(Exchange, "", mandatory: true, ofSettlements, new byte[] { 1, 2, 3 }, Token));
        var user = await Load.Backend.NewUserAsync();
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        Assert.Equal(Start - Cost, await user.BalanceAfterAsync(1));
        try
        {
            await Eventually.HoldsAsync(
                async () => await AskWalletAsync(HttpMethod.Get, "") is (500, var said)
                    && said.Contains($"{Queue}_error: 1, the oldest because of: the last 3 of 3 bytes are no whole settlement"),
                "the message in the error queue");

            var (status, answer) = await AskWalletAsync(HttpMethod.Post, "/retry");

            Assert.Equal((200, "1 message was put back."), (status, answer));
            await Eventually.HoldsAsync(async () => await CountAsync($"{Queue}_error") == 1, "the message in the error queue again");
        }
        finally
        {
            await AtBrokerAsync(channel => channel.QueuePurgeAsync($"{Queue}_error", Token));
        }
        Assert.Equal((200, "Every message was handled."), await AskWalletAsync(HttpMethod.Get, ""));
    }

    [Fact]
    public async Task What_the_ledger_refuses_comes_again_later_and_is_counted()
    {
        var refused = SettlementRecord.Encode(new(Ids.New(), null, [], new(
            Ids.New(), Ids.New(), null, Ids.New(), null, true, "/\0", "m", "p", "m", null, false, DateTimeOffset.UtcNow, 1, null, 200,
            RequestOutcome.Failed, new Usage().ToArray(), Money.Zero, false, null, null))).ToArray(); // no text has a NUL in PostgreSQL
        var ofSettlements = new BasicProperties { ContentType = SettlementBatch.ContentType };
        await AtBrokerAsync(async channel => await channel.BasicPublishAsync(Exchange, "", true, ofSettlements, refused, Token));
        try
        {
            await Eventually.GetAsync(RedeliveriesAsync, count => count == 2, "the second redelivery", 3 * Redelivery.Delay);
        }
        finally
        {
            await AtBrokerAsync(channel => channel.QueuePurgeAsync($"{Queue}_delayed", Token));
        }
    }

    /// <summary>Of the message that waits to come again; it stays there, because the channel is closed.</summary>
    static async Task<int?> RedeliveriesAsync()
    {
        int? count = null;
        if (await CountAsync($"{Queue}_delayed") > 0)
            await AtBrokerAsync(async channel =>
                count = (await channel.BasicGetAsync($"{Queue}_delayed", autoAck: false, Token))?.BasicProperties
                    .Headers![Redelivery.CountHeader] as int?);
        return count;
    }

    /// <summary>At rest, when nothing is in it: what it holds is on no disk of ours any more.</summary>
    static Task DeleteQueueAsync() =>
        AtBrokerAsync(channel => channel.QueueDeleteAsync(Queue, ifUnused: false, ifEmpty: false, cancellationToken: Token));

    static async Task<uint?> CountAsync(string queue)
    {
        uint? count = null;
        try
        {
            await AtBrokerAsync(async channel => count = (await channel.QueueDeclarePassiveAsync(queue, Token)).MessageCount);
        }
        catch (OperationInterruptedException)
        {
            // There is no such queue.
        }
        return count;
    }

    internal static async Task AtBrokerAsync(Func<IChannel, Task> work)
    {
        await using var connection =
            await new ConnectionFactory { Uri = new Uri(Stack.Connection("rabbitmq")) }.CreateConnectionAsync(Token);
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), Token);
        await work(channel);
    }

    static async Task<(int Status, string Text)> AskWalletAsync(HttpMethod method, string path)
    {
        using var http = new HttpClient { BaseAddress = Stack.Wallet };
        using var request = new HttpRequestMessage(method, $"/internal/error-queues{path}");
        var (header, signed) = Stack.Signed("operator", "wallet");
        request.Headers.Add(header, signed);
        request.Headers.Add("Accept", "text/plain");
        using var response = await http.SendAsync(request, Token);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(Token));
    }
}
