using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What is kept of <c>POST /v1/responses</c>, how long, how much, and for whom. The two proxies know the same.</summary>
public sealed class ResponseStateTests
{
    const string Path = "/v1/responses";

    /// <summary>
    /// The request after the end of a stream finds its answer, at another proxy, and is paid for all that the model reads.
    /// </summary>
    [Theory]
    [InlineData("responses", false), InlineData("responses", true), InlineData("messages", false), InlineData("messages", true)]
    public async Task An_answer_can_be_continued_and_read_at_once(string provider, bool stream)
    {
        var user = await Backend.Wires.NewUserAsync();

        var told = Told(await AskAsync(user, provider, "\"input\":\"one two three\"", stream));
        var second = await AskAsync(
            user, provider, $"\"previous_response_id\":\"{told.Text("id")}\",\"input\":\"four five\"", at: Stack.Proxy2);

        Assert.True(told.GetProperty("store").GetBoolean());
        Assert.StartsWith("resp_", told.Text("id"));
        Assert.Equal(25, second.MustBe(200).Json.GetProperty("usage").Int("input_tokens"));
        Assert.Equal("0.000065", second["X-LLMGateway-Cost"]);
        var read = (await GetAsync(user, $"{Path}/{told.Text("id")}", Stack.Proxy2)).MustBe(200).Json;
        Assert.Equal(JsonSerializer.Serialize(told), JsonSerializer.Serialize(read));
        Assert.Equal(2 * 43_000 + 22_000, (await Books.UsageAsync(user, 2)).Sum(row => row.Charged));
    }

    [Fact]
    public async Task What_is_kept_is_read_listed_and_deleted_by_its_customer_alone()
    {
        var (user, stranger) = (await Backend.Wires.NewUserAsync(), await Backend.Wires.NewUserAsync());
        var told = Told(await AskAsync(user, "chat", "\"input\":\"one two three\""));
        var (id, item) = (told.Text("id"), told.Items("output").Single().Text("id"));

        foreach (var path in (string[])[$"{Path}/{id}", $"{Path}/{id}/input_items", $"/responses/{id}"])
        {
            Assert.Equal(200, (await SendAsync(user, "HEAD", path)).Status);
            (await GetAsync(user, path)).MustBe(200);
            (await GetAsync(stranger, path)).MustBeProblem(404, "not_found");
        }
        var listed = (await GetAsync(user, $"{Path}/{id}/input_items")).Json.Items("data").Single();
        Assert.Equal(("message", "one two three"), (listed.Text("type"), listed.Items("content").Single().Text("text")));
        (await GetAsync(user, $"{Path}/{id}/input_items?after=msg_unknown")).MustBeProblem(400, "invalid_value", "after");
        (await AskAsync(stranger, "chat", $"\"previous_response_id\":\"{id}\",\"input\":\"x\""))
            .MustBeProblem(404, "previous_response_not_found", "previous_response_id");
        (await AskAsync(stranger, "chat", $$"""
            "input":[{"type":"item_reference","id":"{{item}}"}]
            """)).MustBeProblem(404, "item_not_found", "input[0].id");
        (await SendAsync(stranger, "DELETE", $"{Path}/{id}")).MustBeProblem(404, "not_found");

        Assert.True((await SendAsync(user, "DELETE", $"{Path}/{id}")).MustBe(200).Json.GetProperty("deleted").GetBoolean());

        (await SendAsync(user, "DELETE", $"{Path}/{id}")).MustBeProblem(404, "not_found");
        (await AskAsync(user, "chat", $"\"previous_response_id\":\"{id}\",\"input\":\"x\"", at: Stack.Proxy2))
            .MustBeProblem(404, "previous_response_not_found", "previous_response_id");
        Assert.Single(await Books.UsageAsync(user, 1));
        Assert.Empty(await Books.UsageAsync(stranger));
    }

    [Fact]
    public async Task Nothing_is_kept_of_an_answer_whose_caller_wants_that()
    {
        var user = await Backend.Wires.NewUserAsync();

        var told = Told(await AskAsync(user, "responses", "\"input\":\"one\",\"store\":false"));

        Assert.False(told.GetProperty("store").GetBoolean());
        (await GetAsync(user, $"{Path}/{told.Text("id")}")).MustBeProblem(404, "not_found");
        Assert.Equal(0, await Books.KeptResponsesAsync(user));
    }

    [Fact]
    public async Task A_stream_that_breaks_off_keeps_nothing()
    {
        var user = await Backend.Wires.NewUserAsync();

        var stream = await AskAsync(user, "responses", "\"input\":\"[[tokens:100]] one\"", stream: true, model: "cut");

        Assert.Contains("upstream_interrupted", stream.Text);
        Assert.Equal(0, await Books.KeptResponsesAsync(user));
    }

    /// <summary>The row is still there: what is over is not decided by who cleans up.</summary>
    [Fact]
    public async Task What_is_over_is_not_there_although_nobody_has_deleted_it()
    {
        var user = await Backend.Wires.NewUserAsync();
        var told = Told(await AskAsync(user, "chat", "\"input\":\"one\""));
        var (id, item) = (told.Text("id"), told.Items("output").Single().Text("id"));

        await Books.EndKeptResponsesAsync(user);

        Assert.Equal(1, await Books.KeptResponsesAsync(user));
        (await GetAsync(user, $"{Path}/{id}")).MustBeProblem(404, "not_found");
        (await SendAsync(user, "DELETE", $"{Path}/{id}")).MustBeProblem(404, "not_found");
        (await AskAsync(user, "chat", $"\"previous_response_id\":\"{id}\",\"input\":\"x\""))
            .MustBeProblem(404, "previous_response_not_found", "previous_response_id");
        (await AskAsync(user, "chat", $$"""
            "input":[{"type":"item_reference","id":"{{item}}"}]
            """)).MustBeProblem(404, "item_not_found", "input[0].id");
    }

