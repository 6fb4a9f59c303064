using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.EndToEnd;

/// <summary>Secret keys that may do some things alone, or for a while.</summary>
public sealed class SecretKeyTests
{
    static readonly TimeSpan Bound = TimeSpan.FromSeconds(1);

    static readonly Backend App = Backend.Narrowed;

    [Fact]
    public async Task A_key_is_refused_by_every_route_that_needs_another_permission_and_changes_nothing()
    {
        var world = await World.NewAsync(App);
        var before = await world.ReadAsync();

        foreach (var permission in Permissions.All)
        {
            var key = (await NewKeyAsync([permission])).Secret;
            foreach (var route in ManagementRoutes.All.Where(route => Permissions.Of(route) != permission))
            {
                var reply = await ManagementRoutes.CallAsync(route, key, world.ValueOf);
                Assert.True((reply.Status, reply.Code) == (403, "insufficient_permission"), $"{permission}, {route}: {reply}");
                Assert.Contains($"'{Permissions.Of(route)}'", reply.Text, StringComparison.Ordinal);
            }
        }

        Assert.Equal(before, await world.ReadAsync());
    }

    /// <summary>With ids that nobody has and without bodies, so that nothing is done.</summary>
    [Fact]
    public async Task A_key_is_let_in_by_every_route_whose_permission_it_has()
    {
        foreach (var routes in ManagementRoutes.All.GroupBy(route => Permissions.Of(route)!))
        {
            var key = (await NewKeyAsync([routes.Key], Backend.Managed)).Secret;
            foreach (var route in routes)
            {
                var reply = await ManagementRoutes.CallAsync(route, key, (_, _) => "nobodys", "not JSON");
                Assert.True(reply.Status < 500 && reply.Code is not "insufficient_permission", $"{route}: {reply}");
            }
        }
    }

    [Fact]
    public async Task A_key_is_shown_once_and_listed_with_what_it_may_do()
    {
        var end = DateTimeOffset.UtcNow.AddHours(1);
        var reply = await App.PostAsync("/v1/secret-keys", $$"""
            {"name":"reports","permissions":["wallets:read","usage:read","wallets:read"],"expiresAt":"{{end:O}}"}
            """);

        var made = reply.MustBe(201).Json;
        var secret = made.Text("key");
        Assert.StartsWith("sk_live_", secret);
        var listed = await ListedAsync(App, made.Text("id"));
        Assert.Equal(
            ("reports", "sk_live_", secret[^4..], "usage:read wallets:read"),
            (listed.Text("name"), listed.Text("prefix"), listed.Text("last4"),
                string.Join(' ', listed.Items("permissions").Select(permission => permission.GetString()))));
        Assert.DoesNotContain(secret, (await App.GetAsync("/v1/secret-keys")).Text);
        Assert.Empty(await Books.MentionsAsync(secret, await Backend.App.NewUserAsync(null)));
    }

    [Fact]
    public async Task A_revoked_key_is_refused_by_every_proxy_within_a_second()
    {
        var (id, secret) = await NewKeyAsync(["customers:read"]);
        await UseAsync(secret);

        (await App.DeleteAsync($"/v1/secret-keys/{id}")).MustBe(204);

        foreach (var proxy in Stack.Proxies)
            (await Eventually.GetAsync(
                () => ReadAsync(secret, proxy), reply => reply.Status != 200, "the refusal", Bound)).MustBeProblem(401, "revoked");
        (await App.DeleteAsync($"/v1/secret-keys/{id}")).MustBe(204);
        Assert.DoesNotContain(id, (await App.GetAsync("/v1/secret-keys")).Text);
    }

    [Fact]
    public async Task A_key_ends_when_it_was_to_end_in_every_proxy()
    {
        var end = DateTimeOffset.UtcNow.AddSeconds(3);
        var (_, secret) = await NewKeyAsync(["customers:read"], more: $",\"expiresAt\":\"{end:O}\"");
        await UseAsync(secret);

        await Clock.ReachesAsync(end);

        foreach (var proxy in Stack.Proxies)
            (await ReadAsync(secret, proxy)).MustBeProblem(401, "expired");
    }

    [Fact]
    public async Task A_key_makes_none_that_may_do_more_or_works_longer_than_itself()
    {
        var end = DateTimeOffset.UtcNow.AddHours(1);
        var (_, maker) = await NewKeyAsync(["secret-keys:write", "customers:read"], more: $",\"expiresAt\":\"{end:O}\"");
        var narrow = new Backend(maker);

        (await narrow.PostAsync("/v1/secret-keys", """{"name":"more","permissions":["customers:read","customers:write"]}"""))
            .MustBeProblem(403, "insufficient_permission", "permissions");
        (await narrow.PostAsync("/v1/secret-keys", $$"""{"name":"longer","expiresAt":"{{end.AddSeconds(1):O}}"}"""))
            .MustBeProblem(400, "invalid_value", "expiresAt");

        var same = (await narrow.PostAsync("/v1/secret-keys", """{"name":"same"}""")).MustBe(201).Json;
        Assert.Equal(["customers:read", "secret-keys:write"], same.Items("permissions").Select(permission => permission.GetString()));
        Assert.Equal(end.ToUnixTimeMilliseconds(), same.GetProperty("expiresAt").GetDateTimeOffset().ToUnixTimeMilliseconds());
        (await narrow.PostAsync("/v1/secret-keys", """{"name":"less","permissions":[]}""")).MustBe(201);
    }

