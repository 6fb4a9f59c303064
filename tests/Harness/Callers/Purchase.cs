using System.Text.Json;
using Npgsql;

namespace LlmGateway.Harness;

/// <summary>A top-up that somebody has begun, and what they can do with it at Stripe.</summary>
/// <param name="Id">Ours.</param>
/// <param name="Intent">Stripe's.</param>
sealed record Purchase(User User, string Id, string Intent, Reply Reply)
{
    public const string Visa = "pm_card_visa", Declined = "pm_card_chargeDeclined", Disputed = "pm_card_createDispute",
        RefundFails = "pm_card_refundFail", Bank = "pm_usBankAccount_success";

    const string Key = "sk_test_gateway";

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public static Task<Reply> AskAsync(User user, string json, Uri? at = null) =>
        Gateway.SendAsync("POST", "/v1/wallet/top-up", user.Token, json, at);

    public static async Task<Purchase> BeginAsync(User user, string amount)
    {
        var reply = (await AskAsync(user, $$"""{"amount":"{{amount}}"}""")).MustBe(200);
        var secret = reply.Json.Text("clientSecret");
        return new(user, reply.Json.Text("id"), secret[..secret.IndexOf("_secret_", StringComparison.Ordinal)], reply);
    }

    /// <summary>A wallet that was empty and has what a top-up of that amount brings.</summary>
    public static async Task<Purchase> PaidAsync(string amount = "10", string method = Visa)
    {
        var purchase = await BeginAsync(await Backend.App.NewUserAsync(credit: null), amount);
        (await purchase.PayAsync(method)).MustBe(200);
        await purchase.MustBecomeAsync("succeeded");
        return purchase;
    }

    /// <summary>As the page does it.</summary>
    public Task<Reply> PayAsync(string method = Visa) =>
        StripeAsync("POST", $"/v1/payment_intents/{Intent}/confirm", $"payment_method={method}&return_url=https%3A%2F%2Fexample.com");

    /// <summary>As a person does it in Stripe's dashboard.</summary>
    public Task<Reply> RefundAtStripeAsync(int cents) => StripeAsync("POST", "/v1/refunds", $"payment_intent={Intent}&amount={cents}");

    public Task<Reply> RefundAsync(string more) => User.Backend.PostAsync(
        $"/v1/wallets/{User.WalletId}/refunds", $$"""{"payment":"{{Id}}"{{(more.Length > 0 ? "," : "")}}{{more}}}""");

    public async Task<JsonElement> ShownAsync() =>
        (await Gateway.SendAsync("GET", "/v1/wallet/top-ups", User.Token)).MustBe(200).Json.Items("topUps")
            .Single(one => one.Text("id") == Id);

    public Task<JsonElement> MustBecomeAsync(string status) =>
        Eventually.GetAsync(ShownAsync, shown => shown.Text("status") == status, $"the top-up's {status}");

    /// <summary>Billing has handled what Stripe has told of its beginning.</summary>
    public Task MustBeginAsync() => Eventually.HoldsAsync(
        async () => await NumberAsync(
            "billing", "select count(*) from stripe_event where type = 'payment_intent.created' and status = 'done' "
                + "and convert_from(body, 'UTF8') like '%' || $1 || '%'", Intent) == 1,
        "the event of its creation");

    public Task MustHaveAsync(string usd, TimeSpan? atMost = null) => Eventually.GetAsync(
        async () => Gateway.Usd(await User.BalanceAsync()), balance => balance == usd, $"a balance of {usd}", atMost);

    public async Task SpendAsync(string usd) =>
        (await User.Backend.PostAsync($"/v1/wallets/{User.WalletId}/debit", $$"""{"amount":"{{usd}}"}""")).MustBe(200);

    /// <summary>The wallet's entries, newest first: type and amount.</summary>
    public async Task<string[]> EntriesAsync() =>
    [
        .. (await User.Backend.GetAsync($"/v1/wallets/{User.WalletId}/ledger")).MustBe(200).Json.Items("entries")
            .Select(entry => $"{entry.Text("type")} {entry.Text("amount")}"),
    ];

    /// <summary>What the customer owes, nano-dollars; 0 or less.</summary>
    public Task<long> OwedAsync() => NumberAsync(
        "wallet", "select coalesce(sum(posted), 0)::bigint from account where kind = 108 and owner = $1", User.Customer);

    /// <summary>How many events of this payment Billing has, and has not finished.</summary>
    public Task<long> WaitingEventsAsync() => NumberAsync(
        "billing",
        "select count(*) from stripe_event where status = 'waiting' and convert_from(body, 'UTF8') like '%' || $1 || '%'",
        Intent);

    /// <summary>Whether an intent at Stripe is one of the user's.</summary>
    public static bool IsOf(JsonElement intent, User user) =>
        intent.GetProperty("metadata").TryGetProperty("llmgateway_wallet", out var wallet) && wallet.GetString() == user.WalletId;

    public static async Task<long> NumberAsync(string database, string sql, params object[] values)
    {
        await using var source = NpgsqlDataSource.Create(Stack.Connection(database));
        await using var query = source.CreateCommand(sql);
        foreach (var value in values)
            query.Parameters.Add(new() { Value = value });
        return (long)(await query.ExecuteScalarAsync(Token))!;
    }

    /// <returns>How many rows were changed.</returns>
    public static async Task<int> RunAsync(string database, string sql, params object[] values)
    {
        await using var source = NpgsqlDataSource.Create(Stack.Connection(database));
        await using var command = source.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        return await command.ExecuteNonQueryAsync(Token);
    }

    /// <summary>What a key has answered, Billing has forgotten, as after some days. The effect it knows.</summary>
    public static async Task ForgetAnswerAsync(string key) => Assert.Equal(1, await NumberAsync(
        "billing", "with forgotten as (delete from idempotent_call where key = $1 returning 1) select count(*) from forgotten", key));

    public static async Task<Reply> StripeAsync(string method, string path, string? form = null)
    {
        var request = Gateway.Request(method, $"/stripe{path}", Key, at: Stack.Sandbox);
        if (form is not null)
            request.Content = new StringContent(form, null, "application/x-www-form-urlencoded");
        return await Gateway.SendAsync(request);
    }

    /// <summary>Orders of tests to the sandbox's Stripe.</summary>
    public static async Task<Reply> OrderAsync(string path, string json = "{}", string method = "POST") => (await Gateway.SendAsync(
        method, $"/sandbox/stripe{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}key={Key}", json: json,
        at: Stack.Sandbox)).MustBe(200);

    public static async Task ReconcileAsync() => (await Gateway.SendAsync(
        "POST", "/internal/reconcile", at: Stack.Url("billing"), headers: [Stack.Signed("operator", "billing")])).MustBe(200);
}
