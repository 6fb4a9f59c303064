namespace LlmGateway.EndToEnd;

/// <summary>What a seed file allows the customers of a project to top up.</summary>
public sealed class SeededTrustTests
{
    [Fact]
    public async Task What_a_seed_file_says_of_top_ups_holds_from_the_start()
    {
        var user = await Backend.Limited.NewUserAsync(credit: null);
        var tooMuch = (await Purchase.AskAsync(user, """{"amount":"50.01"}""")).MustBe(429);
        Assert.Equal("new_customer_amount", RuleOf(tooMuch));
        for (var i = 1; i <= 2; i++)
        {
            var purchase = await Purchase.BeginAsync(user, "10");
            (await purchase.PayAsync()).MustBe(200);
            await purchase.MustBecomeAsync("succeeded");
        }

        var tooOften = (await Purchase.AskAsync(user, """{"amount":"10"}""")).MustBe(429);

        Assert.Equal("top_ups_per_day", RuleOf(tooOften));
        await Purchase.BeginAsync(await Backend.Limited.NewUserAsync(credit: null), "10");
    }

    static string RuleOf(Reply refused) => refused.Json.GetProperty("error").GetProperty("limit").Text("id");
}
