using System.Text.Json;
using LlmGateway.Contracts;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>Who changed what, as the project's backend reads it.</summary>
public sealed class AuditTests
{
    /// <summary>
    /// A Sessions that another test runs beside the app's may take what is told this one, and gives it back after half a minute.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    static readonly Backend App = Backend.Managed;

    [Fact]
    public async Task Every_change_of_a_customer_is_there_with_who_made_it_and_what_it_was_before()
    {
        var user = await App.NewUserAsync(null);
        var path = $"/v1/customers/{user.CustomerId}";
        var renamed = (await App.PatchAsync(path, """{"name":"Ada","status":"suspended"}""")).MustBe(200);
        (await App.PatchAsync(path, """{"name":"Ada","status":"active"}""")).MustBe(200);
        (await App.PutAsync($"{path}/rates", """{"requestsPerMinute":5}""")).MustBe(200);
        (await App.PutAsync($"{path}/limits", """[{"id":"daily","unit":"usd","amount":"1.5","cycle":"day"}]""")).MustBe(200);
        (await App.PostAsync($"{path}/limits/daily/raise", """{"amount":"2","cycles":1}""")).MustBe(200);
        var (key, secret) = await App.NewKeyAsync(user.CustomerId);
        var rotated = (await App.PostAsync($"{path}/keys/{key}/rotate", "{}")).MustBe(200).Json.Text("key");
        (await App.DeleteAsync($"{path}/keys/{key}")).MustBe(204);
        (await App.DeleteAsync($"{path}/keys/{key}")).MustBe(204);

        var entries = await EntriesAsync($"subject={user.CustomerId}");

        Assert.Equal(
            ["key.revoked", "key.rotated", "key.created", "limit_raise.created", "limit.created", "customer.changed", "customer.changed",
                "customer.changed", "customer.created"],
            entries.Select(entry => entry.Text("action")));
        Assert.All(entries, entry => Assert.StartsWith("skey_", entry.Text("actor")));
        Assert.Single(entries.Select(entry => entry.Text("actor")).Distinct());
        var first = entries[^2];
        Assert.Equal(
            (renamed["X-Request-Id"], """{"name":null,"status":"active"}""", """{"name":"Ada","status":"suspended"}"""),
            (first.Text("requestId"), Sorted(first.GetProperty("before")), Sorted(first.GetProperty("after"))));
        Assert.Equal($"{user.CustomerId}/limits/daily", entries[4].Text("subject"));
        Assert.Equal(JsonValueKind.Null, entries[4].GetProperty("before").ValueKind);
        var all = string.Concat(entries.Select(entry => entry.GetRawText()));
        Assert.DoesNotContain(secret, all);
        Assert.DoesNotContain(rotated, all);
        Assert.Equal(secret[^4..], entries[1].GetProperty("before").Text("last4"));
    }

    [Fact]
    public async Task What_is_refused_and_what_changes_nothing_is_not_there()
    {
        var user = await App.NewUserAsync(null);
        var path = $"/v1/customers/{user.CustomerId}";

        (await App.PatchAsync(path, """{"status":"gone"}""")).MustBe(400);
        (await App.PatchAsync(path, """{"status":"active"}""")).MustBe(200);
        (await App.PutAsync($"{path}/limits", """[{"unit":"requests","amount":0,"cycle":"day"}]""")).MustBe(400);

        Assert.Equal(["customer.created"], (await EntriesAsync($"subject={user.CustomerId}")).Select(entry => entry.Text("action")));
    }

    [Fact]
    public async Task Pages_and_filters_have_every_entry_once()
    {
        var from = DateTimeOffset.UtcNow;
        var made = (await App.PostAsync("/v1/secret-keys", """{"name":"auditor","permissions":["customers:write","audit:read"]}"""))
            .MustBe(201).Json;
        var narrow = new Backend(made.Text("key"));
        for (var i = 0; i < 5; i++)
            (await narrow.PostAsync("/v1/customers", $$"""{"externalId":"audited-{{Guid.NewGuid():N}}","wallet":false}""")).MustBe(201);
        var query = $"actor={made.Text("id")}&from={from:O}".Replace("+", "%2B");

        var (found, cursor) = (new List<string>(), "");
        do
        {
            var page = (await narrow.GetAsync($"/v1/audit?{query}&limit=2{cursor}")).MustBe(200).Json;
            found.AddRange(page.Items("entries").Select(entry => entry.Text("subject")));
            cursor = page.Text("nextCursor") is { } next ? $"&cursor={next}" : "";
        }
        while (cursor.Length > 0);

        Assert.Equal((5, 5), (found.Count, found.Distinct().Count()));
        Assert.Empty(await EntriesAsync($"actor={made.Text("id")}&to={from:O}".Replace("+", "%2B")));
        (await App.GetAsync("/v1/audit?cursor=1")).MustBeProblem(400, "invalid_value", "cursor");
        (await App.GetAsync("/v1/audit?who=1")).MustBeProblem(400, "invalid_value", "who");
        (await App.GetAsync("/v1/audit?from=yesterday")).MustBeProblem(400, "invalid_value", "from");
    }

