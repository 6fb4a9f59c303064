using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.EndToEnd;

/// <summary>Members of an organization: what each role may call, and who gives what to whom.</summary>
public sealed class MemberTests
{
    static readonly TimeSpan Bound = TimeSpan.FromSeconds(1);

    static readonly Backend App = Backend.Managed;

    const string EndOwn = "DELETE /v1/members/me/tokens";

    /// <summary>What a client may call besides what is under its own customer's addresses.</summary>
    static readonly string[] OpenToClients =
    [
        "GET /v1/config", "GET /v1/invoices", "GET /v1/invoices/{id}", "GET /v1/members/me", "POST /v1/members/me/tokens", EndOwn,
    ];

    public static TheoryData<string> RolesOfProjects => [.. Roles.All.Keys.Where(role => role != Roles.Client)];

    /// <summary>With ids that nobody has and without bodies, so that nothing is done.</summary>
    [Theory, MemberData(nameof(RolesOfProjects))]
    public async Task A_role_is_let_in_by_the_routes_of_its_permissions_and_refused_by_every_other_one(string role)
    {
        var (_, member) = await NewAsync(App, role);
        foreach (var route in ManagementRoutes.All.OrderBy(route => route == EndOwn))
        {
            var reply = await ManagementRoutes.CallAsync(route, member.Key, (_, _) => "nobodys", "not JSON");
            if (Roles.PermissionsOf(role)?.Contains(Permissions.Of(route)!) ?? true)
                Assert.True(reply.Status < 500 && reply.Code is not "insufficient_permission", $"{role}, {route}: {reply}");
            else
                Assert.True((reply.Status, reply.Code) == (403, "insufficient_permission"), $"{role}, {route}: {reply}");
        }
    }

    [Fact]
    public async Task A_client_sees_its_own_customer_and_nothing_of_others_on_any_route()
    {
        var (own, other) = (await World.NewAsync(App), await World.NewAsync(App));
        var (customer, wallet, before) = (own["/v1/customers/"], own["/v1/wallets/"], await other.ReadAsync());
        var (_, client) = await NewAsync(App, "client", $",\"customerId\":\"{customer}\"");

        foreach (var route in ManagementRoutes.All.Except(OpenToClients))
        {
            var reply = await ManagementRoutes.CallAsync(route, client.Key, other.ValueOf);
            Assert.True(
                (reply.Status, reply.Code) is (403, "insufficient_permission") or (404, "not_found") or (401, "wrong_credential_kind"),
                $"{route}: {reply}");
        }

        Assert.Equal(before, await other.ReadAsync());
        foreach (var path in (string[])
        [
            $"/v1/customers/{customer}", $"/v1/customers/{customer}/keys", $"/v1/customers/{customer}/limits",
            $"/v1/customers/{customer}/balances", $"/v1/wallets/{wallet}", $"/v1/wallets/{wallet}/ledger",
            $"/v1/wallets/{wallet}/top-ups", "/v1/invoices", "/v1/config", "/v1/members/me",
        ])
            (await client.GetAsync(path)).MustBe(200);
        (await client.GetAsync($"/v1/invoices?customer={other["/v1/customers/"]}")).MustBe(404);
        (await client.PatchAsync($"/v1/customers/{customer}", """{"name":"x"}""")).MustBeProblem(403, "insufficient_permission");
        (await client.PostAsync($"/v1/customers/{customer}/keys", """{"name":"x"}""")).MustBeProblem(403, "insufficient_permission");
        (await client.PostAsync("/v1/members/me/tokens", """{"mode":"test"}""")).MustBeProblem(400, "invalid_value", "mode");
    }

    [Fact]
    public async Task A_client_is_refused_with_its_customer_and_erased_with_it()
    {
        var user = await App.NewUserAsync(null);
        var mark = Guid.NewGuid().ToString("N");
        var (id, client) = await NewAsync(App, "client", $",\"customerId\":\"{user.CustomerId}\",\"name\":\"{mark}\"");
        var path = $"/v1/customers/{user.CustomerId}";
        foreach (var proxy in Stack.Proxies)
            (await client.GetAsync(path, proxy)).MustBe(200);

        (await App.PatchAsync(path, """{"status":"suspended"}""")).MustBe(200);
        foreach (var proxy in Stack.Proxies)
            await BecomesAsync(() => client.GetAsync(path, proxy), "customer_suspended");
        (await App.DeleteAsync(path)).MustBe(204);
        foreach (var proxy in Stack.Proxies)
            await BecomesAsync(() => client.GetAsync(path, proxy), "revoked");

        (await App.GetAsync($"/v1/members/{id}")).MustBeProblem(404, "not_found");
        Assert.Empty(await Books.MentionsAsync(mark, user));
    }

