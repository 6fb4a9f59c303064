using System.Diagnostics;
using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What is withdrawn is refused at every proxy within a second, and running streams end.</summary>
public sealed class RevocationTests
{
    static readonly TimeSpan Bound = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task A_revoked_session_is_refused_within_a_second_with_everything_it_was_refreshed_into()
    {
        var user = await Backend.App.NewUserAsync();
        var refreshed = (await Gateway.SendAsync("POST", "/v1/sessions/refresh", user.Token)).MustBe(200).Json.Text("sessionToken");
        await UseAsync(user.Token, refreshed);

        (await Backend.App.DeleteAsync($"/v1/sessions/{user.SessionId}")).MustBe(204);

        await MustBeRefusedAsync(user.Token, 401, "revoked");
        await MustBeRefusedAsync(refreshed, 401, "revoked");
        (await Backend.App.DeleteAsync($"/v1/sessions/{user.SessionId}")).MustBe(204);
        var listed = (await Backend.App.GetAsync($"/v1/sessions?customer={user.CustomerId}")).Json.GetProperty("sessions");
        Assert.All(listed.EnumerateArray(), session => Assert.Equal("revoked", session.Text("status")));
    }

    [Fact]
    public async Task A_revoked_key_is_refused_within_a_second()
    {
        var user = await Backend.App.NewUserAsync();
        var (id, key) = await Backend.App.NewKeyAsync(user.CustomerId);
        await UseAsync(key);

        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}/keys/{id}")).MustBe(204);