    /// <summary>The first has been committed when the second, which read the key before, gets its turn.</summary>
    [Theory]
    [InlineData("project", "secret_key")]
    [InlineData("customer", "customer_key")]
    public async Task Of_two_revocations_at_once_the_second_is_none(string holders, string keys)
    {
        var (id, path, subject, holder) = await NewKeyAsync(await App.NewUserAsync("1"), keys == "secret_key");
        await using var revoked = await OpenTransaction.BeginAsync(
            Books.Sessions,
            $"""
            with held as (update {holders} set name = name where id = $2 returning 1)
            update {keys} set revoked_at = now() where id = $1
            """,
            id, holder);

        var second = App.DeleteAsync(path);
        await Eventually.HoldsAsync(revoked.IsWaitedForAsync, "a revocation that waits");
        await revoked.CommitAsync();

        (await second).MustBe(204);
        Assert.DoesNotContain(await EntriesAsync($"subject={subject}"), entry => entry.Text("action").EndsWith(".revoked"));
    }

    /// <summary>A key of the project, or of the customer, and whose row is locked while it is revoked.</summary>
    static async Task<(Guid Id, string Path, string Subject, Guid Holder)> NewKeyAsync(User user, bool ofProject)
    {
        if (ofProject)
        {
            var made = (await App.PostAsync("/v1/secret-keys", """{"name":"twice"}""")).MustBe(201).Json.Text("id");
            return (Guid.ParseExact(made["skey_".Length..], "N"), $"/v1/secret-keys/{made}", made, await Books.ProjectAsync(user));
        }
        var (key, _) = await App.NewKeyAsync(user.CustomerId);
        return (Guid.ParseExact(key["key_".Length..], "N"), $"/v1/customers/{user.CustomerId}/keys/{key}",
            $"{user.CustomerId}/keys/{key}", user.Customer);
    }

    [Fact]
    public async Task Another_project_and_the_test_world_see_nothing_of_it()
    {
        var user = await App.NewUserAsync(null);

        foreach (var backend in (Backend[])[Backend.Other, Backend.ManagedTest])
            Assert.Empty(await EntriesAsync($"subject={user.CustomerId}", backend));
    }

    [Fact]
    public async Task What_it_has_of_a_customer_is_erased_with_the_customer()
    {
        var mark = Guid.NewGuid().ToString("N")[..12];
        var user = await App.MintAsync($"jane-{mark}");
        (await App.PatchAsync($"/v1/customers/{user.CustomerId}", $$"""{"email":"{{mark}}@example.com"}""")).MustBe(200);
        Assert.Contains(mark, (await App.GetAsync($"/v1/audit?subject={user.CustomerId}")).Text);

        (await App.DeleteAsync($"/v1/customers/{user.CustomerId}")).MustBe(204);

        var left = await EntriesAsync($"subject={user.CustomerId}");
        Assert.Equal(["customer.deleted", "customer.changed", "customer.created"], left.Select(entry => entry.Text("action")));
        Assert.All(left, entry => Assert.Equal(
            (JsonValueKind.Null, JsonValueKind.Null), (entry.GetProperty("before").ValueKind, entry.GetProperty("after").ValueKind)));
    }

    [Fact]
    public async Task Who_has_frozen_a_wallet_and_let_it_go_is_there_with_the_wallet_s_customer()
    {
        var user = await App.NewUserAsync(null);
        foreach (var verb in (string[])["freeze", "freeze", "unfreeze"])
            (await App.PostAsync($"/v1/wallets/{user.WalletId}/{verb}", "{}")).MustBe(200);

        var entries = await ToldAsync($"subject={user.CustomerId}/wallet", 2);

        Assert.Equal(["wallet.unfrozen", "wallet.frozen"], entries.Select(entry => entry.Text("action")));
        Assert.Equal(
            ("""{"frozenBy":[],"status":"active"}""", """{"frozenBy":["owner"],"status":"frozen"}"""),
            (Sorted(entries[1].GetProperty("before")), Sorted(entries[1].GetProperty("after"))));
        var own = (await EntriesAsync($"subject={user.CustomerId}")).Single(entry => entry.Text("action") == "customer.created");
        Assert.All(entries, entry => Assert.Equal(own.Text("actor"), entry.Text("actor")));
    }

