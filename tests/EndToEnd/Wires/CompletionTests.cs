using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>The wire before chat, <c>POST /v1/completions</c>: held, metered and told like chat.</summary>
public sealed class CompletionTests
{
    [Theory]
    [InlineData("/v1/completions")]
    [InlineData("/completions")]
    public async Task Each_prompt_is_answered_n_times_and_paid(string path)
    {
        var user = await Backend.Wires.NewUserAsync();

        var reply =
            (await PostAsync(user, """{"model":"chat-small","prompt":["one two three","four"],"n":2,"max_tokens":5}""", path)).MustBe(200);

        Assert.Equal(["0", "1", "2", "3"], reply.Json.Items("choices").Select(choice => choice.GetProperty("index").ToString()));
        Assert.Equal("0.000044", reply["X-LLMGateway-Cost"]);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((4, 20, 4 * Price.Input + 20 * Price.Output, false), (row.InputTokens, row.OutputTokens, row.Charged, row.Estimated));
    }

    [Fact]
    public async Task Without_a_limit_the_vendors_own_holds()
    {
        var user = await Backend.Wires.NewUserAsync();
        var tag = Sandbox.NewTag();
        (await PostAsync(user, $$"""{"model":"chat-small","prompt":"[[tag:{{tag}}]] [[tokens:100]]"}""")).MustBe(200);

        Assert.Equal(16, (await Books.OnlyUsageAsync(user)).OutputTokens);
        var call = await Sandbox.CallAsync(tag, call => call.Outcome == "completed", "the call");
        Assert.Equal(16, JsonSerializer.Deserialize<JsonElement>(call.Body).GetProperty("max_tokens").GetInt32());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stream_ends_with_its_cost_for_those_who_asked(bool asks)
    {
        var user = await Backend.Wires.NewUserAsync();

        var reply = (await PostAsync(
            user,
            $$$"""{"model":"chat-small","prompt":"one two """
                + $$$"""three","max_tokens":7,"stream":true{{{(asks ? ",\"stream_options\":{\"include_usage\":true}" : "")}}}}"""))
            .MustBe(200);

        Assert.Equal("[DONE]", reply.Events.Last());
        Assert.Equal(
            7,
            string.Concat(reply.Chunks.SelectMany(chunk => chunk.Items("choices")).Select(choice => choice.GetProperty("text").GetString()))
                .Split(' ').Length);
        var costs = reply.Chunks.Where(chunk => chunk.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object)
            .Select(chunk => chunk.GetProperty("usage").GetProperty("cost").GetString());
        Assert.Equal(asks ? ["0.000017"] : [], costs);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((3, 7, 17_000, false), (row.InputTokens, row.OutputTokens, row.Charged, row.Estimated));
    }

    [Theory]
    [InlineData("chat-nousage", "")]
    [InlineData("chat-nousage", ",\"stream\":true")]
    public async Task Words_are_counted_where_the_provider_counts_none(string model, string more)
    {
        var user = await Backend.Wires.NewUserAsync();
        (await PostAsync(user, $$"""{"model":"{{model}}","prompt":"one two three","max_tokens":7{{more}}}""")).MustBe(200);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((3, 7, true), (row.InputTokens, row.OutputTokens, row.Estimated));
    }

    [Fact]
    public async Task A_stream_that_breaks_off_ends_with_an_error_and_what_was_delivered_is_paid()
    {
        var user = await Backend.Wires.NewUserAsync();

        var reply = (await PostAsync(user, """{"model":"chat-cut","prompt":"one two three","max_tokens":20,"stream":true}""")).MustBe(200);

        Assert.Equal("[DONE]", reply.Events.Last());
        Assert.Equal("upstream_interrupted", reply.Chunks.Last().GetProperty("error").GetProperty("code").GetString());
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Interrupted, 3, 10, true), (row.Outcome, row.InputTokens, row.OutputTokens, row.Estimated));
    }

    [Theory]
    [InlineData("""{"model":"messages-small","prompt":"x"}""", "untranslatable_parameter", "model")]
    [InlineData("""{"model":"chat-embedding","prompt":"x"}""", "invalid_value", "model")]
    [InlineData("""{"model":"chat-small","prompt":"x","best_of":4}""", "unpriceable_parameter", "best_of")]
    public async Task What_cannot_be_served_is_refused_by_name(string body, string code, string field)
    {
        var user = await Backend.Wires.NewUserAsync();
        (await PostAsync(user, body)).MustBeProblem(400, code, field);
        Assert.Empty(await Books.UsageAsync(user));
    }

    static Task<Reply> PostAsync(User user, string body, string path = "/v1/completions") =>
        Gateway.SendAsync("POST", path, user.Token, body);
}
