using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>Customers, their keys and the models that a credential may use.</summary>
public sealed class CustomerTests
{
    [Fact]
    public async Task A_customer_is_created_changed_found_and_deleted()
    {
        var externalId = $"client-{Guid.NewGuid():N}";
        var body = $$"""{"externalId":"{{externalId}}","email":"a@example.com","company":"100% & Co_"}""";
        var id = (await Backend.App.PostAsync("/v1/customers", body)).MustBe(201).Json.Text("id");
        (await Backend.App.PostAsync("/v1/customers", $$"""{"externalId":"{{externalId}}"}""")).MustBe(409);

        var changed =
            (await Backend.App.PatchAsync($"/v1/customers/{id}", """{"email":null,"name":"Ada","phone":"+49 30 1"}""")).MustBe(200).Json;
        Assert.Equal(
            (null, "Ada", "100% & Co_", "+49 30 1"),
            (changed.Text("email"), changed.Text("name"), changed.Text("company"), changed.Text("phone")));
        (await Backend.App.PatchAsync($"/v1/customers/{id}", """{"balance":"1000000"}""")).MustBeProblem(400, "invalid_value", "balance");
        (await Backend.App.PatchAsync($"/v1/customers/{id}", """{"status":"gone"}""")).MustBeProblem(400, "invalid_value", "status");

        Assert.Equal([id], await FoundAsync($"search={externalId[7..]}"));
        Assert.Contains(id, await FoundAsync("search=100%25+%26+Co_"));
        Assert.Empty(await FoundAsync($"search={externalId[7..]}&status=blocked"));

        (await Backend.App.DeleteAsync($"/v1/customers/{id}")).MustBe(204);
        (await Backend.App.DeleteAsync($"/v1/customers/{id}")).MustBe(204);
        Assert.Equal("deleted", (await Backend.App.GetAsync($"/v1/customers/{id}")).MustBe(200).Json.Text("status"));
        (await Backend.App.PostAsync("/v1/sessions", $$"""{"customer":"{{externalId}}"}""")).MustBeProblem(403, "customer_deleted");
    }

