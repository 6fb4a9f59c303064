using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using StackExchange.Redis;

namespace LlmGateway.EndToEnd;

/// <summary>What somebody can do who reaches the services' ports, or can write in Redis: nothing, without the internal key.</summary>
public sealed class InternalAttackTests
{
    public static TheoryData<string, string, string, string> Routes => new()
    {
        { "wallet", "POST", "/internal/registers", "sessions" },
        { "wallet", "POST", "/internal/leases/return", "proxy" },
        { "wallet", "POST", "/internal/batch-costs", "proxy" },
        { "wallet", "POST", "/internal/reratings", "operator" },
        { "wallet", "GET", "/internal/verify", "operator" },
        { "wallet", "POST", "/internal/seal", "operator" },
        { "wallet", "POST", $"/v1/wallets/wal_{Guid.Empty:N}/credit", "proxy" },
        { "sessions", "POST", "/internal/credentials", "proxy" },
        { "sessions", "POST", "/internal/catalogue/import?source=x", "operator" },
        { "sessions", "POST", "/internal/reseal", "operator" },
        { "sessions", "POST", "/internal/members", "operator" },
        { "sessions", "POST", "/v1/sessions", "proxy" },
        { "webhooks", "POST", "/v1/webhooks", "proxy" },
        { "webhooks", "POST", "/internal/deliveries/now", "operator" },
        { "webhooks", "POST", "/internal/dead-letters/replay", "operator" },
    };

    [Theory, MemberData(nameof(Routes))]
    public async Task An_internal_port_is_of_no_use_without_a_signature_for_it(string service, string method, string path, string caller)
    {
        var other = service == "wallet" ? "sessions" : "wallet";
        foreach (var header in ((string, string)?[])
        [
            null,
            ("X-Gateway-Internal", Stack.App.InternalKey),
            Stack.Signed(caller, service, key: new('k', 43)),
            Stack.Signed(caller, other),
            ("X-Gateway-Call", Stack.Signed(caller, service).Value[..^4]),
        ])
            (await SendAsync(header)).MustBeProblem(401, "internal_only");
        foreach (var stranger in ((string[])["proxy", "sessions", "wallet", "operator", "sandbox"]).Where(name => name != caller))
            (await SendAsync(Stack.Signed(stranger, service))).MustBeProblem(403, "wrong_caller");

        Task<Reply> SendAsync((string, string)? header) => Gateway.SendAsync(
            method, path, json: method == "POST" ? "{}" : null, at: Stack.Url(service), headers: header is { } one ? [one] : []);
    }

    /// <summary>A credential's own copy, under the name of a secret that the attacker chose.</summary>
    [Fact]
    public async Task Whoever_writes_in_Redis_does_not_become_a_customer()
    {
        var user = await Backend.App.NewUserAsync();
        using var redis = await ConnectionMultiplexer.ConnectAsync(Stack.Connection("redis"));
        var copies = redis.GetDatabase();
        var known = KeyOf(user.Token);
        var copy = await Eventually.GetAsync(
            async () =>
            {
                (await user.OwnBalanceAsync()).MustBe(200);
                return (byte[]?)await copies.StringGetAsync(known);
            },
            value => value is { Length: > 0 },
            "a copy in Redis");
        var json = Stack.Redis.Open(known, copy!)!.Value.ToArray();
        Assert.Equal(user.Customer, JsonDocument.Parse(json).RootElement.GetProperty("customer").GetGuid());

        foreach (var forged in (byte[][])[json, copy!, [.. copy![..^1], 0], "null"u8.ToArray()])
        {
            var (secret, key) = Forge();
            await copies.StringSetAsync(key, forged, TimeSpan.FromSeconds(5));
            (await Gateway.SendAsync("GET", "/v1/wallet/balance", secret)).MustBeProblem(401, "invalid_api_key");
            Assert.False(await copies.KeyExistsAsync(key), "what is not ours is removed, so that it keeps out nothing");
        }
        // The same with the gateway's key: what is tried above fails for its seal, and for nothing else.
        var (own, ownKey) = Forge();
        await copies.StringSetAsync(ownKey, Stack.Redis.Seal(ownKey, json), TimeSpan.FromSeconds(5));
        (await Gateway.SendAsync("GET", "/v1/wallet/balance", own)).MustBe(200);
    }

    static (string Secret, string Key) Forge()
    {
        var secret = $"llm_gw_{Guid.NewGuid():N}";
        return (secret, KeyOf(secret));
    }

    static string KeyOf(string credential) =>
        $"llmgw:credential:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(credential)))}";
}
