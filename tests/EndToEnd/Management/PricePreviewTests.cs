namespace LlmGateway.EndToEnd;

/// <summary>What a price costs at the border of its tier: shown, saved and charged the same.</summary>
public sealed class PricePreviewTests
{
    static readonly Backend App = Backend.Managed;

    [Theory]
    [InlineData(Price.QuestionTokens, 0)] // the question is at the border
    [InlineData(Price.QuestionTokens - 1, 1)] // the question is the first above it
    public async Task A_call_at_the_border_of_a_tier_costs_what_the_preview_has_shown(long aboveInput, int side)
    {
        var (name, user) = ($"preview-{Guid.NewGuid():N}", await App.NewUserAsync());
        var prices = $$$"""
            "prices":{"input":"1","output":"2","tiers":[{"aboveInput":{{{aboveInput}}},"prices":{"input":"30","output":"40"}}]}
            """;
        var asked = $$"""{{{prices}},"outputTokens":{{Price.AnswerTokens}}}""";
        var shown = (await App.PostAsync("/v1/models/preview", asked)).MustBe(200).Json;
        var border = shown.Items("boundaries").ElementAt(side);
        Assert.Equal(("volume", (int)Price.QuestionTokens), (shown.Text("kind"), border.Int("inputTokens")));

        (await App.PutAsync($"/v1/models/{name}", $$"""
            {"provider":"sandbox","upstreamModel":"sandbox-small","contextTokens":10000,"maxOutputTokens":1000,{{prices}}}
            """)).MustBe(200);
        var reply = await Eventually.GetAsync(
            () => user.ChatAsync(name, Price.Question), reply => reply.Status == 200, "the model", TimeSpan.FromSeconds(1));

        Assert.Equal(border.Text("cost"), reply["X-LLMGateway-Cost"]);
        (await App.DeleteAsync($"/v1/models/{name}")).MustBe(204);
    }
}