    /// <summary>The oldest leave; the newest has the whole conversation with it.</summary>
    [Fact]
    public async Task A_customer_s_responses_have_a_bound_in_bytes()
    {
        var user = await Backend.Wires.NewUserAsync();
        var first = Told(await AskAsync(user, "chat", "\"input\":\"one two three\""));
        await Books.GrowKeptResponsesAsync(user, 64L << 20);

        var second = Told(await AskAsync(user, "chat", $"\"previous_response_id\":\"{first.Text("id")}\",\"input\":\"four five\""));

        (await GetAsync(user, $"{Path}/{first.Text("id")}")).MustBeProblem(404, "not_found");
        var third = await AskAsync(user, "chat", $$"""
            "input":[{"id":"{{first.Items("output").Single().Text("id")}}"},{"role":"user","content":"x"}]
            """);
        Assert.Equal(21, third.MustBe(200).Json.GetProperty("usage").Int("input_tokens"));
        (await GetAsync(user, $"{Path}/{second.Text("id")}")).MustBe(200);
    }

    /// <summary>They are there, so it must not be said that they never were.</summary>
    [Fact]
    public async Task More_than_a_request_may_refer_to_is_refused_by_its_bound()
    {
        var user = await Backend.Wires.NewUserAsync();
        string[] items =
        [
            Told(await AskAsync(user, "chat", "\"input\":\"one\"")).Items("output").Single().Text("id"),
            Told(await AskAsync(user, "chat", "\"input\":\"two\"")).Items("output").Single().Text("id"),
        ];
        var both = $"\"input\":[{string.Join(',', items.Select(id => $$"""{"id":"{{id}}"}"""))},{{\"role\":\"user\",\"content\":\"x\"}}]";
        await Books.InflateKeptResponsesAsync(user, 11 << 20);

        Assert.Contains("kept responses", (await AskAsync(user, "chat", both)).MustBe(413).Text);
    }

    /// <summary>Thoughts are asked for in a form that can be said again; a provider that refuses that is asked once.</summary>
    [Fact]
    public async Task Thoughts_come_back_to_the_provider_that_had_them()
    {
        var user = await Backend.Wires.NewUserAsync();
        var (tag, plain) = (Sandbox.NewTag(), Sandbox.NewTag());

        var first = Told(await AskAsync(
            user, "responses", "\"input\":\"[[thinks:5]] one\",\"reasoning\":{\"summary\":\"auto\"}"));
        (await AskAsync(
            user, "responses", $"\"previous_response_id\":\"{first.Text("id")}\",\"input\":\"x\",{Sandbox.Tagged(tag)}")).MustBe(200);
        for (var i = 0; i < 2; i++)
            (await AskAsync(user, "responses", $"\"input\":\"x\",{Sandbox.Tagged(plain)}", model: "noencryption")).MustBe(200);

        var sent = JsonSerializer.Deserialize<JsonElement>(Assert.Single(await Sandbox.CallsAsync(tag)).Body);
        Assert.Contains(sent.Items("input"), said => said.TryGetProperty("encrypted_content", out var seal) && seal.GetString() is not "");
        Assert.False(sent.GetProperty("store").GetBoolean());
        Assert.False(sent.TryGetProperty("previous_response_id", out _));
        Assert.InRange((await Sandbox.CallsAsync(plain)).Count, 2, 3);
    }

    [Theory]
    [InlineData("\"background\":true", "background"), InlineData("\"conversation\":\"conv_1\"", "conversation")]
    public async Task What_is_not_offered_is_refused_by_name(string member, string param)
    {
        var user = await Backend.Wires.NewUserAsync();
        (await AskAsync(user, "chat", $"\"input\":\"x\",{member}")).MustBeProblem(400, "unpriceable_parameter", param);
    }

    static Task<Reply> AskAsync(User user, string provider, string members, bool stream = false, Uri? at = null, string model = "small") =>
        Gateway.SendAsync(
            "POST", Path, user.Token, $$"""{"model":"{{provider}}-{{model}}","stream":{{(stream ? "true" : "false")}},{{members}}}""", at);

    static Task<Reply> GetAsync(User user, string path, Uri? at = null) => Gateway.SendAsync("GET", path, user.Token, at: at);

    static Task<Reply> SendAsync(User user, string method, string path) => Gateway.SendAsync(method, path, user.Token);

    /// <summary>The response of an answer, whole or streamed. A stream says one id from its first event to its last.</summary>
    static JsonElement Told(Reply reply)
    {
        if (reply.MustBe(200).Text.StartsWith('{'))
            return reply.Json;
        JsonElement[] responses =
        [
            .. reply.Text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
                .Select(frame => JsonSerializer.Deserialize<JsonElement>(frame[(frame.IndexOf("data: ", StringComparison.Ordinal) + 6)..]))
                .Where(data => data.TryGetProperty("response", out _)).Select(data => data.GetProperty("response")),
        ];
        Assert.Single(responses.Select(response => response.Text("id")).Distinct());
        return responses[^1];
    }
}
