using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>A seed file that is applied when its customers have used something already.</summary>
[Collection(nameof(Outages))]
public sealed class SeedTests
{
    [Fact]
    public async Task A_limit_that_a_seed_adds_or_changes_has_what_was_used_since_its_cycles_edge()
    {
        var user = await Backend.App.NewUserAsync();
        for (var i = 0; i < 3; i++)
            (await user.ChatAsync("small", Price.Question, at: Stack.Proxies[i % 2])).MustBe(200);
        await Books.UsageAsync(user, 3);

        await SeedAsync(user, """[{"unit":"requests","amount":5,"cycle":{"days":300}}]""");
        Assert.Equal(["3 2"], await LimitsAsync(user));

        // Another cycle is another counter; what is written again is as it was.
        await SeedAsync(user, """
            [{"unit":"requests","amount":5,"cycle":{"days":300}},{"unit":"tokens","amount":100,"cycle":{"days":200}}]
            """);
        Assert.Equal(["3 2", "69 31"], await LimitsAsync(user));
    }

    [Fact]
    public async Task A_plan_that_a_seed_takes_away_has_ended_and_one_that_it_gives_again_goes_on()
    {
        const string Plans = """
            ,"plans":[{"id":"of-a-seed","name":"Of a seed","price":"1","tokens":100000,"trialDays":14}]
            """;
        var user = await Backend.App.NewUserAsync();
        await ApplyAsync(user, """
            "plan":"of-a-seed"
            """, Plans);
        Assert.Equal("tokens=23", (await user.ChatAsync("small", Price.Question)).MustBe(200)["X-LLMGateway-Used"]);
        Assert.Equal(14, await TrialDaysAsync("of-a-seed"));

        await ApplyAsync(user, """
            "name":"says nothing of the plan"
            """);
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await ApplyAsync(user, "\"plan\":null");
        foreach (var proxy in Stack.Proxies)
        {
            var refused = (await user.ChatAsync("small", Price.Question, at: proxy)).MustBeProblem(402, "plan_ended");
            Assert.Contains("'Of a seed'", refused.Text);
        }
        var customer = (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json;
        Assert.True(customer.GetProperty("plan").GetProperty("endsAt").GetDateTimeOffset() <= DateTimeOffset.UtcNow);

        await ApplyAsync(user, """
            "plan":"of-a-seed"
            """, Plans);
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
    }

    [Fact]
    public async Task A_key_of_a_seed_that_was_rotated_does_not_come_back_with_the_secret_of_the_file()
    {
        var user = await Backend.App.NewUserAsync();
        var secret = $"llm_gw_{Guid.NewGuid():N}{Guid.NewGuid():N}";
        var keys = $$"""
            "keys":[{"name":"of a seed","key":"{{secret}}"}]
            """;
        await ApplyAsync(user, keys);
        (await Chat.AskAsync(secret, "small", Price.Question)).MustBe(200);
        var path = $"/v1/customers/{user.CustomerId}/keys";
        var id = Assert.Single((await Backend.App.GetAsync(path)).MustBe(200).Json.Items("keys")).Text("id");
        (await Backend.App.PostAsync($"{path}/{id}/rotate", "{}")).MustBe(200);

        await ApplyAsync(user, keys);

        foreach (var proxy in Stack.Proxies)
            (await Chat.AskAsync(secret, "small", Price.Question, at: proxy)).MustBeProblem(401, "expired");
        Assert.Single((await Backend.App.GetAsync(path)).MustBe(200).Json.Items("keys"));
    }

    static Task SeedAsync(User user, string limits) => ApplyAsync(user, $"\"limits\":{limits}");

    /// <param name="members">Of the customer.</param>
    /// <param name="more">Members of the project, with a comma before them.</param>
    static Task ApplyAsync(User user, string members, string more = "") => SeedFiles.ApplyAsync($$"""
        "customers":[{"externalId":{{JsonSerializer.Serialize(user.ExternalId)}},{{members}}}]{{more}}
        """);

    static async Task<List<string>> LimitsAsync(User user) =>
        [.. (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}/limits")).MustBe(200).Json.EnumerateArray()
            .Select(limit => $"{limit.Text("used")} {limit.Text("left")}")];

    /// <summary>They are kept for who will give trials.</summary>
    static async Task<int> TrialDaysAsync(string plan)
    {
        await using var query = Books.Sessions.CreateCommand("select trial_days from plan where id = $1");
        query.Parameters.Add(new() { Value = plan });
        return (int)(await query.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }
}
