namespace LlmGateway.EndToEnd;

/// <summary>Every management route with ids of somebody else, read from the routes themselves.</summary>
public sealed class OtherTenantTests
{
    static readonly Backend Owner = Backend.Managed;

    /// <summary>A body that the route takes. One that it refuses would be refused before anybody looks whose the id is.</summary>
    static readonly Dictionary<string, string> Bodies = new(StringComparer.Ordinal)
    {
        ["PATCH /v1/members/{id}"] = """{"name":"mine"}""",
        ["POST /v1/members/{id}/tokens"] = "{}",
        ["PATCH /v1/customers/{id}"] = """{"name":"mine"}""",
        ["POST /v1/customers/{id}/keys"] = """{"name":"mine"}""",
        ["POST /v1/customers/{id}/keys/{keyId}/rotate"] = "{}",
        ["PUT /v1/customers/{id}/limits"] = "[]",
        ["PUT /v1/customers/{id}/rates"] = "{}",
        ["POST /v1/customers/{id}/limits/{limitId}/raise"] = """{"amount":10,"cycles":1}""",
        ["POST /v1/customers/{id}/balances"] = """{"type":"standard","amount":1,"op":"credit"}""",
        ["PUT /v1/projects/{id}"] = """{"lowBalance":"9"}""",
        ["POST /v1/providers/{id}/test"] = "",
        ["POST /v1/wallets/{id}/credit"] = """{"amount":"1"}""",
        ["POST /v1/wallets/{id}/debit"] = """{"amount":"1"}""",
        ["POST /v1/wallets/{id}/freeze"] = "{}",
        ["POST /v1/wallets/{id}/unfreeze"] = "{}",
        ["POST /v1/wallets/{id}/refunds"] = """{"payment":"$payment"}""",
        ["POST /v1/wallets/{id}/payment-method"] = "",
        ["PUT /v1/wallets/{id}/auto-top-up"] = """{"below":"1","amount":"10","monthlyCeiling":"100"}""",
        ["POST /v1/invoices/{id}/void"] = """{"reason":"mine"}""",
        ["PATCH /v1/webhooks/{id}"] = "{}",
        ["POST /v1/webhooks/{id}/rotate-secret"] = "{}",
        ["POST /v1/webhooks/{id}/end-rotation"] = "",
        ["POST /v1/webhooks/{id}/test"] = "",
        ["POST /v1/webhooks/{id}/deliveries/{deliveryId}/retry"] = "",
        ["POST /v1/webhooks/{id}/replay"] = $$"""{"since":"{{DateTimeOffset.UtcNow.AddDays(-1):O}}"}""",
    };

    /// <summary>Named by the project that has them: the same name in another one is another thing.</summary>
    static readonly string[] Named =
        ["PUT /v1/providers/{id}", "PUT /v1/models/{id}", "PUT /v1/routes/{id}", "PUT /v1/plans/{id}"];

    static IEnumerable<string> Routes => ManagementRoutes.All.Where(route => route.Contains('{')).Except(Named);

    static readonly string[] Configuration = ["projects", "providers", "models", "routes", "plans", "query-types", "members"];

    /// <summary>The test world has the project's configuration in common with the live one.</summary>
    static bool IsOfOneWorld(string route) => !Configuration.Any(name => route.Contains($"/v1/{name}/", StringComparison.Ordinal));

    [Fact]
    public void Every_route_that_takes_a_body_has_one_here() => Assert.Equal(
        Routes.Where(route => route.Split(' ')[0] is "POST" or "PUT" or "PATCH").Order(StringComparer.Ordinal),
        Bodies.Keys.Order(StringComparer.Ordinal));