        await MustBeRefusedAsync(key, 401, "revoked");
        await UseAsync(user.Token);
    }

    [Fact]
    public async Task A_rotated_key_is_the_same_key_and_both_secrets_are_good_until_the_overlap_ends()
    {
        var user = await Backend.App.NewUserAsync();
        var (id, old) = await Backend.App.NewKeyAsync(user.CustomerId);
        (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/limits", $$$"""
            [{"unit":"requests","amount":7,"cycle":"day","selector":{"keys":["{{{id}}}"]}}]
            """)).MustBe(200);
        await UseAsync(old);

        var (rotated, end) = await RotateAsync(user, id, 3);
        await UseAsync(old, rotated);
        await Clock.ReachesAsync(end);

        foreach (var proxy in (Uri[])[Stack.Proxy, Stack.Proxy2])
            (await Chat.AskAsync(old, "small", Price.Question, at: proxy)).MustBeProblem(401, "expired");
        (await Chat.AskAsync(rotated, "small", Price.Question)).MustBe(200);
        (await Chat.AskAsync(rotated, "small", Price.Question)).MustBeProblem(429, "limit_reached");
        var listed = Assert.Single((await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}/keys")).MustBe(200).Json.Items("keys"));
        Assert.Equal((id, rotated[^4..]), (listed.Text("id"), listed.Text("last4")));
    }

    [Fact]
    public async Task The_secret_of_a_key_that_is_rotated_again_or_without_overlap_is_refused_within_a_second()
    {
        var user = await Backend.App.NewUserAsync();
        var (id, first) = await Backend.App.NewKeyAsync(user.CustomerId);
        var (second, _) = await RotateAsync(user, id, 3600);
        await UseAsync(first, second);

        var (third, _) = await RotateAsync(user, id, 3600);
        await MustBeRefusedAsync(first, 401, "expired");
        await UseAsync(second, third);

        var (fourth, _) = await RotateAsync(user, id, 0);
        await MustBeRefusedAsync(second, 401, "expired");
        await MustBeRefusedAsync(third, 401, "expired");
        await UseAsync(fourth);

        var (fifth, _) = await RotateAsync(user, id, 3600);
        await UseAsync(fourth, fifth);
        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}/keys/{id}")).MustBe(204);
        await MustBeRefusedAsync(fourth, 401, "revoked");
        await MustBeRefusedAsync(fifth, 401, "revoked");
    }

    [Fact]
    public async Task A_blocked_customer_is_refused_with_the_secret_from_before_too()
    {
        var user = await Backend.App.NewUserAsync();
        var (id, old) = await Backend.App.NewKeyAsync(user.CustomerId);
        await RotateAsync(user, id, 3600);
        await UseAsync(old);

        (await Backend.App.PatchAsync($"/v1/customers/{user.CustomerId}", """{"status":"blocked"}""")).MustBe(200);
        await MustBeRefusedAsync(old, 403, "customer_blocked");

        var path = $"/v1/customers/{user.CustomerId}/keys";
        (await Backend.App.PostAsync($"{path}/{id}/rotate", "{}")).MustBeProblem(403, "customer_blocked");
        (await Backend.App.PostAsync(path, """{"name":"another"}""")).MustBeProblem(403, "customer_blocked");
    }

    [Theory]
    [InlineData("""{"overlapSeconds":-1}""", 400, "invalid_value", "overlapSeconds")]
    [InlineData("""{"overlapSeconds":2592001}""", 400, "invalid_value", "overlapSeconds")]
    [InlineData("""{"overlapSeconds":3601}""", 400, "invalid_value", "overlapSeconds")]
    [InlineData("""{"overlapSeconds":"60"}""", 400, "invalid_value", "overlapSeconds")]
    [InlineData("""{"overlap":60}""", 400, "invalid_value", "overlap")]
    public async Task A_rotation_that_is_none_is_refused_by_name_and_changes_nothing(string body, int status, string code, string field)
    {
        var user = await Backend.App.NewUserAsync();
        var (id, key) = await Backend.App.NewKeyAsync(user.CustomerId, $"\"expiresAt\":\"{DateTimeOffset.UtcNow.AddHours(1):O}\"");
        var path = $"/v1/customers/{user.CustomerId}/keys/{id}";

        (await Backend.App.PostAsync($"{path}/rotate", body)).MustBeProblem(status, code, field);
        (await Backend.Other.PostAsync($"{path}/rotate", "{}")).MustBe(404);
        await UseAsync(key);

        (await Backend.App.DeleteAsync(path)).MustBe(204);
        (await Backend.App.PostAsync($"{path}/rotate", "{}")).MustBeProblem(409, "key_revoked");
    }

    static async Task<(string Secret, DateTimeOffset PreviousEnds)> RotateAsync(User user, string key, int overlap)
    {
        var path = $"/v1/customers/{user.CustomerId}/keys/{key}/rotate";
        var rotated = (await Backend.App.PostAsync(path, $$"""{"overlapSeconds":{{overlap}}}""")).MustBe(200).Json;
        Assert.Equal(key, rotated.Text("id"));
        return (rotated.Text("key"), rotated.GetProperty("previousExpiresAt").GetDateTimeOffset());
    }

    [Theory]
    [InlineData("blocked")]
    [InlineData("suspended")]
    public async Task A_blocked_customer_is_refused_within_a_second_and_let_in_again_as_soon(string status)
    {
        var user = await Backend.App.NewUserAsync();
        var (_, key) = await Backend.App.NewKeyAsync(user.CustomerId);
        await UseAsync(user.Token, key);

        (await Backend.App.PatchAsync($"/v1/customers/{user.CustomerId}", $$"""{"status":"{{status}}"}""")).MustBe(200);
        await MustBeRefusedAsync(user.Token, 403, $"customer_{status}");
        await MustBeRefusedAsync(key, 403, $"customer_{status}");
        (await Backend.App.PostAsync("/v1/sessions", $$"""{"customer":"{{user.ExternalId}}"}""")).MustBeProblem(403, $"customer_{status}");

        (await Backend.App.PatchAsync($"/v1/customers/{user.CustomerId}", """{"status":"active"}""")).MustBe(200);
        foreach (var proxy in (Uri[])[Stack.Proxy, Stack.Proxy2])
            await Eventually.HoldsAsync(
                async () => (await Chat.AskAsync(key, "small", Price.Question, at: proxy)).Status == 200,
                "an answer",
                Bound);
    }

    [Fact]
    public async Task A_deleted_customer_s_credentials_are_refused_within_a_second()
    {
        var user = await Backend.App.NewUserAsync();
        var (_, key) = await Backend.App.NewKeyAsync(user.CustomerId);
        await UseAsync(user.Token, key);

        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}")).MustBe(204);

        await MustBeRefusedAsync(user.Token, 401, "revoked");
        await MustBeRefusedAsync(key, 401, "revoked");
    }

    [Theory]
    [InlineData("session", "revoked")]
    [InlineData("key", "revoked")]
    [InlineData("block", "revoked")]
    public async Task A_running_stream_ends_within_a_second_and_is_charged_for_what_was_delivered(string what, string code)
    {
        var user = await Backend.App.NewUserAsync();
        var (keyId, key) = await Backend.App.NewKeyAsync(user.CustomerId);
        var tag = Sandbox.NewTag();
        using var stream = await OpenStream.StartAsync(
            what == "key" ? key : user.Token,
            "slow",
            "[[tokens:500]] one two",
            Sandbox.Tagged(tag),
            Stack.Proxy2);
        await stream.ReadWordsAsync(3);

        var started = Stopwatch.GetTimestamp();
        (what switch
        {
            "session" => await Backend.App.DeleteAsync($"/v1/sessions/{user.SessionId}"),
            "key" => await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}/keys/{keyId}"),
            _ => await Backend.App.PatchAsync($"/v1/customers/{user.CustomerId}", """{"status":"blocked"}"""),
        }).MustBe(what == "block" ? 200 : 204);
        var rest = await stream.RestAsync();

        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Bound);
        Assert.Equal("[DONE]", rest[^1]);
        Assert.Equal(code, JsonSerializer.Deserialize<JsonElement>(rest[^2]).GetProperty("error").Text("code"));
        var call = await Sandbox.CallAsync(tag, seen => seen.Outcome == "aborted", "the abort at the provider");
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Aborted, "revoked"), (row.Outcome, row.Reason));
        Assert.InRange(row.OutputTokens, 3, call.TokensOut);
        // "[[tokens:500]]" is, by our own estimate, three rows of signs, a word and a number.
        Assert.Equal((5 + 2) * Price.Input + row.OutputTokens * Price.Output, row.Charged);
    }

    [Fact]
    public async Task What_runs_when_its_credential_expires_runs_to_its_end_and_is_charged()
    {
        var user = await Backend.App.NewUserAsync();
        var end = DateTimeOffset.UtcNow.AddSeconds(3);
        var (_, key) = await Backend.App.NewKeyAsync(user.CustomerId, $"\"expiresAt\":\"{end:O}\"");
        var (running, group) = await Barrier.StartAsync(prompt => Chat.AskAsync(key, "barrier", prompt));

        await Clock.ReachesAsync(end);
        (await Chat.AskAsync(key, "small", Price.Question)).MustBeProblem(401, "expired");
        Assert.Equal(1, await Sandbox.ReleaseAsync(group));

        var id = (await running).MustBe(200).RequestId;
        var rows = await Eventually.GetAsync(
            () => Books.UsageAsync(user),
            rows => rows.Any(row => row.RequestId == id),
            "the answer's row");
        var row = rows.Single(row => row.RequestId == id);
        Assert.Equal((Outcome.Completed, 4 * Price.Input + 5 * Price.Output), (row.Outcome, row.Charged));
    }

    /// <summary>Puts the credentials into both proxies' caches.</summary>
    static async Task UseAsync(params string[] credentials)
    {
        foreach (var credential in credentials)
            foreach (var proxy in (Uri[])[Stack.Proxy, Stack.Proxy2])
                (await Chat.AskAsync(credential, "small", Price.Question, at: proxy)).MustBe(200);
    }

    static async Task MustBeRefusedAsync(string credential, int status, string code)
    {
        foreach (var proxy in (Uri[])[Stack.Proxy, Stack.Proxy2])
        {
            var refused = await Eventually.GetAsync(
                () => Chat.AskAsync(credential, "small", Price.Question, at: proxy),
                reply => reply.Status != 200,
                "the refusal",
                Bound);
            refused.MustBeProblem(status, code);
        }
    }
}
