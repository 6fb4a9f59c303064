using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>The npm package <c>@llmgateway/server</c> 1.2.0, unchanged.</summary>
public sealed class ServerPackageTests
{
    [Fact]
    public async Task Mints_for_a_customer_named_by_a_string()
    {
        var session = await RunAsync("mint", new { customer = NewName() });

        var token = session.Text("sessionToken");
        Assert.StartsWith("es_", token);
        Assert.StartsWith("pk_", session.Text("publishableKey"));
        Assert.StartsWith("wal_", session.Text("walletId"));
        Assert.StartsWith("cus_", session.Text("endCustomerId"));
        Assert.InRange(
            session.GetProperty("expiresAt").GetDateTimeOffset(),
            DateTimeOffset.UtcNow.AddSeconds(880),
            DateTimeOffset.UtcNow.AddSeconds(901));
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

        Assert.InRange(
            session.GetProperty("expiresAt").GetDateTimeOffset(),
            DateTimeOffset.UtcNow.AddSeconds(100),
            DateTimeOffset.UtcNow.AddSeconds(121));
        var listed = (await Backend.App.GetAsync($"/v1/sessions?customer={name}")).MustBe(200).Json.GetProperty("sessions")[0];
        Assert.Equal((120, "0.00005", "sandbox/small"), (listed.Int("ttlSeconds"),
            listed.GetProperty("scope").Text("maxSpend"), listed.GetProperty("scope").GetProperty("models")[0].GetString()));
    }

    [Fact]
    public async Task Credits_and_retrieves_a_wallet()
    {
        var user = await Backend.App.NewUserAsync("1");

        var result = await RunAsync("credit", null, user);

        foreach (var wallet in (JsonElement[])[result.GetProperty("credited"), result.GetProperty("retrieved")])
            Assert.Equal(
                (user.WalletId, user.CustomerId, "3.5", "USD", "active"),
                (wallet.Text("id"), wallet.Text("endCustomerId"), wallet.Text("balance"), wallet.Text("currency"), wallet.Text("status")));
    }

    [Fact]
    public async Task Lists_and_retrieves_customers()
    {
        var user = await Backend.App.NewUserAsync("1");

        var result = await RunAsync("customers", null, user);

        Assert.NotEqual(0, result.Int("listed"));
        var customer = result.GetProperty("retrieved");
        Assert.Equal((user.CustomerId, user.ExternalId, "active", "0", "0"),
            (
                customer.Text("id"),
                customer.Text("externalId"),
                customer.Text("status"),
                customer.Text("lifetimeSpend"),
                customer.Text("lifetimeToppedUp")));
        Assert.Equal("1", customer.GetProperty("wallet").Text("balance"));
        Assert.Equal("grant", customer.GetProperty("recentLedger")[0].Text("type"));
    }

    [Fact]
    public async Task Shows_why_a_mint_failed()
    {
        var error = await RunAsync("mintFails", new { customer = NewName(), ttlSeconds = 59 });
        Assert.Equal(("LLMGatewayError", 400), (error.Text("name"), error.Int("status")));
        Assert.Contains("ttlSeconds", error.Text("message"));
    }

    [Fact]
    public async Task Shows_why_a_credit_or_a_retrieval_failed()
    {
        var user = await Backend.App.NewUserAsync("1");

        var credit = await RunAsync("creditFails", null, user, amount: -1);
        Assert.Equal(400, credit.Int("status"));
        Assert.Contains("amount", credit.Text("message"));

        var foreign = await RunAsync("retrieveFails", null, await Backend.Other.NewUserAsync());
        Assert.Equal((404, "There is no such wallet."), (foreign.Int("status"), foreign.Text("message")));

        var nobody = new { url = Stack.Proxy2, secretKey = "sk_live_nobody00000000000000000000000000000000000", walletId = user.WalletId };
        var unknown = await Node.RunAsync("server.mjs", "retrieveFails", nobody);
        Assert.Equal((401, "The API key or session token is not valid."), (unknown.Int("status"), unknown.Text("message")));
    }

