using System.Text.Json;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmGateway.EndToEnd;

/// <summary>What end users see of their wallets comes from Redis, and is never older than what they were told.</summary>
public sealed class HotBalanceTests : IAsyncLifetime
{
    const long Start = 1_000_000_000, Cost = Price.OfQuestion + Price.OfAnswer;

    static readonly TimeSpan Life = TimeSpan.FromSeconds(20);

    ConnectionMultiplexer _redis = null!;

    public async ValueTask InitializeAsync() => _redis = await ConnectionMultiplexer.ConnectAsync(Stack.Connection("redis"));

    public async ValueTask DisposeAsync() => await _redis.DisposeAsync();

    [Fact]
    public async Task Whoever_is_told_of_a_credit_or_debit_sees_it_in_the_next_answer_of_either_proxy()
    {
        var user = await Backend.App.NewUserAsync();
        for (var i = 1; i <= 20; i++)
        {
            await Backend.App.CreditAsync(user.WalletId, "0.5");
            foreach (var proxy in Stack.Proxies)
                Assert.Equal(Start + (i * 500_000_000L), await SeenAsync(user, proxy));
        }
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/debit", """{"amount":"10.5"}""")).MustBe(200);

        foreach (var proxy in Stack.Proxies)
            Assert.Equal(Start - 500_000_000, await SeenAsync(user, proxy));
    }

    [Fact]
    public async Task The_copy_is_what_proxies_answer_and_what_the_ledger_writes_after_a_settlement()
    {
        var user = await Backend.App.NewUserAsync();
        Assert.Equal(Start, await SeenAsync(user, Stack.Proxy));

        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await Eventually.HoldsAsync(async () => Balance(await CopyAsync(user)) == Start - Cost, "the copy of the settled balance");

        var told = (await user.OwnBalanceAsync()).MustBe(200).Json;
        Assert.Equal(Start - Cost, Gateway.Nanos(told.GetProperty("balance")));
        Assert.Equal(["usage", "grant"], told.GetProperty("recentLedger").EnumerateArray().Select(line => line.Text("type")));
        var other = (await CopyAsync(user))!;
        other["balance"] = "42";
        await KeepAsync(user, version: 1_000, other.ToJsonString());
        foreach (var proxy in Stack.Proxies)
            Assert.Equal(42_000_000_000, await SeenAsync(user, proxy));
    }

    [Fact]
    public async Task A_copy_is_not_answered_after_a_lot_in_it_has_expired()
    {
        var user = await Backend.App.NewUserAsync();
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", """{"amount":"0.5","expiresAt":"2999-01-01T00:00:00Z"}"""))
            .MustBe(200);
        await using var soon = Books.Wallet.CreateCommand("""
            update lot set expires_at = clock_timestamp() + interval '4 seconds' from account
            where account.id = lot.wallet and owner = $1 returning expires_at
            """);
        soon.Parameters.Add(new() { Value = user.Customer });
        var end = (DateTime)(await soon.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
        await _redis.GetDatabase().KeyDeleteAsync(KeyOf(user));

        await SeenAsync(user, Stack.Proxy);
        var now = DateTime.UtcNow;
        var life = await _redis.GetDatabase().KeyTimeToLiveAsync(KeyOf(user));
        Assert.NotNull(life); // there is a copy
        Assert.True(now + life < end, $"it lives for {life} from {now:O}, beyond the end at {end:O}");
        await Eventually.HoldsAsync(async () => await IsOverAsync(end), "the end of the lot");

        foreach (var proxy in Stack.Proxies)
        {
            var told = (await Gateway.SendAsync("GET", "/v1/wallet/balance", user.Token, at: proxy)).MustBe(200).Json;
            Assert.Equal(Start, Gateway.Nanos(told.GetProperty("balance")));
            Assert.Equal(["expiry", "grant", "grant"], told.GetProperty("recentLedger").EnumerateArray().Select(line => line.Text("type")));
        }
    }

    static async Task<bool> IsOverAsync(DateTime end)
    {
        await using var clock = Books.Wallet.CreateCommand("select now() >= $1");
        clock.Parameters.Add(new() { Value = end });
        return (bool)(await clock.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }

    [Theory]
    [InlineData("wiped")]
    [InlineData("not sealed")]
    [InlineData("of another wallet")]
    [InlineData("of an earlier version of the gateway")]
    public async Task Where_Redis_has_nothing_of_ours_Wallet_is_asked(string what)
    {
        var (user, rich) = (await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync("1000"));
        await SeenAsync(user, Stack.Proxy);
        await SeenAsync(rich, Stack.Proxy);
        var (copies, key) = (_redis.GetDatabase(), KeyOf(user));
        switch (what)
        {
            case "not sealed": await copies.HashSetAsync(key, [new("version", 1_000), new("value", """{"balance":"1000"}""")]); break;
            case "of another wallet": await copies.HashSetAsync(key, "value", await copies.HashGetAsync(KeyOf(rich), "value")); break;
            case "of an earlier version of the gateway": await copies.HashDeleteAsync(key, "value"); break;
            default: await copies.KeyDeleteAsync(key); break;
        }

        foreach (var proxy in Stack.Proxies)
            Assert.Equal(Start, await SeenAsync(user, proxy));
    }

    [Fact]
    public async Task Whoever_is_slower_does_not_put_an_older_copy_back()
    {
        var redis = new RedisClient(
            _redis,
            new InternalKeys([KeySetting.Read(Stack.App.InternalKey, KeySetting.InternalKey)]),
            TimeProvider.System,
            NullLogger<RedisClient>.Instance);
        var key = $"llmgw:wallet:{Guid.NewGuid():N}";

        await Task.WhenAll(Enumerable.Range(1, 200).OrderBy(version => version * 31 % 200)
            .Select(version => redis.KeepVersionAsync(key, version, Json(version), Life)));
        Assert.Equal(Json(200), (await redis.NewestAsync(key))!.Value.ToArray());

        await redis.KeepVersionAsync(key, 199, Json(199), Life);
        Assert.Equal(Json(200), (await redis.NewestAsync(key))!.Value.ToArray());
        Assert.Equal((bool[])[true, false], await redis.ExistAsync([key, key + "0"]));

        static byte[] Json(int version) => JsonSerializer.SerializeToUtf8Bytes(version);
    }

    [Fact]
    public async Task Of_many_who_pay_look_and_credit_at_once_each_sees_in_the_end_what_the_books_say()
    {
        var user = await Backend.App.NewUserAsync();

        await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
        {
            if (i % 3 == 0)
                await Backend.App.CreditAsync(user.WalletId, "0.01");
            else if (i % 3 == 1)
                (await user.ChatAsync("small", Price.Question, at: Stack.Proxies[i % 2])).MustBe(200);
            else
                await SeenAsync(user, Stack.Proxies[i % 2]);
        }));

        var books = await user.BalanceAfterAsync(20);
        Assert.Equal(Start + (20 * 10_000_000) - (20 * Cost), books);
        await Eventually.HoldsAsync(async () => await SeenAsync(user, Stack.Proxy) == books, "the balance of the books");
    }

    static async Task<long> SeenAsync(User user, Uri proxy) => Gateway.Nanos(
        (await Gateway.SendAsync("GET", "/v1/wallet/balance", user.Token, at: proxy)).MustBe(200).Json.GetProperty("balance"));

    async Task<JsonObject?> CopyAsync(User user)
    {
        var value = (byte[]?)await _redis.GetDatabase().HashGetAsync(KeyOf(user), "value");
        return value is not null && Stack.Redis.Open(KeyOf(user), value) is { } json ? JsonNode.Parse(json.Span)!.AsObject() : null;
    }

    Task KeepAsync(User user, long version, string json) => _redis.GetDatabase().HashSetAsync(
        KeyOf(user),
        [new("version", version), new("value", Stack.Redis.Seal(KeyOf(user), System.Text.Encoding.UTF8.GetBytes(json)))]);

    static long? Balance(JsonObject? copy) => copy is null ? null : Gateway.Nanos(JsonSerializer.SerializeToElement(copy["balance"]));

    static string KeyOf(User user) => $"llmgw:wallet:{Guid.ParseExact(user.WalletId["wal_".Length..], "N"):N}";
}
