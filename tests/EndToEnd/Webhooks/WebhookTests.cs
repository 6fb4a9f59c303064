using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>Webhooks as a developer's backend has them, from the registration of an address to the event that arrives there.</summary>
public sealed class WebhookTests : IAsyncLifetime
{
    const string Anything = "http://127.0.0.1:9/hook";

    readonly List<string> _made = [];
    WebhookListener _listener = null!;

    public async ValueTask InitializeAsync() => _listener = await WebhookListener.StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var endpoint in _made)
            await Backend.App.DeleteAsync($"/v1/webhooks/{endpoint}");
        await _listener.DisposeAsync();
    }

    [Fact]
    public async Task What_happens_to_a_wallet_arrives_signed_and_in_its_order_at_whoever_asked_for_it()
    {
        var (_, secret) = await RegisterAsync("""["wallet.credited","wallet.frozen","wallet.refunded"]""");
        var user = await Backend.App.NewUserAsync("1.5");
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/unfreeze", "{}")).MustBe(200);
        await Backend.App.CreditAsync(user.WalletId, "2");

        var told = await Eventually.GetAsync(
            () => Task.FromResult(_listener.All.Where(one => one.Customer == user.CustomerId).ToList()),
            told => told.Count >= 3, "the arrival of three events");

        Assert.Equal(
            [("wallet.credited", 1L), ("wallet.frozen", 2L), ("wallet.credited", 4L)], told.Select(one => (one.Type, one.Sequence)));
        Assert.All(told, one => Assert.True(one.IsSignedWith(secret)));
        Assert.Equal("3.5", told[2].Event.GetProperty("data").Text("balance"));
        Assert.Equal("application/json", told[0].Headers["Content-Type"]);
    }

    [Fact]
    public async Task A_secret_is_shown_once_and_again_only_to_who_repeats_the_call_under_its_key()
    {
        var key = Guid.NewGuid().ToString();
        var json = $$"""{"url":"{{Anything}}","enabledEvents":["wallet.credited"]}""";
        var made = (await Backend.App.PostAsync("/v1/webhooks", json, key)).MustBe(201);
        _made.Add(made.Json.Text("id"));
        var again = (await Backend.App.PostAsync("/v1/webhooks", json, key, Stack.Proxy2)).MustBe(201);
        var path = $"/v1/webhooks/{made.Json.Text("id")}";

        Assert.Equal(made.Text, again.Text);
        Assert.Equal("true", again["Idempotent-Replayed"]);
        Assert.Matches("^whsec_[A-Za-z0-9+/]{43}=$", made.Json.Text("secret"));
        Assert.Contains($"\"{made.Json.Text("secret")}\"", made.Text); // as whoever copies it from a terminal has it
        Assert.StartsWith("we_", made.Json.Text("id"));
        Assert.Equal((Anything, "active"), (made.Json.Text("url"), made.Json.Text("status")));
        var shown = (await Backend.App.GetAsync(path, Stack.Proxy2)).MustBe(200);
        Assert.False(shown.Json.TryGetProperty("secret", out _));
        var listed = (await Backend.App.GetAsync("/v1/webhooks")).MustBe(200);
        var one = Assert.Single(listed.Json.Items("endpoints"), one => one.Text("id") == made.Json.Text("id"));
        // What deliveries have come to meanwhile may differ.
        Assert.All(["url", "status", "enabledEvents", "secrets"], member =>
            Assert.Equal(shown.Json.GetProperty(member).GetRawText(), one.GetProperty(member).GetRawText()));
        Assert.DoesNotContain("whsec_", listed.Text);

        using (var chunked = Gateway.Request("POST", $"{path}/rotate-secret", Backend.App.Key, """{"overlapSeconds":-5}"""))
        {
            chunked.Headers.TransferEncodingChunked = true;
            (await Gateway.SendAsync(chunked)).MustBeProblem(400, "invalid_value", "overlapSeconds");
        }
        var rotated = (await Backend.App.PostAsync($"{path}/rotate-secret", "{}", key + "r")).MustBe(200);
        Assert.Equal(rotated.Text, (await Backend.App.PostAsync($"{path}/rotate-secret", "{}", key + "r")).MustBe(200).Text);
        Assert.NotEqual(made.Json.Text("secret"), rotated.Json.Text("secret"));
        Assert.Equal(2, (await Backend.App.GetAsync(path)).MustBe(200).Json.GetProperty("secrets").GetArrayLength());
    }

    [Fact]
    public async Task A_customer_that_is_new_and_the_beginning_and_end_of_its_keys_are_told()
    {
        await RegisterAsync("""["customer.created","key.created","key.revoked"]""");
        var user = await Backend.App.NewUserAsync(credit: null);
        var key = await Backend.App.NewKeyAsync(user.CustomerId);
        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}/keys/{key.Id}")).MustBe(204);
        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}/keys/{key.Id}")).MustBe(204);

        var told = await Eventually.GetAsync(
            () => Task.FromResult(_listener.All.Where(one => one.Customer == user.CustomerId).ToList()),
            told => told.Count >= 3, "the arrival of three events");

        Assert.Equal(
            [("customer.created", 1L), ("key.created", 1L), ("key.revoked", 2L)],
            told.Select(one => (one.Type, one.Sequence)).Order());
        Assert.All(told.Where(one => one.Type != "customer.created"), one => Assert.Equal(
            key.Id, one.Event.GetProperty("data").Text("keyId")));
    }

    [Fact]
    public async Task A_test_event_goes_to_its_endpoint_alone_and_its_delivery_can_be_seen()
    {
        var (endpoint, secret) = await RegisterAsync("""["dispute.closed"]""");
        await RegisterAsync("""["dispute.closed"]""", "/second");

        var sent = (await Backend.App.PostAsync($"/v1/webhooks/{endpoint}/test", "{}")).MustBe(202).Json;
        var second = (await Backend.App.PostAsync($"/v1/webhooks/{endpoint}/test", "{}")).MustBe(202).Json;
        var told = await _listener.ToldAsync(2);

        Assert.Equal([sent.Text("eventId"), second.Text("eventId")], told.Select(one => one.Id));
        Assert.All(told, one => Assert.Equal(
            ("webhook.test", "/hook", endpoint), (one.Type, one.Path, one.Event.GetProperty("data").Text("endpointId"))));
        Assert.Equal([1, 2], told.Select(one => one.Sequence));
        Assert.All(told, one => Assert.True(one.IsSignedWith(secret)));
        var delivery = await Eventually.GetAsync(
            async () => (await Backend.App.GetAsync($"/v1/webhooks/{endpoint}/deliveries?status=delivered")).MustBe(200).Json
                .Items("deliveries").FirstOrDefault(one => one.Text("id") == sent.Text("deliveryId")),
            found => found.ValueKind == JsonValueKind.Object, "the delivery");
        Assert.Equal(
            (sent.Text("eventId"), 200), (delivery.Text("eventId"), delivery.GetProperty("attempts")[0].Int("status")));
    }

    [Fact]
    public async Task Endpoints_of_another_project_or_mode_are_not_there()
    {
        var (endpoint, _) = await RegisterAsync(null);
        (await Backend.App.PostAsync($"/v1/webhooks/{endpoint}/test", "{}")).MustBe(202);
        var delivery = (await Backend.App.GetAsync($"/v1/webhooks/{endpoint}/deliveries")).MustBe(200).Json
            .GetProperty("deliveries")[0].Text("id");
        var since = DateTimeOffset.UtcNow.AddHours(-1).ToString("o");
        (string Method, string Path, string? Json)[] calls =
        [
            ("GET", "", null), ("PATCH", "", """{"status":"disabled"}"""), ("DELETE", "", null), ("POST", "/rotate-secret", "{}"),
            ("POST", "/end-rotation", "{}"), ("POST", "/test", "{}"), ("GET", "/deliveries", null),
            ("POST", $"/deliveries/{delivery}/retry", "{}"), ("POST", "/replay", $$"""{"since":"{{since}}"}"""),
        ];
        foreach (var stranger in (Backend[])[Backend.Other, Backend.AppTest])
        {
            foreach (var (method, path, json) in calls)
                (await Gateway.SendAsync(method, $"/v1/webhooks/{endpoint}{path}", stranger.Key, json)).MustBeProblem(404, "not_found");
            Assert.DoesNotContain(endpoint, (await stranger.GetAsync("/v1/webhooks")).MustBe(200).Text);
        }
        foreach (var nobodys in (string[])["we_x", $"we_{Guid.Empty:N}", "x"])
            foreach (var (method, path, json) in calls)
                (await Gateway.SendAsync(method, $"/v1/webhooks/{nobodys}{path}", Backend.App.Key, json)).MustBeProblem(404, "not_found");
        (await Backend.App.PostAsync($"/v1/webhooks/{endpoint}/deliveries/del_{Guid.Empty:N}/retry", "{}")).MustBeProblem(404, "not_found");
        var own = (await Backend.App.GetAsync($"/v1/webhooks/{endpoint}")).MustBe(200).Json;
        Assert.Equal(("active", 1), (own.Text("status"), own.GetProperty("secrets").GetArrayLength()));
    }

    [Fact]
    public async Task Only_a_backend_may_register_and_a_deleted_endpoint_is_gone()
    {
        var user = await Backend.App.NewUserAsync();
        foreach (var token in (string[])[user.Token, (await Backend.App.NewKeyAsync(user.CustomerId)).Secret])
            (await Gateway.SendAsync("POST", "/v1/webhooks", token, $$"""{"url":"{{Anything}}"}"""))
                .MustBeProblem(401, "wrong_credential_kind");
        var (endpoint, _) = await RegisterAsync(null);

        var deleted = (await Backend.App.DeleteAsync($"/v1/webhooks/{endpoint}")).MustBe(200);

        Assert.NotEmpty(deleted.Json.Text("message"));
        // Whose answer was lost asks again, and is not told that it had never been there.
        Assert.Equal(deleted.Text, (await Backend.App.DeleteAsync($"/v1/webhooks/{endpoint}")).MustBe(200).Text);
        (await Backend.App.GetAsync($"/v1/webhooks/{endpoint}")).MustBeProblem(404, "not_found");
    }

    public static TheoryData<string, string> BadUrls => new()
    {
        { "", "url" },
        { "hooks.example.com", "url" },
        { "//hooks.example.com/x", "url" },
        { "ftp://hooks.example.com/", "url" },
        { "http://hooks.example.com/", "url" },
        { "https://user@hooks.example.com/", "url" },
        { "https://user:secret@hooks.example.com/", "url" },
        { "https://@hooks.example.com/", "url" },
        { "https://hooks.example.com/#part", "url" },
        { "https://hooks.example.com/#", "url" },
        { "https://hooks.example.com:22/", "url" },
        { "https://hooks.example.com:0/", "url" },
        { "https://localhost./", "url" },
        { "https://10.0.0.1/", "url" },
        { "https://8.8.8.8/", "url" },
        { "https://[::ffff:127.0.0.1]/", "url" },
        { "https://metadata.google.internal/", "url" },
        { "https://hooks/", "url" },
        { "https://hooks.example.com/" + new string('x', 2050), "url" },
        { "https://hooks.example.com\\@10.0.0.1/", "url" },
    };

    [Theory, MemberData(nameof(BadUrls))]
    public async Task An_address_that_may_not_be_called_is_refused_by_its_field_and_nothing_is_made(string url, string field)
    {
        var (endpoint, _) = await RegisterAsync(null);
        var json = JsonSerializer.Serialize(new { url });

        (await Backend.App.PostAsync("/v1/webhooks", json)).MustBeProblem(400, "invalid_value", field);
        (await Backend.App.PatchAsync($"/v1/webhooks/{endpoint}", json)).MustBeProblem(400, "invalid_value", field);

        var endpoints = (await Backend.App.GetAsync("/v1/webhooks")).MustBe(200).Json.Items("endpoints");
        Assert.DoesNotContain(endpoints, one => one.Text("url") == url);
    }

    [Theory]
    [InlineData("POST", "", """{}""", "missing_field", "url")]
    [InlineData("POST", "", """{"url":"http://127.0.0.1/","events":[]}""", "invalid_value", "events")]
    [InlineData("POST", "", """{"url":"http://127.0.0.1/","enabledEvents":[]}""", "invalid_value", "enabledEvents")]
    [InlineData(
        "POST", "", """{"url":"http://127.0.0.1/","enabledEvents":["key.created","wallet.x"]}""", "invalid_value", "enabledEvents[1]")]
    [InlineData("PATCH", "/ID", """{"enabledEvents":["margin.accrued"]}""", "invalid_value", "enabledEvents[0]")]
    [InlineData("GET", "/ID/deliveries?state=failed", null, "invalid_value", "state")]
    [InlineData("PATCH", "/ID", """{"enabledEvents":["Wallet.Credited"]}""", "invalid_value", "enabledEvents[0]")]
    [InlineData("PATCH", "/ID", """{"enabledEvents":"wallet.credited"}""", "invalid_value", "enabledEvents")]
    [InlineData("PATCH", "/ID", """{"status":"deleted"}""", "invalid_value", "status")]
    [InlineData("PATCH", "/ID", """{"secret":"x"}""", "invalid_value", "secret")]
    [InlineData("POST", "/ID/rotate-secret", """{"overlapSeconds":-1}""", "invalid_value", "overlapSeconds")]
    [InlineData("POST", "/ID/rotate-secret", """{"overlapSeconds":604801}""", "invalid_value", "overlapSeconds")]
    [InlineData("POST", "/ID/replay", """{}""", "missing_field", "since")]
    [InlineData("POST", "/ID/replay", """{"since":"2024-11-01T00:00:00Z"}""", "invalid_value", "since")]
    [InlineData("POST", "/ID/replay", """{"since":"2124-11-01T00:00:00Z"}""", "invalid_value", "since")]
    [InlineData("POST", "/ID/replay", """{"since":"yesterday"}""", "invalid_value", "since")]
    [InlineData("GET", "/ID/deliveries?limit=101", null, "invalid_value", "limit")]
    [InlineData("GET", "/ID/deliveries?cursor=x", null, "invalid_value", "cursor")]
    [InlineData("GET", "/ID/deliveries?status=lost", null, "invalid_value", "status")]
    public async Task What_cannot_be_meant_is_refused_by_its_field(string method, string path, string? json, string code, string field)
    {
        var (endpoint, _) = await RegisterAsync(null);

        var reply = await Gateway.SendAsync(
            method, $"/v1/webhooks{path.Replace("ID", endpoint, StringComparison.Ordinal)}", Backend.App.Key, json);

        reply.MustBeProblem(400, code, field);
        Assert.Equal(1, (await Backend.App.GetAsync($"/v1/webhooks/{endpoint}")).MustBe(200).Json.GetProperty("secrets").GetArrayLength());
    }

    async Task<(string Id, string Secret)> RegisterAsync(string? events, string path = "")
    {
        var json = $$"""{"url":"{{_listener.Url}}{{path}}","enabledEvents":{{events ?? "null"}}}""";
        var made = (await Backend.App.PostAsync("/v1/webhooks", json)).MustBe(201).Json;
        _made.Add(made.Text("id"));
        return (made.Text("id"), made.Text("secret"));
    }
}