    [Fact]
    public async Task Registers_a_webhook_verifies_what_arrives_and_deletes_it()
    {
        await using var listener = await WebhookListener.StartAsync();
        var made = await RunAsync("webhookEndpoints", new { url = listener.Url, enabledEvents = (string[])["wallet.frozen"] });
        Assert.StartsWith("whsec_", made.Text("secret"));
        var user = await Backend.App.NewUserAsync("1");
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);
        var told = await Eventually.GetAsync(
            () => Task.FromResult(listener.All.FirstOrDefault(one => one.Customer == user.CustomerId)),
            one => one is not null, "the event");
        var (payload, signature) = (told!.Body, told.Headers["X-LLMGateway-Signature"]);

        var constructed = await RunAsync("constructEvent", new { payload, signature, secret = made.Text("secret") });

        Assert.Equal((told.Id, "wallet.frozen"), (constructed.Text("id"), constructed.Text("type")));
        Assert.Equal(user.WalletId, constructed.GetProperty("data").Text("walletId"));
        foreach (var forged in (object[])
        [
            new { payload = payload + " ", signature, secret = made.Text("secret") },
            new { payload, signature, secret = "whsec_" + new string('A', 43) + "=" },
            new { payload, signature = signature.Replace("t=1", "t=2", StringComparison.Ordinal), secret = made.Text("secret") },
        ])
            Assert.Contains("verification failed", (await RunAsync("constructEventFails", forged)).Text("message"));

        // While a secret is replaced the package reads the signature of the old one: a receiver that knows nothing of it goes on.
        var rotated = (await Backend.App.PostAsync($"/v1/webhooks/{made.Text("id")}/rotate-secret", "{}")).MustBe(200).Json;
        (await Backend.App.PostAsync($"/v1/webhooks/{made.Text("id")}/test", "{}")).MustBe(202);
        await ConstructsAsync("webhook.test", made.Text("secret"));
        (await Backend.App.PostAsync($"/v1/webhooks/{made.Text("id")}/end-rotation", "{}")).MustBe(200);
        (await Backend.App.PostAsync($"/v1/webhooks/{made.Text("id")}/test", "{}")).MustBe(202);
        await ConstructsAsync("webhook.test", rotated.Text("secret"), after: 1);

        var ended = await RunAsync("endWebhookEndpoint", new { id = made.Text("id") });
        var listed = Assert.Single(ended.Items("endpoints"), one => one.Text("id") == made.Text("id"));
        Assert.Equal((listener.Url, "active"), (listed.Text("url"), listed.Text("status")));
        Assert.NotEmpty(ended.GetProperty("deleted").Text("message"));
        Assert.DoesNotContain(ended.GetProperty("left").Items("endpoints"), one => one.Text("id") == made.Text("id"));

        async Task ConstructsAsync(string type, string secret, int after = 0)
        {
            var one = await Eventually.GetAsync(
                () => Task.FromResult(listener.All.Where(told => told.Type == type).Skip(after).FirstOrDefault()),
                one => one is not null, type);
            await RunAsync("constructEvent", new { payload = one!.Body, signature = one.Headers["X-LLMGateway-Signature"], secret });
        }
    }

    [Fact]
    public async Task Shows_why_a_webhook_was_refused()
    {
        var error = await RunAsync("webhookFails", new { url = "https://10.0.0.1/hook" });

        Assert.Equal(("LLMGatewayError", 400), (error.Text("name"), error.Int("status")));
        Assert.Contains("url", error.Text("message"));
    }

    static Task<JsonElement> RunAsync(string scenario, object? parameters, User? user = null, decimal amount = 0) =>
        Node.RunAsync("server.mjs", scenario,
            new
            {
                url = Stack.Proxy2,
                secretKey = Backend.App.Key,
                @params = parameters,
                walletId = user?.WalletId,
                customerId = user?.CustomerId,
                amount,
            });

    static string NewName() => $"user-{Guid.NewGuid():N}";
}