    /// <summary>Looks into every table of both databases, whatever is added to them.</summary>
    [Fact]
    public async Task Of_a_deleted_customer_its_money_stays_and_nothing_that_says_who_it_was()
    {
        var mark = Guid.NewGuid().ToString("N")[..12];
        var user = await Backend.App.MintAsync($"jane-{mark}");
        (await Backend.App.PatchAsync($"/v1/customers/{user.CustomerId}", $$"""
            {"email":"{{mark}}@example.com","name":"Jane {{mark}}","company":"{{mark}} Ltd","phone":"+49 {{mark}}"}
            """)).MustBe(200);
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", $$"""{"amount":"1","reason":"for {{mark}}"}""")).MustBe(200);
        (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/limits", """
            [{"unit":"windows","amount":9,"cycle":"day"}]
            """)).MustBe(200);
        var (_, key) = await Backend.App.NewKeyAsync(user.CustomerId, null);
        (await Backend.App.PostAsync($"/v1/customers/{user.CustomerId}/keys", $$"""{"name":"of {{mark}}"}""")).MustBe(201);
        var call = new KeyedCall(key, Chat.Path, Chat.Body("small", Price.Question, $"\"user\":\"{mark}\""));
        (await call.SendAsync()).MustBe(200);
        (await Gateway.SendAsync("POST", "/v1/responses", key, $$"""
            {"model":"small","input":"one two three","user":"{{mark}}"}
            """)).MustBe(200);
        await Books.UsageAsync(user, 2);
        Assert.NotEmpty(await Books.MentionsAsync(mark, user));
        var books = await Books.MoneyAsync(user);

        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}")).MustBe(204);
        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}")).MustBe(204);

        // Events leave the outbox by themselves.
        await Eventually.GetAsync(() => Books.MentionsAsync(mark, user), mentions => mentions.Count == 0, "the end of all mentions");
        Assert.Equal(books, await Books.MoneyAsync(user));
        var left = (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json;
        Assert.Equal(
            (user.CustomerId, null, null, null, null, "0.999914"),
            (left.Text("externalId"), left.Text("name"), left.Text("email"), left.Text("company"), left.Text("phone"),
                left.GetProperty("wallet").Text("balance")));
        Assert.Equal(3, (await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}/ledger")).MustBe(200).Json.Items("entries").Count());
        (await Backend.App.PostAsync("/v1/customers", $$"""{"externalId":"jane-{{mark}}"}""")).MustBe(409);
        (await Backend.App.PostAsync("/v1/sessions", $$"""{"customer":"jane-{{mark}}"}""")).MustBeProblem(403, "customer_deleted");
        await Books.MustBeRightAsync();
    }

    /// <summary>Whoever has read the customer before writes afterwards.</summary>
    [Theory]
    [InlineData("POST", "/v1/sessions", """{"customer":{"externalId":"$external","email":"$mark@example.com","name":"$mark"}}""", 403)]
    [InlineData("PATCH", "/v1/customers/$id", """{"name":"$mark"}""", 409)]
    [InlineData("PATCH", "/v1/customers/$id", """{"status":"blocked"}""", 409)]
    [InlineData("PUT", "/v1/customers/$id/rates", """{"concurrent":1}""", 409)]
    [InlineData("POST", "/v1/customers/$id/keys", """{"name":"$mark"}""", 403)]
    [InlineData("PUT", "/v1/customers/$id/limits", """[{"id":"$mark","unit":"windows","amount":9,"cycle":"day"}]""", 409)]
    [InlineData("POST", "/v1/customers/$id/limits/known/raise", """{"amount":10,"cycles":1}""", 409)]
    [InlineData("POST", "/v1/customers/$id/balances", """{"type":"$mark","amount":1,"op":"credit"}""", 409)]
    public async Task A_customer_that_is_deleted_while_it_is_changed_stays_deleted_and_unknown(
        string method, string path, string body, int status)
    {
        var mark = Guid.NewGuid().ToString("N")[..12];
        var user = await Backend.App.NewUserAsync(null);
        (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/limits", """
            [{"id":"known","unit":"requests","amount":9,"cycle":"day"}]
            """)).MustBe(200);
        string Of(string text) =>
            text.Replace("$external", user.ExternalId).Replace("$id", user.CustomerId).Replace("$mark", mark);
        await using var deletion = await OpenTransaction.BeginAsync(
            Books.Sessions, "update customer set status = 'Deleted', external_id = null where id = $1", user.Customer);

        var change = Gateway.SendAsync(method, Of(path), Backend.App.Key, Of(body));
        await Eventually.HoldsAsync(deletion.IsWaitedForAsync, "a change that waits");
        await deletion.CommitAsync();

        (await change).MustBe(status);
        Assert.Empty(await Books.MentionsAsync(mark, user));
        Assert.Equal("deleted", (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json.Text("status"));
    }

    [Fact]
    public async Task What_is_written_of_a_customer_while_it_is_being_deleted_is_erased_with_it()
    {
        var mark = Guid.NewGuid().ToString("N")[..12];
        var user = await Backend.App.NewUserAsync(null);
        await using var change = await OpenTransaction.BeginAsync(
            Books.Sessions, "update customer set email = $2, name = $2 where id = $1", user.Customer, mark);

        var deletion = Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}");
        await Eventually.HoldsAsync(change.IsWaitedForAsync, "a deletion that waits");
        await change.CommitAsync();

        (await deletion).MustBe(204);
        Assert.Empty(await Books.MentionsAsync(mark, user));
    }

    /// <summary>A backend may pass on names that its users choose.</summary>
    [Fact]
    public async Task A_customer_whose_external_id_is_anothers_id_keeps_nobody_from_being_deleted_or_made()
    {
        var (user, other) = (await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync());
        var namesake = await Backend.App.MintAsync(user.CustomerId);
        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}")).MustBe(204);
        (await Backend.App.DeleteAsync($"/v1/customers/{other.CustomerId}")).MustBe(204);

        Assert.NotEqual(user.CustomerId, namesake.CustomerId);
        Assert.NotEqual(other.CustomerId, (await Backend.App.MintAsync(other.CustomerId)).CustomerId);
        (await Backend.App.DeleteAsync($"/v1/customers/{namesake.CustomerId}")).MustBe(204);
        Assert.Equal(
            user.CustomerId, (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json.Text("externalId"));
    }

    [Fact]
    public async Task The_detail_shows_wallet_lifetime_spend_and_recent_ledger()
    {
        var user = await Backend.App.NewUserAsync("2");
        await user.ChatAsync("small", Price.Question);
        await user.BalanceAfterAsync(1);

        var customer = (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json;

        var wallet = customer.GetProperty("wallet");
        Assert.Equal(
            (user.WalletId, "1.999957", "USD", "active"),
            (wallet.Text("id"), wallet.Text("balance"), wallet.Text("currency"), wallet.Text("status")));
        Assert.Equal(("0.000043", "0"), (customer.Text("lifetimeSpend"), customer.Text("lifetimeToppedUp")));
        Assert.Equal(["usage", "grant"], customer.Items("recentLedger").Select(entry => entry.Text("type")));
    }

    [Fact]
    public async Task Pages_by_cursor_show_every_customer_once()
    {
        var mark = Guid.NewGuid().ToString("N");
        for (var i = 0; i < 5; i++)
            (await Backend.App.PostAsync("/v1/customers", $$"""{"externalId":"{{mark}}-{{i}}"}""")).MustBe(201);

        var seen = new List<string>();
        for (string? cursor = null, next = ""; next is not null; cursor = next)
        {
            var page = (await Backend.App.GetAsync($"/v1/customers?search={mark}&limit=2{(cursor is null ? "" : $"&cursor={cursor}")}"))
                .MustBe(200).Json;
            seen.AddRange(page.Items("customers").Select(customer => customer.Text("externalId")));
            next = page.Text("nextCursor");
        }

        Assert.Equal(Enumerable.Range(0, 5).Reverse().Select(i => $"{mark}-{i}"), seen);
        var byOffset = (await Backend.App.GetAsync($"/v1/customers?search={mark}&limit=2&offset=3"))
            .MustBe(200).Json
            .GetProperty("customers");
        Assert.Equal([$"{mark}-1", $"{mark}-0"], byOffset.EnumerateArray().Select(customer => customer.Text("externalId")));
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=201", "limit")]
    [InlineData("limit=ten", "limit")]
    [InlineData("offset=-1", "offset")]
    [InlineData("cursor=x", "cursor")]
    [InlineData("status=happy", "status")]
    public async Task A_bad_query_is_refused_by_name(string query, string param) =>
        (await Backend.App.GetAsync($"/v1/customers?{query}")).MustBeProblem(400, "invalid_value", param);

    [Fact]
    public async Task A_key_is_shown_once_and_listed_by_its_end()
    {
        var user = await Backend.App.NewUserAsync();

        var (id, secret) = await Backend.App.NewKeyAsync(user.CustomerId, "\"models\":[\"small\"],\"expiresAt\":\"2999-01-01T00:00:00Z\"");

        var list = (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}/keys")).MustBe(200);
        var key = Assert.Single(list.Json.Items("keys"));
        Assert.Equal((id, "n8n", "llm_gw_", secret[^4..]), (key.Text("id"), key.Text("name"), key.Text("prefix"), key.Text("last4")));
        Assert.DoesNotContain(secret, list.Text);
        (await Chat.AskAsync(secret, "small", Price.Question)).MustBe(200);
        (await Chat.AskAsync(secret, "odd", Price.Question)).MustBeProblem(403, "model_not_allowed", "model");
        (await Gateway.SendAsync("GET", "/v1/wallet/balance", secret)).MustBeProblem(401, "wrong_credential_kind");
    }

    [Fact]
    public async Task A_key_ends_when_it_said_it_would()
    {
        var user = await Backend.App.NewUserAsync();
        var end = DateTimeOffset.UtcNow.AddSeconds(2);
        var (_, key) = await Backend.App.NewKeyAsync(user.CustomerId, $"\"expiresAt\":\"{end:O}\"");
        (await Chat.AskAsync(key, "small", Price.Question)).MustBe(200);

        // The first request after the end is refused.
        await Clock.ReachesAsync(end);
        (await Chat.AskAsync(key, "small", Price.Question)).MustBeProblem(401, "expired");
    }

    [Fact]
    public async Task A_key_that_would_be_expired_from_the_start_is_refused()
    {
        var user = await Backend.App.NewUserAsync();
        var path = $"/v1/customers/{user.CustomerId}/keys";
        (await Backend.App.PostAsync(path, """{"name":"old","expiresAt":"2020-01-01T00:00:00Z"}"""))
            .MustBeProblem(400, "invalid_value", "expiresAt");
        (await Backend.App.PostAsync(path, "{}")).MustBeProblem(400, "missing_field", "name");
    }

    [Fact]
    public async Task The_model_list_shows_what_this_credential_may_call_and_nothing_else()
    {
        var user = await Backend.App.NewUserAsync("1", "\"scope\":{\"models\":[\"small\",\"sandbox/odd\",\"unpriced\"]}");

        var list = (await Gateway.SendAsync("GET", "/v1/models", user.Token)).MustBe(200).Json;

        Assert.Equal("list", list.Text("object"));
        Assert.Equal(["odd", "small"], list.Items("data").Select(model => model.Text("id")).Order());
        var one = (await Gateway.SendAsync("GET", "/v1/models/small", user.Token)).MustBe(200).Json;
        Assert.Equal(("small", "model", "sandbox"), (one.Text("id"), one.Text("object"), one.Text("owned_by")));
        (await Gateway.SendAsync("GET", "/v1/models/sandbox/small", user.Token)).MustBe(200);
        foreach (var hidden in (string[])["slow", "unpriced", "no-such-model"])
            (await Gateway.SendAsync("GET", $"/v1/models/{hidden}", user.Token)).MustBeProblem(404, "not_found");
    }

    [Fact]
    public async Task The_seed_file_s_customer_has_its_wallet_key_scope_and_rates()
    {
        const string key = "llm_gw_seeded0000000000000000000000000000000000";

        var reply = (await Chat.AskAsync(key, "small", Price.Question)).MustBe(200);

        Assert.Equal(("600", "1000000"), (reply["X-RateLimit-Limit-Requests"], reply["X-RateLimit-Limit-Tokens"]));
        (await Chat.AskAsync(key, "odd", Price.Question)).MustBeProblem(403, "model_not_allowed", "model");
        var found = (await Backend.App.GetAsync("/v1/customers?search=seeded@example.com")).MustBe(200).Json.GetProperty("customers");
        var customer = Assert.Single(found.EnumerateArray());
        Assert.Equal(("seeded", "Seeded Customer"), (customer.Text("externalId"), customer.Text("name")));
        // The credit is granted once, however often the seed is applied.
        Assert.True(Gateway.Nanos(customer.GetProperty("wallet").GetProperty("balance")) <= 12_500_000_000);
    }

    static async Task<List<string>> FoundAsync(string query) =>
        [.. (await Backend.App.GetAsync($"/v1/customers?{query}"))
            .MustBe(200).Json
            .Items("customers")
            .Select(customer => customer.Text("id"))];
}
