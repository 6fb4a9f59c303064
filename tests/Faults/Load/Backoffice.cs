using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace LlmGateway.Faults;

/// <summary>
/// A backend that mints, credits, makes keys, refreshes, calls and revokes while things break. Each step has an idempotency key and is
/// repeated until it is answered, so every step must have happened exactly once.
/// </summary>
sealed class Backoffice
{
    const long Credit = 50_000_000;

    /// <summary>A step that died with its process keeps its key for a minute. The tests do not wait for that.</summary>
    static readonly TimeSpan Abandoned = TimeSpan.FromSeconds(3), Patience = TimeSpan.FromSeconds(120);

    readonly ConcurrentQueue<Account> _accounts = [];
    readonly ConcurrentQueue<(Account Account, string Secret)> _revoked = [];

    public IEnumerable<Account> Accounts => _accounts;

    public async Task WorkAsync(Random random)
    {
        var name = $"office-{Guid.NewGuid():N}";
        var minted =
            (await DoAsync("POST", "/v1/sessions", $$$"""{"customer":"{{{name}}}","scope":{"maxSpend":"0.02"}}""")).MustBe(201).Json;
        var user = new User(
            Load.Backend,
            name,
            minted.Text("sessionToken"),
            minted.Text("sessionId"),
            minted.Text("endCustomerId"),
            minted.Text("walletId"));
        const string KeyWithSlots = """{"name":"faults","concurrent":100}""";
        var created = (await DoAsync("POST", $"/v1/customers/{user.CustomerId}/keys", KeyWithSlots)).MustBe(201).Json;
        const string CountedSessions =
            """[{"unit":"windows","amount":100,"cycle":"day"},{"unit":"requests","amount":1000000,"cycle":"month"}]""";
        (await DoAsync("PUT", $"/v1/customers/{user.CustomerId}/limits", CountedSessions)).MustBe(200);
        // Nothing here is paid by credits of this type: what is there was added once.
        const string CallCredits = """{"type":"office","amount":3,"op":"credit"}""";
        var balances = (await DoAsync("POST", $"/v1/customers/{user.CustomerId}/balances", CallCredits)).MustBe(200).Json;
        Assert.Equal(3, Assert.Single(balances.Items("balances")).Int("count"));
        var account = new Account(user, created.Text("key"));
        await CreditAsync(account, Credit);
        _accounts.Enqueue(account);

        await CallAsync(account, user.Token, random);
        await CallAsync(account, account.Key, random);
        var secrets = new List<string> { account.Key, user.Token };
        var key = $"/v1/customers/{user.CustomerId}/keys/{created.Text("id")}";
        secrets.Add((await DoAsync("POST", $"{key}/rotate", """{"overlapSeconds":3600}""")).MustBe(200).Json.Text("key"));
        await CallAsync(account, secrets[^1], random);
        var refresh = await DoAsync("POST", "/v1/sessions/refresh", null, user.Token);
        if (refresh.Status == 401)
            refresh.MustBeProblem(
                401,
                "expired"); // the answer was lost, and the old token's grace of ten seconds was over before the service was back
        else
        {
            secrets.Add(refresh.MustBe(200).Json.Text("sessionToken"));
            await CallAsync(account, secrets[^1], random);
        }
        (await DoAsync("DELETE", key)).MustBe(204);
        (await DoAsync("DELETE", $"/v1/sessions/{user.SessionId}")).MustBe(204);
        (await DoAsync("DELETE", $"/v1/customers/{user.CustomerId}")).MustBe(204);
        foreach (var secret in secrets)
            _revoked.Enqueue((account, secret));
    }

    public static async Task CreditAsync(Account account, long nanos)
    {
        (await DoAsync("POST", $"/v1/wallets/{account.User.WalletId}/credit", $$"""{"amount":"{{Gateway.Usd(nanos)}}"}""")).MustBe(200);
        account.Credited(nanos);
    }

    /// <summary>Revoked credentials are refused once everything runs again. Calls that are answered before are charged.</summary>
    public async Task FinishAsync()
    {
        foreach (var (account, secret) in _revoked.TakeLast(12))
            foreach (var proxy in Stack.Proxies)
                await Eventually.GetAsync(
                    () => AskAsync(account, secret, proxy),
                    fate => fate.Status == 401,
                    "the refusal of what was revoked",
                    TimeSpan.FromSeconds(6));

        static async Task<Fate> AskAsync(Account account, string secret, Uri proxy)
        {
            var fate = await Fate.OfAsync(secret, "small", 3, 20, stream: false, null, proxy);
            account.Add(fate);
            return fate;
        }
    }

    static async Task CallAsync(Account account, string credential, Random random) =>
        account.Add(
            Load.Expected(await Fate.OfAsync(
                credential,
                "small",
                random.Next(1, 9),
                random.Next(1, 21),
                random.Next(2) == 0,
                null,
                Stack.Proxies[random.Next(2)])));

    /// <summary>One step, repeated at either proxy under one key until it is answered.</summary>
    public static async Task<Reply> DoAsync(string method, string path, string? json = null, string? credential = null)
    {
        var key = Guid.NewGuid().ToString("N");
        long? inUseSince = null;
        var started = Stopwatch.GetTimestamp();
        for (var attempt = 0; ; attempt++)
        {
            var reply = await TryAsync(method, path, json, credential ?? Load.Backend.Key, key, Stack.Proxies[attempt % 2]);
            if (reply is not (null or { Status: 503 or 409 }) || Stopwatch.GetElapsedTime(started) > Patience)
                return reply ?? throw new TimeoutException(
                    string.Create(CultureInfo.InvariantCulture, $"{method} {path} was not answered within {Patience.TotalSeconds} s"));
            if (reply is { Status: 409 } && Stopwatch.GetElapsedTime(inUseSince ??= Stopwatch.GetTimestamp()) > Abandoned)
                await ForgetClaimAsync(key);
            await Task.Delay(100);
        }
    }

    static async Task<Reply?> TryAsync(string method, string path, string? json, string credential, string key, Uri at)
    {
        try
        {
            return await Gateway.SendAsync(method, path, credential, json, at, ("Idempotency-Key", key));
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return null;
        }
    }

    /// <summary>As if the minute had passed after which a claim counts as abandoned.</summary>
    static async Task ForgetClaimAsync(string key)
    {
        foreach (var database in (Npgsql.NpgsqlDataSource[])[Books.Wallet, Books.Sessions, Books.Webhooks])
        {
            await using var age = database.CreateCommand(
                "update idempotent_call set started_at = started_at - interval '61 seconds' where key = $1 and status is null");
            age.Parameters.Add(new() { Value = key });
            await age.ExecuteNonQueryAsync();
        }
    }
}