    [Fact]
    public async Task Another_role_counts_and_a_removed_member_is_refused_in_every_proxy_within_a_second()
    {
        var (id, member) = await NewAsync(App, "admin");
        foreach (var proxy in Stack.Proxies)
            (await member.GetAsync("/v1/audit?limit=1", proxy)).MustBe(200);

        (await App.PatchAsync($"/v1/members/{id}", """{"role":"member"}""")).MustBe(200);
        foreach (var proxy in Stack.Proxies)
            await BecomesAsync(() => member.GetAsync("/v1/audit?limit=1", proxy), "insufficient_permission");
        (await member.GetAsync("/v1/customers?limit=1")).MustBe(200);

        (await App.DeleteAsync($"/v1/members/{id}")).MustBe(204);
        foreach (var proxy in Stack.Proxies)
            await BecomesAsync(() => member.GetAsync("/v1/customers?limit=1", proxy), "revoked");
        (await App.DeleteAsync($"/v1/members/{id}")).MustBe(204);
        (await App.GetAsync($"/v1/members/{id}")).MustBeProblem(404, "not_found");
        (await App.PatchAsync($"/v1/members/{id}", """{"role":"admin"}""")).MustBeProblem(404, "not_found");
        (await App.PostAsync($"/v1/members/{id}/tokens", "{}")).MustBeProblem(404, "not_found");
    }

    [Fact]
    public async Task Nobody_makes_changes_removes_or_calls_as_whom_he_could_not_be()
    {
        var (owner, _) = await NewAsync(App, "owner");
        var (self, admin) = await NewAsync(App, "admin");

        foreach (var role in (string[])["owner", "billing"])
            (await admin.PostAsync("/v1/members", Body(role))).MustBeProblem(403, "insufficient_permission", "role");
        (await admin.PatchAsync($"/v1/members/{self}", """{"role":"owner"}""")).MustBeProblem(403, "insufficient_permission", "role");
        (await admin.PatchAsync($"/v1/members/{owner}", """{"role":"member"}""")).MustBeProblem(403, "insufficient_permission", "role");
        (await admin.PostAsync($"/v1/members/{owner}/tokens", "{}")).MustBeProblem(403, "insufficient_permission", "role");
        (await admin.DeleteAsync($"/v1/members/{owner}/tokens")).MustBeProblem(403, "insufficient_permission", "role");
        (await admin.DeleteAsync($"/v1/members/{owner}")).MustBeProblem(403, "insufficient_permission", "role");
        Assert.Equal("owner", (await App.GetAsync($"/v1/members/{owner}")).MustBe(200).Json.Text("role"));
        var (other, _) = await NewAsync(admin, "admin");
        (await admin.DeleteAsync($"/v1/members/{other}")).MustBe(204);

        var key = (await admin.PostAsync("/v1/secret-keys", """{"name":"of an admin"}""")).MustBe(201).Json;
        Assert.DoesNotContain("payouts:write", key.Items("permissions").Select(one => one.GetString()));
        (await admin.PostAsync("/v1/secret-keys", """{"name":"x","permissions":["payouts:write"]}"""))
            .MustBeProblem(403, "insufficient_permission", "permissions");
        (await App.DeleteAsync($"/v1/secret-keys/{key.Text("id")}")).MustBe(204);

        var narrow = await KeyAsync("""["members:write","customers:read"]""");
        (await narrow.PostAsync("/v1/members", Body("read-only"))).MustBeProblem(403, "insufficient_permission", "role");
    }

    [Fact]
    public async Task A_key_that_ends_makes_nobody_who_stays_and_no_token_that_lasts_longer()
    {
        var (id, _) = await NewAsync(App, "owner");
        var end = DateTimeOffset.UtcNow.AddMinutes(10);
        var made = (await App.PostAsync("/v1/secret-keys", $$"""{"name":"ends","expiresAt":"{{end:O}}"}""")).MustBe(201).Json;
        var key = new Backend(made.Text("key"));

        (await key.PostAsync("/v1/members", Body("client", ",\"customerId\":\"x\""))).MustBeProblem(409, "key_ends");
        (await key.PatchAsync($"/v1/members/{id}", """{"role":"admin"}""")).MustBeProblem(409, "key_ends");
        var token = (await key.PostAsync($"/v1/members/{id}/tokens", """{"ttlSeconds":3600}""")).MustBe(201).Json;

        Assert.Equal(end.ToUnixTimeMilliseconds(), token.GetProperty("expiresAt").GetDateTimeOffset().ToUnixTimeMilliseconds());
        var (body, once) = ("""{"ttlSeconds":3600}""", Guid.NewGuid().ToString());
        (await App.PostAsync($"/v1/members/{id}/tokens", body, once)).MustBe(201);
        (await key.PostAsync($"/v1/members/{id}/tokens", body, once))
            .MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");
    }