    /// <summary>Its answer shows the key.</summary>
    [Fact]
    public async Task A_narrow_key_does_not_get_the_answer_that_another_key_got_under_the_same_idempotency_key()
    {
        var (_, maker) = await NewKeyAsync(["secret-keys:write"]);
        var (body, once) = ("""{"name":"all"}""", Guid.NewGuid().ToString());
        var made = (await App.PostAsync("/v1/secret-keys", body, once)).MustBe(201).Json;

        var stolen = (await new Backend(maker).PostAsync("/v1/secret-keys", body, once))
            .MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");

        Assert.DoesNotContain(made.Text("key"), stolen.Text);
        Assert.Equal(made.Text("key"), (await App.PostAsync("/v1/secret-keys", body, once)).MustBe(201).Json.Text("key"));
    }

    /// <summary>It may do all that the other one may, and would have what it shows for longer than itself.</summary>
    [Fact]
    public async Task A_key_that_ends_does_not_get_the_key_without_an_end_that_another_one_made()
    {
        var ends = (await App.PostAsync("/v1/secret-keys", $$"""{"name":"ends","expiresAt":"{{DateTimeOffset.UtcNow.AddHours(1):O}}"}"""))
            .MustBe(201).Json.Text("key");
        var (body, once) = ("""{"name":"backend"}""", Guid.NewGuid().ToString());
        var made = (await App.PostAsync("/v1/secret-keys", body, once)).MustBe(201).Json.Text("key");

        var stolen = (await new Backend(ends).PostAsync("/v1/secret-keys", body, once))
            .MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");

        Assert.DoesNotContain(made, stolen.Text);
    }

    [Fact]
    public async Task The_test_world_makes_and_sees_and_revokes_test_keys_alone()
    {
        var live = (await NewKeyAsync([], Backend.Managed)).Id;
        var test = (await Backend.ManagedTest.PostAsync("/v1/secret-keys", """{"name":"test"}""")).MustBe(201).Json;

        Assert.StartsWith("sk_test_", test.Text("key"));
        (await Backend.ManagedTest.PostAsync("/v1/secret-keys", """{"name":"live","mode":"live"}"""))
            .MustBeProblem(400, "invalid_value", "mode");
        var seen = (await Backend.ManagedTest.GetAsync("/v1/secret-keys")).MustBe(200).Text;
        Assert.Contains(test.Text("id"), seen);
        Assert.DoesNotContain(live, seen);
        (await Backend.ManagedTest.DeleteAsync($"/v1/secret-keys/{live}")).MustBeProblem(404, "not_found");
        (await Backend.Managed.DeleteAsync($"/v1/secret-keys/{test.Text("id")}")).MustBe(204);
        await ListedAsync(Backend.Managed, live);
    }

    [Fact]
    public async Task A_key_of_a_seed_may_do_what_the_seed_says()
    {
        (await Backend.SeededNarrow.GetAsync("/v1/customers")).MustBe(200);
        (await Backend.SeededNarrow.PostAsync("/v1/customers", """{"externalId":"x"}""")).MustBeProblem(403, "insufficient_permission");
        var listed = (await App.GetAsync("/v1/secret-keys")).MustBe(200).Json.Items("keys")
            .Single(key => key.Text("name") == "of the seed");
        Assert.Equal(2099, listed.GetProperty("expiresAt").GetDateTimeOffset().Year);
    }

    [Theory]
    [InlineData("""{}""", "missing_field", "name")]
    [InlineData("""{"name":""}""", "invalid_value", "name")]
    [InlineData("""{"name":"x","permissions":["wallets"]}""", "invalid_value", "permissions[0]")]
    [InlineData("""{"name":"x","permissions":["wallets:read","wallets:*"]}""", "invalid_value", "permissions[1]")]
    [InlineData("""{"name":"x","permissions":"wallets:read"}""", "invalid_value", "permissions")]
    [InlineData("""{"name":"x","expiresAt":"2020-01-01T00:00:00Z"}""", "invalid_value", "expiresAt")]
    [InlineData("""{"name":"x","mode":"both"}""", "invalid_value", "mode")]
    [InlineData("""{"name":"x","scope":["wallets:read"]}""", "invalid_value", "scope")]
    public async Task A_key_that_cannot_be_is_refused_by_name(string body, string code, string field) =>
        (await App.PostAsync("/v1/secret-keys", body)).MustBeProblem(400, code, field);

    static async Task<(string Id, string Secret)> NewKeyAsync(IReadOnlyList<string> permissions, Backend? of = null, string more = "")
    {
        var body = $$"""{"name":"narrow","permissions":{{JsonSerializer.Serialize(permissions)}}{{more}}}""";
        var made = (await (of ?? App).PostAsync("/v1/secret-keys", body)).MustBe(201).Json;
        return (made.Text("id"), made.Text("key"));
    }

    static async Task<JsonElement> ListedAsync(Backend backend, string id) =>
        (await backend.GetAsync("/v1/secret-keys")).MustBe(200).Json.Items("keys").Single(key => key.Text("id") == id);

    static Task<Reply> ReadAsync(string secret, Uri proxy) => Gateway.SendAsync("GET", "/v1/customers?limit=1", secret, at: proxy);

    static async Task UseAsync(string secret)
    {
        foreach (var proxy in Stack.Proxies)
            (await ReadAsync(secret, proxy)).MustBe(200);
    }
}
