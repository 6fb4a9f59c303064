namespace LlmGateway.EndToEnd;

/// <summary>The usage of a project as its backend reads it.</summary>
public sealed class UsageSummaryRouteTests
{
    [Fact]
    public async Task Every_group_adds_up_to_the_total_and_to_what_was_charged()
    {
        var user = await Backend.App.NewUserAsync("1");
        for (var i = 0; i < 3; i++)
            (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await user.BalanceAfterAsync(3);

        var now = DateTime.UtcNow;
        string[] times =
        [
            "", "range=24h", "range=7d", "range=30d", "range=90d", $"from={now.AddDays(-1):yyyy-MM-dd}", $"range=7d&to={now:yyyy-MM-dd}",
            $"from={now.AddHours(-5):s}Z&to={now.AddMinutes(-20):s}Z",
            $"from={now.AddDays(-300):yyyy-MM-dd}&to={now.AddDays(1):yyyy-MM-dd}",
        ];
        foreach (var query in
            from time in times
            from zone in (string[])["UTC", "Asia/Kathmandu", "America/Santiago"]
            from @group in (string[])["day", "hour", "model", "provider", "customer", "key", "endpoint"]
            select $"{time}&group={@group}&timeZone={zone}&limit={(zone == "UTC" ? 1 : 1000)}")
        {
            var answer = (await SummaryAsync(query)).MustBe(200).Json;
            var parts = answer.Items("rows").Append(answer.GetProperty("others")).ToList();
            foreach (var figure in (string[])["requests", "failed", "attempts", "inputTokens", "outputTokens"])
                Assert.Equal(answer.GetProperty("total").Int(figure), parts.Sum(part => part.Int(figure)));
            foreach (var amount in (string[])["cost", "charged", "absorbed", "covered"])
                Assert.Equal(
                    Gateway.Nanos(answer.GetProperty("total").GetProperty(amount)),
                    parts.Sum(part => Gateway.Nanos(part.GetProperty(amount))));
        }
        var mine = (await SummaryAsync("group=customer&limit=1000")).MustBe(200).Json.Items("rows")
            .Single(row => row.Text("value") == user.CustomerId);
        Assert.Equal((3, 0, 1_000_000_000 - await user.BalanceAsync()),
            (mine.Int("requests"), mine.Int("failed"), Gateway.Nanos(mine.GetProperty("charged"))));
    }

    [Theory]
    [InlineData("group=tool", "group")]
    [InlineData("timeZone=Mars/Olympus", "timeZone")]
    [InlineData("range=1y", "range")]
    [InlineData("range=7d&from=2026-01-01", "range")]
    [InlineData("from=2026-02-01&to=2026-01-01", "from")]
    [InlineData("from=2024-01-01&to=2026-01-01", "from")]
    [InlineData("to=yesterday", "to")]
    [InlineData("limit=0", "limit")]
    [InlineData("customer=cus_1", "customer")]
    [InlineData("tz=Asia/Kathmandu", "tz")]
    public async Task A_question_that_cannot_be_answered_is_refused_by_name(string query, string param)
    {
        var refused = (await SummaryAsync(query)).MustBe(400);
        Assert.Equal(param, refused.Json.GetProperty("error").Text("param"));
    }

    static Task<Reply> SummaryAsync(string query) => Backend.App.GetAsync($"/v1/usage/summary?{query}");
}