    /// <summary>In a project where no other test makes members.</summary>
    [Fact]
    public async Task The_last_owner_stays_one()
    {
        var (first, owner) = await NewAsync(Backend.Exported, "owner");
        (await owner.DeleteAsync($"/v1/members/{first}")).MustBeProblem(409, "last_owner");
        (await Backend.Exported.DeleteAsync($"/v1/members/{first}")).MustBeProblem(409, "last_owner");
        (await owner.PatchAsync($"/v1/members/{first}", """{"role":"admin"}""")).MustBeProblem(409, "last_owner");

        var (second, _) = await NewAsync(Backend.Exported, "owner");
        var both = await Task.WhenAll(
            Backend.Exported.DeleteAsync($"/v1/members/{first}"), Backend.Exported.DeleteAsync($"/v1/members/{second}"));

        Assert.Equal([204, 409], both.Select(reply => reply.Status).Order());
    }

    [Fact]
    public async Task A_member_of_the_organization_is_one_of_all_its_projects_and_a_project_s_is_of_that_one()
    {
        var email = $"{Guid.NewGuid():N}@example.com";
        var named = (await OperatorAsync("managed", email)).MustBe(201).Json;
        var (owner, id) = (new Backend(named.Text("token")), named.Text("memberId"));
        var me = (await owner.GetAsync("/v1/members/me")).MustBe(200).Json;
        var projects = me.Items("projects").ToDictionary(project => project.Text("name"), project => project.Text("id"));
        Assert.Equal(["exported", "managed", "narrowed", "routed"], projects.Keys.Order());
        Assert.Equal(("Managed", projects["managed"]), (me.Text("organization"), me.Text("projectId")));
        Assert.Equal(Permissions.All, me.Items("permissions").Select(permission => permission.GetString()!));

        var moved = (await owner.PostAsync("/v1/members/me/tokens", $$"""{"projectId":"{{projects["exported"]}}"}""")).MustBe(201).Json;
        var there = (await new Backend(moved.Text("token")).GetAsync("/v1/projects")).MustBe(200).Json;
        Assert.Equal(projects["exported"], there.Items("projects").Single().Text("id"));
        var foreign = (await Backend.Other.GetAsync("/v1/projects")).MustBe(200).Json.Items("projects").Single().Text("id");
        (await owner.PostAsync("/v1/members/me/tokens", $$"""{"projectId":"{{foreign}}"}""")).MustBeProblem(404, "not_found");

        // A project's key and a project's owner are no owners of the organization, whatever they may do in the project.
        var (local, member) = await NewAsync(App, "owner");
        foreach (var caller in (Backend[])[App, member])
        {
            (await caller.GetAsync($"/v1/members/{id}")).MustBeProblem(404, "not_found");
            (await caller.PostAsync($"/v1/members/{id}/tokens", "{}")).MustBeProblem(404, "not_found");
            (await caller.DeleteAsync($"/v1/members/{id}")).MustBeProblem(404, "not_found");
            (await caller.PostAsync("/v1/members", Body("admin", $",\"projectId\":\"{projects["exported"]}\"")))
                .MustBeProblem(404, "not_found");
        }
        (await member.PostAsync("/v1/members/me/tokens", $$"""{"projectId":"{{projects["exported"]}}"}""")).MustBeProblem(404, "not_found");
        (await owner.GetAsync($"/v1/members/{local}")).MustBe(200);
        var (_, admin) = await NewAsync(owner, "admin");
        Assert.Equal(4, (await admin.GetAsync("/v1/members/me")).MustBe(200).Json.Items("projects").Count());
        Assert.Equal(
            projects["managed"],
            (await App.GetAsync($"/v1/members/{(await NewAsync(App, "admin")).Id}")).MustBe(200).Json.Text("projectId"));

        (await owner.DeleteAsync($"/v1/members/{id}")).MustBeProblem(409, "last_owner");
        Assert.Equal(id, (await OperatorAsync("narrowed", email)).MustBe(201).Json.Text("memberId"));
        (await OperatorAsync("nowhere", email)).MustBeProblem(404, "not_found");
    }

