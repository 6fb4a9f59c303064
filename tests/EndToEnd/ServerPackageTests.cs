using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>The npm package <c>@llmgateway/server</c> 1.2.0, unchanged.</summary>
public sealed class ServerPackageTests
{
    [Fact]
    public async Task Mints_for_a_customer_named_by_a_string()
    {
        var session = await RunAsync("mint", new { customer = NewName() });

        var token = session.GetProperty("sessionToken").GetString()!;
        Assert.StartsWith("es_", token);
        Assert.StartsWith("pk_", session.GetProperty("publishableKey").GetString());
        Assert.StartsWith("wal_", session.GetProperty("walletId").GetString());
        Assert.StartsWith("cus_", session.GetProperty("endCustomerId").GetString());
        Assert.InRange(session.GetProperty("expiresAt").GetDateTimeOffset(), DateTimeOffset.UtcNow.AddSeconds(880), DateTimeOffset.UtcNow.AddSeconds(901));
        (await Gateway.SendAsync("GET", "/v1/wallet/balance", token)).MustBe(200);
    }

    [Fact]
    public async Task Mints_for_a_customer_object_with_scope_cap_and_lifetime()
    {
        var name = NewName();

        var session = await RunAsync("mint", new
        {
            customer = new { externalId = name, email = "ada@example.com", name = "Ada" },
            scope = new { models = (string[])["sandbox/small"], maxSpend = 0.00005 },
            ttlSeconds = 120,
        });

        Assert.InRange(session.GetProperty("expiresAt").GetDateTimeOffset(), DateTimeOffset.UtcNow.AddSeconds(100), DateTimeOffset.UtcNow.AddSeconds(121));
        var listed = (await Backend.App.GetAsync($"/v1/sessions?customer={name}")).MustBe(200).Json.GetProperty("sessions")[0];
        Assert.Equal((120, "0.00005", "sandbox/small"), (listed.GetProperty("ttlSeconds").GetInt32(),
            listed.GetProperty("scope").GetProperty("maxSpend").GetString(), listed.GetProperty("scope").GetProperty("models")[0].GetString()));
    }

    [Fact]
    public async Task Credits_and_retrieves_a_wallet()
    {
        var user = await Backend.App.NewUserAsync("1");

        var result = await RunAsync("credit", null, user);

        foreach (var wallet in (JsonElement[])[result.GetProperty("credited"), result.GetProperty("retrieved")])
            Assert.Equal((user.WalletId, user.CustomerId, "3.5", "USD", "active"), (Text(wallet, "id"), Text(wallet, "endCustomerId"), Text(wallet, "balance"), Text(wallet, "currency"), Text(wallet, "status")));
    }

    [Fact]
    public async Task Lists_and_retrieves_customers()
    {
        var user = await Backend.App.NewUserAsync("1");

        var result = await RunAsync("customers", null, user);

        Assert.NotEqual(0, result.GetProperty("listed").GetInt32());
        var customer = result.GetProperty("retrieved");
        Assert.Equal((user.CustomerId, user.ExternalId, "active", "0", "0"),
            (Text(customer, "id"), Text(customer, "externalId"), Text(customer, "status"), Text(customer, "lifetimeSpend"), Text(customer, "lifetimeToppedUp")));
        Assert.Equal("1", Text(customer.GetProperty("wallet"), "balance"));
        Assert.Equal("grant", Text(customer.GetProperty("recentLedger")[0], "type"));
    }

    [Fact]
    public async Task Shows_why_a_mint_failed()
    {
        var error = await RunAsync("mintFails", new { customer = NewName(), ttlSeconds = 59 });
        Assert.Equal(("LLMGatewayError", 400), (Text(error, "name"), error.GetProperty("status").GetInt32()));
        Assert.Contains("ttlSeconds", Text(error, "message"));
    }

    [Fact]
    public async Task Shows_why_a_credit_or_a_retrieval_failed()
    {
        var user = await Backend.App.NewUserAsync("1");

        var credit = await RunAsync("creditFails", null, user, amount: -1);
        Assert.Equal(400, credit.GetProperty("status").GetInt32());
        Assert.Contains("amount", Text(credit, "message"));

        var foreign = await RunAsync("retrieveFails", null, await Backend.Other.NewUserAsync());
        Assert.Equal((404, "There is no such wallet."), (foreign.GetProperty("status").GetInt32(), Text(foreign, "message")));

        var unknown = await Node.RunAsync("server.mjs", "retrieveFails", new { url = Stack.Proxy2, secretKey = "sk_live_nobody00000000000000000000000000000000000", walletId = user.WalletId });
        Assert.Equal((401, "The API key or session token is not valid."), (unknown.GetProperty("status").GetInt32(), Text(unknown, "message")));
    }

    static Task<JsonElement> RunAsync(string scenario, object? parameters, User? user = null, decimal amount = 0) => Node.RunAsync("server.mjs", scenario,
        new { url = Stack.Proxy2, secretKey = Backend.App.Key, @params = parameters, walletId = user?.WalletId, customerId = user?.CustomerId, amount });

    static string NewName() => $"user-{Guid.NewGuid():N}";

    static string Text(JsonElement json, string name) => json.GetProperty(name).GetString()!;
}