    [Fact]
    public async Task An_endpoint_of_webhooks_is_there_with_where_it_led_before_and_never_with_its_secret()
    {
        var url = $"http://127.0.0.1:9/{Guid.NewGuid():N}";
        var made = (await App.PostAsync("/v1/webhooks", $$"""{"url":"{{url}}"}""")).MustBe(201).Json;
        var path = $"/v1/webhooks/{made.Text("id")}";
        (await App.PatchAsync(path, $$"""{"url":"{{url}}/mine"}""")).MustBe(200);
        (await App.PatchAsync(path, $$"""{"url":"{{url}}/mine"}""")).MustBe(200);
        var rotated = (await App.PostAsync($"{path}/rotate-secret", """{"overlapSeconds":0}""")).MustBe(200).Json;
        (await App.DeleteAsync(path)).MustBe(200);
        (await App.DeleteAsync(path)).MustBe(200);

        var entries = await ToldAsync($"subject={made.Text("id")}", 4);

        Assert.Equal(
            ["webhook.deleted", "webhook.secret_rotated", "webhook.changed", "webhook.created"],
            entries.Select(entry => entry.Text("action")));
        Assert.Equal(
            ($$"""{"url":"{{url}}"}""", $$"""{"url":"{{url}}/mine"}"""),
            (Sorted(entries[2].GetProperty("before")), Sorted(entries[2].GetProperty("after"))));
        Assert.Equal("(hidden)", entries[1].GetProperty("after").Text("secret"));
        var all = string.Concat(entries.Select(entry => entry.GetRawText()));
        Assert.DoesNotContain(made.Text("secret"), all);
        Assert.DoesNotContain(rotated.Text("secret"), all);
    }

    [Fact]
    public async Task What_other_services_tell_of_a_customer_is_erased_with_the_customer_and_comes_empty_afterwards()
    {
        var user = await App.NewUserAsync(null);
        var subject = $"{user.CustomerId}/wallet";
        (await App.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);
        await ToldAsync($"subject={subject}", 1);

        (await App.DeleteAsync($"/v1/customers/{user.CustomerId}")).MustBe(204);
        var project = (await App.GetAsync("/v1/projects")).MustBe(200).Json.Items("projects").Single().Text("id");
        await TellAsync(new(
            Ids.New(), Guid.ParseExact(project["prj_".Length..], "N"), false, user.Customer, "skey_1", "wallet.unfrozen", subject,
            """{"status":"frozen"}""", """{"status":"active"}""", null, DateTimeOffset.UtcNow));

        var left = await ToldAsync($"subject={subject}", 2);
        Assert.Equal(["wallet.unfrozen", "wallet.frozen"], left.Select(entry => entry.Text("action")));
        Assert.All(left, entry => Assert.Equal(
            (JsonValueKind.Null, JsonValueKind.Null), (entry.GetProperty("before").ValueKind, entry.GetProperty("after").ValueKind)));
    }

    [Fact]
    public async Task What_a_seed_made_says_so()
    {
        var entries = await EntriesAsync("subject=providers/sandbox&actor=seed", Backend.Other);

        Assert.EndsWith("/v1", After("provider.created").Text("baseUrl"));
        Assert.Equal("(hidden)", After("provider_key.created").Text("secret"));

        JsonElement After(string action) => Assert.Single(entries, entry => entry.Text("action") == action).GetProperty("after");
    }

    [Fact]
    public async Task An_entry_is_not_changed_or_deleted_even_in_the_database()
    {
        var user = await App.NewUserAsync(null);
        foreach (var statement in (string[])
        [
            "update audit_entry set actor = 'nobody' where customer_id = $1", "delete from audit_entry where customer_id = $1",
        ])
        {
            await using var command = Books.Sessions.CreateCommand(statement);
            command.Parameters.Add(new() { Value = user.Customer });
            Assert.Contains("audit entry", (await Assert.ThrowsAsync<Npgsql.PostgresException>(
                () => command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken))).MessageText);
        }
    }

    /// <summary>What other services tell comes a moment later.</summary>
    static Task<List<JsonElement>> ToldAsync(string query, int count) =>
        Eventually.GetAsync(() => EntriesAsync(query), found => found.Count >= count, $"{count} entries of {query}", Patience);

    /// <summary>As a service does that has decided it, and whose relay publishes it twice.</summary>
    static async Task TellAsync(Changed change)
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));
        for (var i = 0; i < 2; i++)
        {
            await using var insert = database.CreateCommand(
                "insert into outbox_message (id, type, body, created_at) values (gen_random_uuid(), $1, $2::jsonb, now())");
            insert.Parameters.Add(new() { Value = typeof(Changed).FullName! });
            insert.Parameters.Add(new() { Value = JsonSerializer.Serialize(change, ServiceDefaults.Defaults.Json) });
            await insert.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }
    }

    static async Task<List<JsonElement>> EntriesAsync(string query, Backend? of = null) =>
        [.. (await (of ?? App).GetAsync($"/v1/audit?limit=200&{query}")).MustBe(200).Json.Items("entries")];

    static string Sorted(JsonElement json) => JsonSerializer.Serialize(json.EnumerateObject()
        .OrderBy(member => member.Name, StringComparer.Ordinal).ToDictionary(member => member.Name, member => member.Value));
}