    [Fact]
    public async Task A_token_is_shown_once_of_one_world_and_ends_with_who_made_it()
    {
        var (id, member) = await NewAsync(App, "owner", terms: """{"ttlSeconds":600}""");
        Assert.StartsWith("mt_live_", member.Key);
        Assert.Empty(await Books.MentionsAsync(member.Key, await Backend.App.NewUserAsync(null)));
        var end = (await member.GetAsync("/v1/members/me")).MustBe(200).Json.GetProperty("expiresAt").GetDateTimeOffset();

        var longer = (await member.PostAsync("/v1/members/me/tokens", """{"ttlSeconds":3600}""")).MustBe(201).Json;
        Assert.Equal(end.ToUnixTimeMilliseconds(), longer.GetProperty("expiresAt").GetDateTimeOffset().ToUnixTimeMilliseconds());

        var test = new Backend((await member.PostAsync("/v1/members/me/tokens", """{"mode":"test"}""")).MustBe(201).Json.Text("token"));
        Assert.StartsWith("mt_test_", test.Key);
        (await test.PostAsync("/v1/members/me/tokens", """{"mode":"live"}""")).MustBeProblem(400, "invalid_value", "mode");
        (await test.PatchAsync($"/v1/members/{id}", """{"name":"x"}""")).MustBeProblem(403, "live_key_needed");
        (await test.PostAsync("/v1/members", Body("member"))).MustBeProblem(403, "live_key_needed");

        (await Chat.AskAsync(member.Key, "small", "x")).MustBeProblem(401, "wrong_credential_kind");
        (await member.GetAsync("/v1/wallet/balance")).MustBeProblem(401, "wrong_credential_kind");
        var ofPage = await Gateway.SendAsync("GET", "/v1/members/me", member.Key, headers: [("Origin", "https://app.example.com")]);
        Assert.Equal((403, "member_token_in_browser"), (ofPage.Status, ofPage.Code));
        (await App.GetAsync("/v1/members/me")).MustBeProblem(401, "wrong_credential_kind");
    }

    [Fact]
    public async Task A_member_s_tokens_end_together_in_every_proxy_within_a_second_and_it_has_fifty_at_most()
    {
        var (id, first) = await NewAsync(App, "member");
        var second = new Backend((await first.PostAsync("/v1/members/me/tokens", "{}")).MustBe(201).Json.Text("token"));
        foreach (var proxy in Stack.Proxies)
            foreach (var caller in (Backend[])[first, second])
                (await caller.GetAsync("/v1/members/me", proxy)).MustBe(200);

        (await second.DeleteAsync("/v1/members/me/tokens")).MustBe(204);

        foreach (var proxy in Stack.Proxies)
            foreach (var caller in (Backend[])[first, second])
                await BecomesAsync(() => caller.GetAsync("/v1/members/me", proxy), "revoked");
        for (var i = 0; i < 50; i++)
            (await App.PostAsync($"/v1/members/{id}/tokens", "{}")).MustBe(201);
        (await App.PostAsync($"/v1/members/{id}/tokens", "{}")).MustBeProblem(409, "too_many_tokens");
        (await App.DeleteAsync($"/v1/members/{id}/tokens")).MustBe(204);
        (await App.PostAsync($"/v1/members/{id}/tokens", "{}")).MustBe(201);
    }

    [Fact]
    public async Task What_a_member_changes_and_what_is_changed_of_it_is_in_the_audit_under_its_id()
    {
        var (id, member) = await NewAsync(App, "member");
        var customer = (await member.PostAsync("/v1/customers", $$"""{"externalId":"of-{{id}}","wallet":false}""")).MustBe(201).Json;
        (await App.PatchAsync($"/v1/members/{id}", """{"role":"billing"}""")).MustBe(200);
        (await App.DeleteAsync($"/v1/members/{id}")).MustBe(204);

        var of = await EntriesAsync($"subject={id}");
        Assert.Equal(
            ["member.removed", "member.changed", "member_token.created", "member.created"], of.Select(entry => entry.Text("action")));
        Assert.All(of, entry => Assert.StartsWith("skey_", entry.Text("actor")));
        Assert.Equal(
            ("member", "billing"), (of[1].GetProperty("before").Text("role"), of[1].GetProperty("after").Text("role")));
        Assert.DoesNotContain(member.Key, string.Concat(of.Select(entry => entry.GetRawText())));
        var by = Assert.Single(await EntriesAsync($"actor={id}"));
        Assert.Equal(("customer.created", customer.Text("id")), (by.Text("action"), by.Text("subject")));
    }

