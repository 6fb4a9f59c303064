using System.Text.RegularExpressions;
using static LlmGateway.EndToEnd.Attack;

namespace LlmGateway.EndToEnd;

/// <summary>Credentials where they do not belong or beyond what they are for, on every wire; nobody else ever sees one.</summary>
public sealed partial class CredentialAttackTests
{
    [Theory, MemberData(nameof(Speaker.Callers), MemberType = typeof(Speaker))]
    public async Task A_scope_holds_on_every_wire_and_for_whoever_takes_over(string caller)
    {
        var (speaker, tag) = (Speaker.Of(caller), Sandbox.NewTag());
        var user =
            await Backend.Wires.NewUserAsync(terms: "\"scope\":{\"models\":[\"chat-small\",\"chat/fallback\",\"messages/fallback-429\"]}");

        foreach (var model in (string[])
        [
            "chat-slow",
            "messages-small",
            "messages/messages-small",
            "gemini-small",
            "messages/fallback",
            "chat/fallback-429",
        ])
            MustName(speaker, await PostAsync(speaker, user.Token, model, Question(speaker, model, tag)), 403, model);
        foreach (var (path, body) in Counts("messages-small", tag).Concat(Counts("gemini-small", tag)))
            (await Gateway.SendAsync("POST", path, user.Token, body)).MustBe(403);
        Assert.Empty(await Sandbox.CallsAsync(tag));
        (await PostAsync(speaker, user.Token, "chat-small", Question(speaker, "chat-small", tag))).MustBe(200);
        foreach (var model in (string[])["messages/fallback-429", "fallback-429"])
            (await PostAsync(speaker, user.Token, model, Question(speaker, model, tag))).MustBe(200);
        // The second provider would answer, but this caller may not use it.
        (await PostAsync(speaker, user.Token, "fallback", Question(speaker, "fallback", tag))).MustBe(502);
        Assert.Equal(
            ["/v1/chat/completions", "/v1/messages", "/v1/messages", "/v1/chat/completions"],
            (await Sandbox.CallsAsync(tag)).Select(call => call.Path));
    }

    [Theory, MemberData(nameof(Speaker.Callers), MemberType = typeof(Speaker))]
    public async Task A_secret_key_calls_no_model_wherever_it_stands(string caller)
    {
        var (speaker, tag) = (Speaker.Of(caller), Sandbox.NewTag());
        foreach (var key in (string[])[Backend.Wires.Key, Backend.WiresTest.Key])
            foreach (var (path, body) in Counts("messages-small", tag)
                .Append((speaker.Path("chat-small", stream: false), Question(speaker, "chat-small", tag))))
                foreach (var header in (string[])["x-api-key", "x-goog-api-key", "Authorization", "?key="])
                {
                    var isQuery = header[0] == '?';
                    if (isQuery && !path.StartsWith("/v1beta", StringComparison.Ordinal))
                        continue;
                    var reply = await Gateway.SendAsync(
                        "POST",
                        isQuery ? $"{path}?key={key}" : path,
                        null,
                        body,
                        headers: isQuery ? [] : [(header, header == "Authorization" ? $"bearer {key}" : key)]);
                    Assert.Contains("wrong_credential_kind", reply.MustBe(401).Text, StringComparison.OrdinalIgnoreCase);
                }
        Assert.Empty(await Sandbox.CallsAsync(tag));
    }

    [Theory, MemberData(nameof(Speaker.Callers), MemberType = typeof(Speaker))]
    public async Task A_test_credential_reaches_no_live_provider(string caller)
    {
        var (speaker, user, tag) = (Speaker.Of(caller), await Backend.WiresTest.NewUserAsync(), Sandbox.NewTag());

        foreach (var model in (string[])
        [
            "live-chat",
            "live-responses",
            "live-messages",
            "live-gemini",
            "live-chat/live-chat",
            "live-messages/fallback-live",
        ])
            Assert.Contains(
                "live_only",
                (await PostAsync(speaker, user.Token, model, Question(speaker, model, tag))).MustBe(403).Text,
                StringComparison.OrdinalIgnoreCase);
        foreach (var (path, body) in Counts("live-messages", tag).Concat(Counts("live-gemini", tag)))
            (await Gateway.SendAsync("POST", path, user.Token, body)).MustBe(403);

        (await PostAsync(speaker, user.Token, "chat-small", Question(speaker, "chat-small", tag))).MustBe(200);
        // Only the first of the two providers is for tests. The second would be tried, and cannot be reached.
        var failed = (await PostAsync(speaker, user.Token, "fallback-live", Question(speaker, "fallback-live", tag))).MustBe(502);
        Assert.Contains("The provider failed (500)", speaker.ReadError(502, failed.Json));
    }

