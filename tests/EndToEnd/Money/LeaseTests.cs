using System.Text.Json;
using RabbitMQ.Client;
using StackExchange.Redis;

namespace LlmGateway.EndToEnd;

/// <summary>What services say to each other about leases, and what becomes of leases that nobody needs any more.</summary>
public sealed class LeaseTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Leases_that_hold_nothing_are_forgotten_faster_than_they_can_come_and_delay_the_end_of_no_other()
    {
        var user = await Backend.App.NewUserAsync("1");
        var holder = $"gone-{Guid.NewGuid():N}";
        await InsertAsync(user, holder, "'1 hour'", granted: 5, consumed: 5, count: 30_000);
        await InsertAsync(user, holder, "'1 minute'", granted: 0, consumed: 0, count: 1);

        await Eventually.GetAsync(() => CountAsync(holder), count => count == 0, "an empty table");
    }

    [Fact]
    public async Task A_renewal_keeps_leases_of_a_frozen_wallet_alive_and_names_them()
    {
        var (frozen, other) = (await Backend.App.NewUserAsync("1"), await Backend.App.NewUserAsync("1"));
        var holder = $"test-{Guid.NewGuid():N}";
        var kept = await InsertAsync(frozen, holder, "'-1 minute'", granted: 0, consumed: 0, count: 1);
        var free = await InsertAsync(other, holder, "'-1 minute'", granted: 0, consumed: 0, count: 1);
        (await Backend.App.PostAsync($"/v1/wallets/{frozen.WalletId}/freeze", "{}")).MustBe(200);

        var renewed = (await RenewAsync(holder, [kept, free, Guid.NewGuid()])).MustBe(200).Json;

        Assert.Equal(((Guid[])[kept, free]).Order(), renewed.Items("alive").Select(lease => lease.GetGuid()).Order());
        Assert.Equal([kept], renewed.Items("frozen").Select(lease => lease.GetGuid()));
    }

    [Fact]
    public async Task More_leases_than_one_renewal_may_have_are_refused()
    {
        (await RenewAsync("test", [.. Enumerable.Range(0, 5_001).Select(_ => Guid.NewGuid())])).MustBe(400);
        (await RenewAsync("test", [.. Enumerable.Range(0, 5_000).Select(_ => Guid.NewGuid())])).MustBe(200);
    }

    /// <summary>Whichever instance of the ledger has asked: all hear the answer.</summary>
    [Fact]
    public async Task Every_proxy_answers_a_recall_where_it_was_asked()
    {
        using var redis = await ConnectionMultiplexer.ConnectAsync(Stack.Connection("redis"));
        var recall = Guid.NewGuid();
        var answers = await redis.GetSubscriber().SubscribeAsync(RedisChannel.Literal("llmgw:recall-answer"));

        await redis.GetSubscriber().PublishAsync(
            RedisChannel.Literal("llmgw:recall"),
            Stack.Redis.Seal(
                "llmgw:recall", JsonSerializer.SerializeToUtf8Bytes(new { id = recall, register = Guid.NewGuid(), except = Guid.Empty })));

        var holders = new HashSet<string>();
        while (holders.Count < Stack.Proxies.Length)
        {
            var sealedAnswer = (byte[])(await answers.ReadAsync(Token)).Message!;
            var answer = JsonDocument.Parse(Stack.Redis.Open("llmgw:recall-answer", sealedAnswer)!.Value).RootElement;
            if (answer.GetProperty("recall").GetGuid() == recall)
                holders.Add(answer.GetProperty("holder").GetString()!);
        }
    }

    /// <summary>
    /// A shortage when the ledger, or the proxy, is slow: the money lies idle at a proxy that lives, so the next request must get it. The
    /// test is that proxy.
    /// </summary>
    [Fact]
    public async Task A_proxy_that_was_too_slow_for_one_recall_is_waited_for_at_the_next()
    {
        var user = await Backend.App.NewUserAsync("1");
        var register = await WalletAsync(user);
        var (lease, holder) = (Guid.NewGuid(), $"slow-{Guid.NewGuid():N}");
        const long all = 1_000_000_000;
        var demand = new { register, minimum = all, first = all, all, wanted = all };
        (await AskLedgerAsync("/internal/leases", new { lease, fence = 1, holder, lines = new[] { demand } })).MustBe(200);
        using var redis = await ConnectionMultiplexer.ConnectAsync(Stack.Connection("redis"));
        var recalls = await redis.GetSubscriber().SubscribeAsync(RedisChannel.Literal("llmgw:recall"));
        (await user.ChatAsync("narrow", Price.Question)).MustBeProblem(429, "balance_held");
        await OfAsync(register);

        var next = user.ChatAsync("narrow", Price.Question);
        var recall = await OfAsync(register);
        (await AskLedgerAsync(
            "/internal/leases/return", new { lease, fence = 1, lines = new[] { new { register, value = all } } })).MustBe(204);
        await redis.GetSubscriber().PublishAsync(
            RedisChannel.Literal("llmgw:recall-answer"),
            Stack.Redis.Seal("llmgw:recall-answer", JsonSerializer.SerializeToUtf8Bytes(new { recall, holder })));

        (await next).MustBe(200);

        async Task<Guid> OfAsync(Guid wanted)
        {
            while (true)
            {
                var sealedRecall = (byte[])(await recalls.ReadAsync(Token)).Message!;
                var recalled = JsonDocument.Parse(Stack.Redis.Open("llmgw:recall", sealedRecall)!.Value).RootElement;
                if (recalled.GetProperty("register").GetGuid() == wanted)
                    return recalled.GetProperty("id").GetGuid();
            }
        }
    }

    /// <summary>
    /// The message that a proxy is dead may be taken before its last settlements, by another consumer or another instance. Here the proxy
    /// is not even dead, and its request ends after the message.
    /// </summary>
    [Fact]
    public async Task What_a_proxy_holds_that_is_called_dead_too_early_is_still_there_for_its_last_settlement()
    {
        const long upperBound = 100 * Price.Input + 16 * Price.Output;
        var user = await Backend.App.NewUserAsync(Gateway.Usd(upperBound));
        var (running, group) = await Barrier.StartAsync(prompt => user.ChatAsync("barrier", prompt, at: Stack.Proxy2));
        var holder = await LeaseAsync<string>(user, "holder");

        await CallDeadAsync(holder);
        await Eventually.HoldsAsync(() => LeaseAsync<bool>(user, "expires_at < now() + interval '15 seconds'"), "the message's effect");
        (await user.ChatAsync("narrow", Price.Question, at: Stack.Proxy)).MustBeProblem(429, "balance_held");
        await Sandbox.ReleaseAsync(group);

        (await running).MustBe(200);
        Assert.Equal(0, (await Books.OnlyUsageAsync(user)).Absorbed);
    }

    static async Task CallDeadAsync(string holder)
    {
        await using var connection =
            await new ConnectionFactory { Uri = new Uri(Stack.Connection("rabbitmq")) }.CreateConnectionAsync(Token);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Token);
        var message = new BasicProperties
        {
            ContentType = "application/vnd.llmgateway.settlements",
            Headers = new Dictionary<string, object?> { ["Gone-Holder"] = holder },
        };
        await channel.BasicPublishAsync("wallet-settlements", "", mandatory: true, message, ReadOnlyMemory<byte>.Empty, Token);
    }

    /// <summary>A value of the one lease that holds something of the user's wallet.</summary>
    static async Task<T> LeaseAsync<T>(User user, string value)
    {
        await using var query = Books.Wallet.CreateCommand($"""
            select {value} from lease join lease_line line on line.lease = lease.id join account on account.id = line.account
            where owner = $1 and kind = 0 and granted > 0
            """);
        query.Parameters.Add(new() { Value = user.Customer });
        return (T)(await query.ExecuteScalarAsync(Token))!;
    }

    static async Task<Guid> WalletAsync(User user)
    {
        await using var query = Books.Wallet.CreateCommand("select id from account where owner = $1 and kind = 0");
        query.Parameters.Add(new() { Value = user.Customer });
        return (Guid)(await query.ExecuteScalarAsync(Token))!;
    }

    static Task<Reply> RenewAsync(string holder, Guid[] leases) =>
        AskLedgerAsync("/internal/leases/renew", new { holder, leases, handedOver = false });

    static Task<Reply> AskLedgerAsync(string path, object question) => Gateway.SendAsync(
        "POST", path, json: JsonSerializer.Serialize(question), at: Stack.Wallet, headers: [Stack.Signed("proxy", "wallet")]);

    /// <summary>Leases on the user's wallet whose time was over so long ago; returns the last one's id.</summary>
    static async Task<Guid> InsertAsync(User user, string holder, string overSince, long granted, long consumed, int count)
    {
        await using var insert = Books.Wallet.CreateCommand($"""
            with made as (
                insert into lease (
                    id, holder, fence, return_fence, expires_at, expired, accounts, holds, uses, returns, latest_grants, unposted_uses)
                select gen_random_uuid(), $1, 1, 0, now() - interval {overSince}, false,
                    array[account.id], array[{granted} - {consumed}], array[{consumed}], array[0], array[0], array[0]
                from generate_series(1, {count}), account where owner = $2 and kind = 0 returning id, accounts),
            found as (insert into lease_account (account, lease) select unnest(accounts), id from made)
            select id from made
            """);
        insert.Parameters.Add(new() { Value = holder });
        insert.Parameters.Add(new() { Value = user.Customer });
        return (Guid)(await insert.ExecuteScalarAsync(Token))!;
    }

    static async Task<long> CountAsync(string holder)
    {
        await using var count = Books.Wallet.CreateCommand("select count(*) from lease where holder = $1");
        count.Parameters.Add(new() { Value = holder });
        return (long)(await count.ExecuteScalarAsync(Token))!;
    }
}