    [Fact]
    public async Task What_is_another_s_is_not_there_on_any_route_and_stays_as_it_was()
    {
        var world = await FilledAsync();
        var before = await world.ReadAsync();

        foreach (var (stranger, routes) in ((Backend, IEnumerable<string>)[])
            [(Backend.Other, Routes), (Backend.ManagedTest, Routes.Where(IsOfOneWorld))])
            foreach (var route in routes)
            {
                var body = Bodies.GetValueOrDefault(route, "").Replace("$payment", world["payment"]);
                var theirs = await ManagementRoutes.CallAsync(route, stranger.Key, world.ValueOf, body);
                Assert.True((theirs.Status, theirs.Code) == (404, "not_found"), $"{route}: {theirs}");
                var nobodys = await ManagementRoutes.CallAsync(route, stranger.Key, (_, _) => "nobodys", body);
                Assert.Equal((route, nobodys.Json.Text("message")), (route, theirs.Json.Text("message")));
            }

        Assert.Equal(before, await world.ReadAsync());
        // The owner finds all of it under the same addresses.
        foreach (var route in Routes.Where(route => route.StartsWith("GET ", StringComparison.Ordinal)))
            (await ManagementRoutes.CallAsync(route, Owner.Key, world.ValueOf)).MustBe(200);
    }

    static async Task<World> FilledAsync()
    {
        await InvoiceTests.SayAsync(Owner);
        var (world, purchase) = (await World.NewAsync(Owner), await Purchase.BeginAsync(await Owner.NewUserAsync(credit: null), "10"));
        (await purchase.PayAsync()).MustBe(200);
        await purchase.MustBecomeAsync("succeeded");
        world["payment"] = purchase.Id;
        world["/v1/invoices/"] = await Eventually.GetAsync(
            async () => (await Owner.GetAsync($"/v1/invoices?customer={purchase.User.CustomerId}")).MustBe(200).Json.Items("invoices")
                .Select(invoice => invoice.Text("id")).FirstOrDefault(),
            id => id is not null, "an invoice") ?? "";
        world["deliveryId"] = (await Owner.PostAsync($"/v1/webhooks/{world["/v1/webhooks/"]}/test", ""))
            .MustBe(202).Json.Text("deliveryId");
        var user = await Owner.NewUserAsync();
        // Whatever becomes of it, while another test has the provider.
        world["/v1/usage/requests/"] = (await user.ChatAsync("small", Price.Question))["X-Request-Id"]!;
        await Books.UsageAsync(user, 1);
        world["/v1/promotions/"] = (await Owner.PostAsync(
            "/v1/promotions", $$"""{"code":"O{{Random.Shared.Next()}}","amount":"1","maxRedemptions":1}""")).MustBe(201).Json.Text("id");
        world["/v1/members/"] = (await Owner.PostAsync(
            "/v1/members", $$"""{"email":"{{Guid.NewGuid():N}}@example.com","role":"member"}""")).MustBe(201).Json.Text("id");
        // Names that no other project has.
        var name = $"other-{Guid.NewGuid():N}";
        (await Owner.PutAsync($"/v1/providers/{name}", $$"""
            {"wire":"openai","baseUrl":"https://api.example.com/v1","queryType":"{{name}}"}
            """)).MustBe(200);
        (await Owner.PutAsync($"/v1/models/{name}", $$$"""
            {"provider":"{{{name}}}","contextTokens":9,"maxOutputTokens":9,"prices":{"input":"1","output":"1"}}
            """)).MustBe(200);
        (await Owner.PutAsync($"/v1/routes/{name}", $$"""{"path":"/{{name}}","provider":"{{name}}"}""")).MustBe(200);
        (await Owner.PutAsync($"/v1/plans/{name}", """{"name":"Mine","price":"1"}""")).MustBe(200);
        foreach (var kind in (string[])["providers", "models", "routes", "plans"])
            world[$"/v1/{kind}/"] = name;
        world["type"] = name;
        world["/v1/projects/"] = (await Owner.GetAsync("/v1/projects")).MustBe(200).Json.Items("projects").Single().Text("id");
        return world;
    }
}
