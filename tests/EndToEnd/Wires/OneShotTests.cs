namespace LlmGateway.EndToEnd;

/// <summary>Calls whose cost is bounded by what is asked: embeddings, moderations, images, speech.</summary>
public sealed class OneShotTests
{
    [Theory]
    [InlineData("")]
    [InlineData(",\"encoding_format\":\"base64\"")]
    public async Task Embeddings_are_paid_by_the_input(string more)
    {
        var user = await Backend.Wires.NewUserAsync();

        var reply = (await PostAsync(user, "/v1/embeddings", $$"""{"model":"chat-embedding","input":["one two three","four"]{{more}}}"""))
            .MustBe(200);

        Assert.Equal(2, reply.Json.Items("data").Count());
        Assert.Equal("0.000004", reply["X-LLMGateway-Cost"]);
        Assert.Equal((4 * Price.Input, false), ((await Books.OnlyUsageAsync(user)).Charged, (await Books.OnlyUsageAsync(user)).Estimated));
    }

    [Theory]
    [InlineData("embedContent", """{"content":{"parts":[{"text":"one two three four"}]}}""")]
    [InlineData("batchEmbedContents",
        """{"requests":[{"model":"models/gemini-embedding","content":{"parts":[{"text":"one two three"}]}},"""
            + """{"model":"models/gemini-embedding","content":{"parts":[{"text":"four"}]}}]}""")]
    public async Task Gemini_s_embeddings_are_paid_by_the_input(string method, string body)
    {
        var user = await Backend.Wires.NewUserAsync();
        var reply = (await PostAsync(user, $"/v1beta/models/gemini-embedding:{method}", body)).MustBe(200);
        Assert.Equal("0.000004", reply["X-LLMGateway-Cost"]);
        Assert.Equal(4 * Price.Input, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Fact]
    public async Task Images_are_paid_by_the_image()
    {
        var user = await Backend.Wires.NewUserAsync();

        var reply = (await PostAsync(user, "/v1/images/generations", """{"model":"image","prompt":"a cat","n":2}""")).MustBe(200);

        Assert.Equal(2, reply.Json.Items("data").Count());
        Assert.Equal(80_000_000, (await Books.OnlyUsageAsync(user)).Charged);
        (await PostAsync(user, "/v1/images/generations", """{"model":"image","prompt":"a cat","size":"1792x1024"}"""))
            .MustBeProblem(400, "unpriceable_parameter", "size");
        (await PostAsync(user, "/v1/images/generations", """{"model":"image","prompt":"a cat","n":100}"""))
            .MustBeProblem(400, "invalid_value", "n");
    }

    [Fact]
    public async Task Speech_is_paid_by_the_character()
    {
        var user = await Backend.Wires.NewUserAsync();

        var reply = (await PostAsync(user, "/v1/audio/speech", """{"model":"speech","input":"Grüße 🎉","voice":"alloy"}""")).MustBe(200);

        Assert.StartsWith("audio/", reply["Content-Type"]);
        Assert.NotEmpty(reply.Bytes);
        Assert.Equal(7 * 15_000, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Fact]
    public async Task Moderations_may_cost_nothing()
    {
        var user = await Backend.Wires.NewUserAsync();
        Assert.NotEmpty(
            (await PostAsync(user, "/v1/moderations", """{"model":"moderation","input":"be nice"}""")).MustBe(200).Json.Items("results"));
        Assert.Equal(0, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Theory]
    [InlineData("/v1/embeddings", """{"model":"chat-small","input":"x"}""", "invalid_value", "model")]
    [InlineData("/v1/embeddings", """{"model":"chat-embedding"}""", "missing_field", "input")]
    [InlineData("/v1/embeddings", """{"model":"chat-embedding","input":5}""", "invalid_value", "input")]
    [InlineData("/v1/embeddings", """{"model":"gemini-embedding","input":"x"}""", "untranslatable_parameter", "model")]
    [InlineData("/v1/chat/completions", """{"model":"chat-embedding","messages":[{"role":"user","content":"x"}]}""", "invalid_value",
        "model")]
    [InlineData("/v1/audio/speech", """{"model":"speech","input":""}""", "invalid_value", "input")]
    [InlineData("/v1/embeddings", """{"model":"chat-embedding","input":"x","api_base":"http://127.0.0.1:1"}""", "unpriceable_parameter",
        "api_base")]
    public async Task What_cannot_be_served_is_refused_by_name(string path, string body, string code, string field)
    {
        var user = await Backend.Wires.NewUserAsync();
        (await PostAsync(user, path, body)).MustBeProblem(400, code, field);
        Assert.Empty(await Books.UsageAsync(user));
    }

    [Fact]
    public async Task A_wallet_that_cannot_pay_is_asked_before_anything_is_sent()
    {
        var user = await Backend.Wires.NewUserAsync("0.05");
        (await PostAsync(user, "/v1/images/generations", """{"model":"image","prompt":"a cat","n":2}"""))
            .MustBeProblem(402, "wallet_exhausted");
        (await PostAsync(user, "/v1/images/generations", """{"model":"image","prompt":"a cat"}""")).MustBe(200);
        Assert.Equal(0.01m, (await user.BalanceAfterAsync(1)) / 1_000_000_000m);
    }

    static Task<Reply> PostAsync(User user, string path, string body) => Gateway.SendAsync("POST", path, user.Token, body);
}