    [Fact]
    public async Task A_key_in_the_query_is_seen_by_nobody_else()
    {
        var (speaker, user, tag) = (Speaker.Of("gemini"), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        foreach (var model in (string[])["chat-small", "gemini-small", "gemini-error-500", "live-gemini", "no-such-model"])
            foreach (var stream in (bool[])[false, true])
            {
                var path = speaker.Path(model, stream);
                var reply = await Gateway.SendAsync(
                    "POST",
                    $"{path}{(stream ? '&' : '?')}key={user.Token}",
                    null,
                    Question(speaker, model, tag));
                Assert.DoesNotContain(user.Token, reply.Text + reply.Headers);
                Assert.Equal(model switch { "no-such-model" => 400, "gemini-error-500" or "live-gemini" => 502, _ => 200 }, reply.Status);
            }
        foreach (var (path, body) in Counts("gemini-small", tag).Where(count => count.Path.StartsWith("/v1beta", StringComparison.Ordinal)))
            (await Gateway.SendAsync("POST", $"{path}?key={user.Token}", null, body)).MustBe(200);
        (await Gateway.SendAsync("GET", $"/v1beta/models?key={user.Token}")).MustBe(200);
        // Where the credential is not read it must not be shown either.
        foreach (var path in (string[])
        [
            Chat.Path,
            "/v1/responses",
            "/v1/messages",
            "/v1/wallet/balance",
            "/v1/nothing",
            "/v1beta/models/x:y",
            "/v1beta/models/%00:generateContent",
        ])
            Assert.NotEqual(200, (await Gateway.SendAsync("POST", $"{path}?key={user.Token}", null, "{}")).Status);

        var calls = await Eventually.GetAsync(() => Sandbox.CallsAsync(tag), calls => calls.Count >= 7, "seven calls");
        Assert.All(
            calls,
            call => Assert.DoesNotContain(user.Token, string.Join('\n', [call.Path, call.Query, call.Body, .. call.Headers.Values])));
        foreach (var (log, text) in await LogsAsync())
            Assert.False(text.Contains(user.Token, StringComparison.Ordinal), $"the key stands in {log}");
    }

    [Fact]
    public async Task Where_a_project_takes_no_keys_in_the_query_a_good_one_is_told_nothing_that_a_bad_one_is_not()
    {
        var (user, revoked) = (await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync());
        (await Backend.App.DeleteAsync($"/v1/sessions/{revoked.SessionId}")).MustBe(204);
        string[] keys =
        [
            user.Token,
            revoked.Token,
            $"{user.Token[..^1]}{(user.Token[^1] == 'x' ? 'y' : 'x')}",
            "llm_gw_unknown000000000000000000000000000000000",
            Backend.App.Key,
            "x",
            new('x', 5000),
        ];
        const string Body = """{"contents":[{"role":"user","parts":[{"text":"hello"}]}]}""";
        foreach (var (method, path, body) in ((string, string, string?)[])
        [
            ("GET", "/v1beta/models", null),
            ("POST", "/v1beta/models/small:generateContent", Body),
            ("POST", "/v1beta/models/small:countTokens", Body),
        ])
        {
            (await Gateway.SendAsync(method, path, null, body, headers: ("x-goog-api-key", user.Token))).MustBe(200);
            var answers = new HashSet<string>();
            foreach (var key in keys)
                answers.Add(RequestId().Replace((await Gateway.SendAsync(method, $"{path}?key={key}", null, body)).MustBe(401).Text, ""));
            Assert.Contains("x-goog-api-key", Assert.Single(answers));
        }
        Assert.Equal(1_000_000_000 - await ChargedAsync(user), await user.BalanceAfterAsync(1));
    }

    static async Task<long> ChargedAsync(User user) => (await Books.OnlyUsageAsync(user)).Charged;

    [GeneratedRegex("req_[0-9a-z]+")]
    private static partial Regex RequestId();
}
