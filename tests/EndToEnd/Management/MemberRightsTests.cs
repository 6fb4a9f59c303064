using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>What members may do and what is known of them at the very moment when something else ends it.</summary>
public sealed class MemberRightsTests
{
    static readonly Backend App = Backend.Managed;

    /// <summary>As a call that the edge has let in a moment before, or that waited while the tokens were ended.</summary>
    [Fact]
    public async Task A_token_that_was_ended_gives_nobody_anything_any_more_also_in_a_call_that_was_let_in_before()
    {
        var id = await NewAsync("owner");
        var made = (await App.PostAsync($"/v1/members/{id}/tokens", "{}")).MustBe(201).Json;
        var caller = await PrincipalAsync(made);
        (await LetInAsync("GET", $"/v1/members/{id}", null, caller)).MustBe(200);
        (await LetInAsync("POST", "/v1/members/me/tokens", "{}", caller)).MustBe(201);

        (await App.DeleteAsync($"/v1/members/{id}/tokens")).MustBe(204);

        foreach (var (method, path, body) in ((string, string, string)[])
        [
            ("POST", "/v1/members/me/tokens", "{}"), ("POST", $"/v1/members/{id}/tokens", "{}"),
            ("POST", "/v1/members", $$"""{"email":"{{Guid.NewGuid():N}}@example.com","role":"owner"}"""),
            ("POST", "/v1/secret-keys", """{"name":"of a stolen token"}"""), ("PATCH", $"/v1/members/{id}", """{"name":"x"}"""),
        ])
            (await LetInAsync(method, path, body, caller)).MustBeProblem(401, "revoked");
        // One that is good does not speak for the one that was ended.
        (await App.PostAsync($"/v1/members/{id}/tokens", "{}")).MustBe(201);
        (await LetInAsync("POST", "/v1/members/me/tokens", "{}", caller)).MustBeProblem(401, "revoked");
        (await LetInAsync("POST", "/v1/members/me/tokens", "{}", caller with { MemberToken = null })).MustBeProblem(401, "revoked");
    }

    /// <summary>Members of a live project are live persons.</summary>
    [Fact]
    public async Task A_test_key_of_a_live_project_does_not_see_who_its_members_and_its_customers_clients_are()
    {
        var (mark, user) = (Guid.NewGuid().ToString("N"), await App.NewUserAsync(null));
        string[] ids =
        [
            await NewAsync("member", $",\"name\":\"{mark}\""),
            await NewAsync("client", $",\"name\":\"{mark}\",\"customerId\":\"{user.CustomerId}\""),
        ];
        var member = (await App.PostAsync($"/v1/members/{ids[0]}/tokens", """{"mode":"test"}""")).MustBe(201).Json.Text("token");

        foreach (var caller in (Backend[])[Backend.ManagedTest, new Backend(member)])
        {
            (await caller.GetAsync("/v1/members")).MustBeProblem(403, "live_key_needed");
            foreach (var id in ids)
                (await caller.GetAsync($"/v1/members/{id}")).MustBeProblem(403, "live_key_needed");
        }
        foreach (var id in ids)
        {
            Assert.DoesNotContain(mark, (await Backend.ManagedTest.GetAsync($"/v1/audit?subject={id}")).MustBe(200).Text);
            Assert.Contains(mark, (await App.GetAsync($"/v1/audit?subject={id}")).MustBe(200).Text);
        }

        // All of a test project is of its world.
        var own = (await Backend.TestWorld.PostAsync(
            "/v1/members", $$"""{"email":"{{mark}}@example.com","role":"member"}""")).MustBe(201).Json.Text("id");
        (await Backend.TestWorld.GetAsync($"/v1/members/{own}")).MustBe(200);
        Assert.Contains(mark, (await Backend.TestWorld.GetAsync($"/v1/audit?subject={own}")).MustBe(200).Text);
        (await Backend.TestWorld.DeleteAsync($"/v1/members/{own}")).MustBe(204);
    }

    /// <summary>As a deletion that has erased the client and is not committed yet.</summary>
    [Theory]
    [InlineData("DELETE", 204)]
    [InlineData("PATCH", 404)]
    public async Task What_is_changed_of_a_client_while_its_customer_is_deleted_keeps_nothing_of_who_it_was(string method, int status)
    {
        var (mark, user) = (Guid.NewGuid().ToString("N"), await App.NewUserAsync(null));
        var id = await NewAsync("client", $",\"name\":\"{mark}\",\"customerId\":\"{user.CustomerId}\"");
        await using var deletion = await OpenTransaction.BeginAsync(
            Books.Sessions,
            """
            with held as (update customer set status = status where id = $1 returning 1),
                erased as (update audit_entry set before = null, after = null where customer_id = $1 returning 1)
            update member set removed_at = now(), email = null, name = null where customer_id = $1
            """,
            user.Customer);

        var change = Gateway.SendAsync(
            method, $"/v1/members/{id}", App.Key, method == "PATCH" ? $$"""{"name":"{{mark}}-2"}""" : null);
        await Eventually.HoldsAsync(deletion.IsWaitedForAsync, "a change that waits");
        await deletion.CommitAsync();

        (await change).MustBe(status);
        Assert.Empty(await Books.MentionsAsync(mark, user));
    }

    /// <summary>A member that no other test has.</summary>
    static async Task<string> NewAsync(string role, string more = "") => (await App.PostAsync(
        "/v1/members", $$"""{"email":"{{Guid.NewGuid():N}}@example.com","role":"{{role}}"{{more}}}""")).MustBe(201).Json.Text("id");

    /// <summary>Who calls with the token, as the edge knows it.</summary>
    static async Task<Principal> PrincipalAsync(JsonElement token)
    {
        var project = Id(Ids.Project, token.Text("projectId"));
        await using var query = Books.Sessions.CreateCommand("select organization_id from project where id = $1");
        query.Parameters.Add(new() { Value = project });
        var organization = (Guid)(await query.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
        return new(CredentialKind.Member, Id(Ids.Member, token.Text("memberId")), false, organization, project, null, null)
        {
            MemberToken = Id(Ids.MemberToken, token.Text("id")),
        };
    }

    static Guid Id(string prefix, string text) => Ids.TryParse(prefix, text, out var id) ? id : throw new FormatException(text);

    /// <summary>A call that the edge has let in for the principal.</summary>
    static Task<Reply> LetInAsync(string method, string path, string? json, Principal caller) => Gateway.SendAsync(
        method, path, json: json, at: Stack.Url("sessions"), headers:
        [
            (ServiceCall.Header, new ServiceCall(ServiceCall.Proxy, ServiceCall.Sessions, caller).Sign(ServiceCall.SealOf(
                [KeySetting.Read(Stack.App.InternalKey, KeySetting.InternalKey)], TimeProvider.System))),
        ]);
}