    [Fact]
    public async Task What_a_member_changes_in_other_services_is_in_the_audit_and_the_ledger_under_its_id()
    {
        var (id, member) = await NewAsync(App, "admin");
        var user = await App.NewUserAsync(null);
        var hook = (await member.PostAsync("/v1/webhooks", """{"url":"http://127.0.0.1:9/hook"}""")).MustBe(201).Json.Text("id");
        (await member.PostAsync($"/v1/wallets/{user.WalletId}/credit", """{"amount":"1"}""")).MustBe(200);
        (await member.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);

        var told = await Eventually.GetAsync(
            () => EntriesAsync($"actor={id}"), found => found.Count >= 2, "an entry of each service", AuditTests.Patience);
        Assert.Equal(
            [("wallet.frozen", $"{user.CustomerId}/wallet"), ("webhook.created", hook)],
            told.Select(entry => (entry.Text("action"), entry.Text("subject"))).Order());
        Assert.Equal([id], await Books.ActorsAsync(user));
        (await App.DeleteAsync($"/v1/webhooks/{hook}")).MustBe(200);
    }

    /// <summary>The answer shows a token.</summary>
    [Fact]
    public async Task A_member_does_not_get_the_answer_that_another_one_got_under_the_same_idempotency_key()
    {
        var (_, first) = await NewAsync(App, "owner");
        var (_, second) = await NewAsync(App, "owner");
        var once = Guid.NewGuid().ToString();

        var own = (await first.PostAsync("/v1/members/me/tokens", "{}", once)).MustBe(201).Json.Text("token");
        var others = (await second.PostAsync("/v1/members/me/tokens", "{}", once)).MustBe(201).Json.Text("token");

        Assert.NotEqual(own, others);
        Assert.Equal(own, (await first.PostAsync("/v1/members/me/tokens", "{}", once)).MustBe(201).Json.Text("token"));
        // Nor does a token of its own that ends earlier: what it showed would work longer.
        var brief = (await first.PostAsync("/v1/members/me/tokens", """{"ttlSeconds":60}""")).MustBe(201).Json.Text("token");
        (await new Backend(brief).PostAsync("/v1/members/me/tokens", "{}", once))
            .MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");
    }

    [Fact]
    public async Task Members_are_listed_newest_first_and_an_address_is_once_in_each_place()
    {
        var email = $"{Guid.NewGuid():N}@Example.com";
        var made = (await App.PostAsync("/v1/members", $$"""{"email":"{{email}}","role":"member","name":"Ada"}""")).MustBe(201).Json;
        Assert.Equal(email.ToLowerInvariant(), made.Text("email"));
        (await App.PostAsync("/v1/members", $$"""{"email":"{{email.ToUpperInvariant()}}","role":"admin"}"""))
            .MustBeProblem(409, "member_exists", "email");
        var user = await App.NewUserAsync(null);
        (await App.PostAsync("/v1/members", $$"""{"email":"{{email}}","role":"client","customerId":"{{user.CustomerId}}"}""")).MustBe(201);

        var page = (await App.GetAsync("/v1/members?limit=1")).MustBe(200).Json;
        var next = (await App.GetAsync($"/v1/members?limit=200&cursor={page.Text("nextCursor")}")).MustBe(200).Json;
        Assert.DoesNotContain(page.Items("members").Single().Text("id"), next.Items("members").Select(one => one.Text("id")));
        var cleared = (await App.PatchAsync($"/v1/members/{made.Text("id")}", """{"name":null}""")).MustBe(200).Json;
        Assert.Equal(JsonValueKind.Null, cleared.GetProperty("name").ValueKind);
    }

    [Fact]
    public async Task When_a_member_called_last_is_shown()
    {
        var (id, member) = await NewAsync(App, "read-only");
        Assert.Equal(JsonValueKind.Null, (await App.GetAsync($"/v1/members/{id}")).MustBe(200).Json.GetProperty("lastUsedAt").ValueKind);
        var before = DateTimeOffset.UtcNow.AddSeconds(-1);

        (await member.GetAsync("/v1/customers?limit=1")).MustBe(200);

        var shown = await Eventually.GetAsync(
            async () => (await App.GetAsync($"/v1/members/{id}")).MustBe(200).Json.GetProperty("lastUsedAt"),
            at => at.ValueKind != JsonValueKind.Null, "the last use");
        Assert.InRange(shown.GetDateTimeOffset(), before, DateTimeOffset.UtcNow.AddSeconds(1));
    }

