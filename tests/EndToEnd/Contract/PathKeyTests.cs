namespace LlmGateway.EndToEnd;

/// <summary>A key in the path, for tools that know only a base URL.</summary>
public sealed class PathKeyTests
{
    [Theory]
    [InlineData("/v1/chat/completions", """{"model":"small","messages":[{"role":"user","content":"one two three"}]}""")]
    [InlineData("/chat/completions", """{"model":"small","messages":[{"role":"user","content":"one two three"}]}""")]
    [InlineData("/v1/chat/completions", """{"model":"small","stream":true,"messages":[{"role":"user","content":"one two three"}]}""")]
    [InlineData("/v1/messages", """{"model":"small","max_tokens":5,"messages":[{"role":"user","content":"one two three"}]}""")]
    [InlineData("/v1beta/models/small:generateContent", """{"contents":[{"parts":[{"text":"one two three"}]}]}""")]
    [InlineData("/v1/responses", """{"model":"small","input":"one two three"}""")]
    public async Task Is_the_callers_on_every_wire_whatever_else_a_tool_sends_and_nobody_keeps_the_answer(string path, string body)
    {
        var user = await Backend.App.NewUserAsync();
        var (_, key) = await Backend.App.NewKeyAsync(user.CustomerId, "\"keyInPath\":true");

        var plain = (await Gateway.SendAsync("POST", $"/k/{key}{path}", "any text", body)).MustBe(200);
        var named = (await Gateway.SendAsync("POST", $"/k/{key}/c/a-phone{path}", null, body)).MustBe(200);

        Assert.All([plain, named], reply => Assert.Equal(("no-store", "no-referrer"), (reply["Cache-Control"], reply["Referrer-Policy"])));
        Assert.All(await Books.UsageAsync(user, 2), row => Assert.True(row.Charged > 0));
    }

    [Fact]
    public async Task Is_refused_as_an_unknown_one_unless_it_was_made_for_it()
    {
        var user = await Backend.App.NewUserAsync();
        var (_, header) = await Backend.App.NewKeyAsync(user.CustomerId);
        foreach (var credential in (string[])[header, user.Token, Backend.App.Key, $"{header[..^1]}!", "llm_gw_unknown"])
            foreach (var proxy in Stack.Proxies)
                (await Gateway.SendAsync("GET", $"/k/{credential}/v1/models", header, at: proxy))
                    .MustBeProblem(401, "invalid_api_key", "key");
        (await Gateway.SendAsync("GET", "/v1/models", header)).MustBe(200);
    }

    [Fact]
    public async Task Shows_in_its_scope_that_it_may_stand_there_and_stays_so_when_it_is_rotated()
    {
        var user = await Backend.App.NewUserAsync();
        var (id, _) = await Backend.App.NewKeyAsync(user.CustomerId, "\"keyInPath\":true");
        var path = $"/v1/customers/{user.CustomerId}/keys";

        var rotated = (await Backend.App.PostAsync($"{path}/{id}/rotate", "{}")).MustBe(200).Json;

        Assert.True(rotated.GetProperty("scope").GetProperty("keyInPath").GetBoolean());
        (await Gateway.SendAsync("GET", $"/k/{rotated.Text("key")}/v1/models")).MustBe(200);
    }
}
