namespace LlmGateway.Harness;

/// <summary>A developer's backend with the platform secret of one project of <c>test.seed.json</c>.</summary>
sealed class Backend(string key)
{
    public static readonly Backend App = new("sk_live_app0000000000000000000000000000000000000");

    /// <summary>The same project, test world.</summary>
    public static readonly Backend AppTest = new("sk_test_app0000000000000000000000000000000000000");

    /// <summary>A project of another organization.</summary>
    public static readonly Backend Other = new("sk_live_other00000000000000000000000000000000000");

    /// <summary>A project without end-user sessions.</summary>
    public static readonly Backend KeysOnly = new("sk_live_keysonly00000000000000000000000000000000");

    /// <summary>A project in test mode, with a provider that is not the sandbox.</summary>
    public static readonly Backend TestWorld = new("sk_test_testworld0000000000000000000000000000000");

    /// <summary>A project whose providers have types of call credits.</summary>
    public static readonly Backend Queries = new("sk_live_queries000000000000000000000000000000000");

    /// <summary>A project whose seed file says how much its customers may top up: twice a day, and 50 USD at first.</summary>
    public static readonly Backend Limited = new("sk_live_limited00000000000000000000000000000000");

    /// <summary>A project whose seller says other names while one class of tests runs.</summary>
    public static readonly Backend Documents = new("sk_live_documents000000000000000000000000000000");

    /// <summary>The same project, test world.</summary>
    public static readonly Backend DocumentsTest = new("sk_test_documents000000000000000000000000000000");

    /// <summary>A project whose configuration tests change.</summary>
    public static readonly Backend Managed = new("sk_live_managed00000000000000000000000000000000");

    /// <summary>The same project, test world.</summary>
    public static readonly Backend ManagedTest = new("sk_test_managed00000000000000000000000000000000");

    /// <summary>A project of which one class of tests changes all that a key can change.</summary>
    public static readonly Backend Audited = new("sk_live_audited00000000000000000000000000000000");

    /// <summary>A project that has one of everything, for exports.</summary>
    public static readonly Backend Exported = new("sk_live_exported0000000000000000000000000000000");

    /// <summary>A project whose customers and keys stay as the tests of permissions left them.</summary>
    public static readonly Backend Narrowed = new("sk_live_narrowed0000000000000000000000000000000");

    /// <summary>A key of the same project that may read customers and nothing else.</summary>
    public static readonly Backend SeededNarrow = new("sk_live_seeded000000000000000000000000000000000");

    /// <summary>A project whose routes and providers of HTTP APIs tests change.</summary>
    public static readonly Backend Routed = new("sk_live_routed000000000000000000000000000000000");

    /// <summary>The project of <c>wires.seed.json</c>: the same models from providers of every wire.</summary>
    public static readonly Backend Wires = new("sk_live_wires00000000000000000000000000000000000");

    /// <summary>The same project, test world.</summary>
    public static readonly Backend WiresTest = new("sk_test_wires00000000000000000000000000000000000");

    /// <summary>The project of <c>apis.seed.json</c>: its providers are any HTTP API.</summary>
    public static readonly Backend Apis = new("sk_live_apis000000000000000000000000000000000000");

    /// <summary>The same project, test world.</summary>
    public static readonly Backend ApisTest = new("sk_test_apis000000000000000000000000000000000000");

    public string Key => key;

    public Task<Reply> GetAsync(string path, Uri? at = null) => Gateway.SendAsync("GET", path, key, at: at);

    public Task<Reply> PostAsync(string path, string json, string? idempotencyKey = null, Uri? at = null) =>
        Gateway.SendAsync("POST", path, key, json, at, idempotencyKey is null ? [] : [("Idempotency-Key", idempotencyKey)]);

    public Task<Reply> PutAsync(string path, string json) => Gateway.SendAsync("PUT", path, key, json);

    public Task<Reply> PatchAsync(string path, string json) => Gateway.SendAsync("PATCH", path, key, json);

    public Task<Reply> DeleteAsync(string path) => Gateway.SendAsync("DELETE", path, key);

    /// <summary>A session of a customer that no other test has, with so much in its wallet.</summary>
    /// <param name="credit">USD; null leaves the wallet empty.</param>
    /// <param name="terms">More members of the request, such as <c>"scope":{…}</c>.</param>
    public async Task<User> NewUserAsync(string? credit = "1", string? terms = null)
    {
        var user = await MintAsync($"user-{Guid.NewGuid():N}", terms);
        if (credit is not null)
            await CreditAsync(user.WalletId, credit);
        return user;
    }

    public async Task<User> MintAsync(string externalId, string? terms = null)
    {
        var reply = await PostAsync("/v1/sessions", $$"""{"customer":"{{externalId}}"{{(terms is null ? "" : "," + terms)}}}""");
        var json = reply.MustBe(201).Json;
        string Text(string name) => json.GetProperty(name).GetString()!;
        return new(this, externalId, Text("sessionToken"), Text("sessionId"), Text("endCustomerId"), Text("walletId"));
    }

    public async Task CreditAsync(string wallet, string amount) =>
        (await PostAsync($"/v1/wallets/{wallet}/credit", $$"""{"amount":"{{amount}}"}""")).MustBe(200);

    /// <summary>A long-lived key of a customer.</summary>
    public async Task<(string Id, string Secret)> NewKeyAsync(string customer, string? more = null)
    {
        var reply = await PostAsync($"/v1/customers/{customer}/keys", $$"""{"name":"n8n"{{(more is null ? "" : "," + more)}}}""");
        var json = reply.MustBe(201).Json;
        return (json.Text("id"), json.Text("key"));
    }
}