    [Theory]
    [InlineData("""{"role":"member"}""", "missing_field", "email")]
    [InlineData("""{"email":"nobody","role":"member"}""", "invalid_value", "email")]
    [InlineData("""{"email":"a@example.com"}""", "missing_field", "role")]
    [InlineData("""{"email":"a@example.com","role":"root"}""", "invalid_value", "role")]
    [InlineData("""{"email":"a@example.com","role":"client"}""", "missing_field", "customerId")]
    [InlineData("""{"email":"a@example.com","role":"member","customerId":"cus_x"}""", "invalid_value", "customerId")]
    [InlineData("""{"email":"a@example.com","role":"client","customerId":"cus_x","projectId":"prj_x"}""", "invalid_value", "projectId")]
    [InlineData("""{"email":"a@example.com","role":"member","permissions":[]}""", "invalid_value", "permissions")]
    public async Task A_member_that_cannot_be_is_refused_by_name(string body, string code, string field) =>
        (await App.PostAsync("/v1/members", body)).MustBeProblem(400, code, field);

    [Theory]
    [InlineData("""{"ttlSeconds":59}""", "ttlSeconds")]
    [InlineData("""{"ttlSeconds":43201}""", "ttlSeconds")]
    [InlineData("""{"mode":"both"}""", "mode")]
    [InlineData("""{"role":"owner"}""", "role")]
    public async Task A_token_that_cannot_be_is_refused_by_name(string body, string field)
    {
        var (_, member) = await NewAsync(App, "read-only");

        (await member.PostAsync("/v1/members/me/tokens", body)).MustBeProblem(400, "invalid_value", field);
    }

    [Fact]
    public async Task A_client_stays_one_and_nobody_becomes_one()
    {
        var user = await App.NewUserAsync(null);
        var (client, _) = await NewAsync(App, "client", $",\"customerId\":\"{user.CustomerId}\"");
        var (member, _) = await NewAsync(App, "member");

        (await App.PatchAsync($"/v1/members/{client}", """{"role":"member"}""")).MustBeProblem(400, "invalid_value", "role");
        (await App.PatchAsync($"/v1/members/{member}", """{"role":"client"}""")).MustBeProblem(400, "invalid_value", "role");
        var foreign = await Backend.Other.NewUserAsync(null);
        (await App.PostAsync("/v1/members", Body("client", $",\"customerId\":\"{foreign.CustomerId}\""))).MustBeProblem(404, "not_found");
    }

    static string Body(string role, string more = "") => $$"""{"email":"{{Guid.NewGuid():N}}@example.com","role":"{{role}}"{{more}}}""";

    /// <summary>A member that no other test has, with a token.</summary>
    static async Task<(string Id, Backend Caller)> NewAsync(Backend of, string role, string more = "", string terms = "{}")
    {
        var id = (await of.PostAsync("/v1/members", Body(role, more))).MustBe(201).Json.Text("id");
        return (id, new Backend((await of.PostAsync($"/v1/members/{id}/tokens", terms)).MustBe(201).Json.Text("token")));
    }

    static async Task<Backend> KeyAsync(string permissions) => new(
        (await App.PostAsync("/v1/secret-keys", $$"""{"name":"narrow","permissions":{{permissions}}}""")).MustBe(201).Json.Text("key"));

    /// <summary>As who runs the gateway names an owner.</summary>
    static Task<Reply> OperatorAsync(string project, string email) => Gateway.SendAsync(
        "POST", "/internal/members", json: $$"""{"organization":"Managed","project":"{{project}}","email":"{{email}}"}""",
        at: Stack.Url("sessions"), headers: [Stack.Signed("operator", "sessions")]);

    static Task<Reply> BecomesAsync(Func<Task<Reply>> call, string code) =>
        Eventually.GetAsync(call, reply => reply.Status != 200 && reply.Code == code, code, Bound);

    static async Task<List<JsonElement>> EntriesAsync(string query) =>
        [.. (await App.GetAsync($"/v1/audit?limit=200&{query}")).MustBe(200).Json.Items("entries")];
}
