using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>Limits and plans as they are shown to those whom they concern, in refusals and when they ask.</summary>
public sealed class ShownLimitTests
{
    [Fact]
    public async Task A_refusal_names_the_limit_by_its_id_and_says_what_was_used_also_beyond_it()
    {
        const string Both = """
            [{"id":"daily","unit":"requests","amount":3,"cycle":"day"},{"id":"long","unit":"requests","amount":3,"cycle":{"days":300}}]
            """;
        var user = await Backend.App.NewUserAsync();
        await PutAsync(user.CustomerId, Both);
        for (var i = 0; i < 3; i++)
            (await AskAsync(user.Token, Stack.Proxies[i % 2])).MustBe(200);
        await Books.UsageAsync(user, 3);
        var listed = (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}/limits")).MustBe(200).Json;

        // Both are used up, and the answer is that of the one that resets last.
        foreach (var proxy in Stack.Proxies)
        {
            var reply = (await AskAsync(user.Token, proxy)).MustBeProblem(429, "limit_reached");
            Assert.Equal(("long", "3", "3", "1"), Told(reply));
            Assert.Equal("false", reply["x-should-retry"]);
            Assert.Equal(Time(listed[1], "resets"), Time(reply.Json.GetProperty("error").GetProperty("limit"), "resets"));
        }
        await PutAsync(user.CustomerId, Both.Replace("3,\"cycle\":{", "1,\"cycle\":{"));
        foreach (var proxy in Stack.Proxies)
            await Eventually.HoldsAsync(
                async () => Told(await AskAsync(user.Token, proxy)) == ("long", "3", "1", "3"), "the lowered limit",
                TimeSpan.FromSeconds(1));

        static (string, string, string, string) Told(Reply reply) =>
            reply.MustBe(429).Json.GetProperty("error").GetProperty("limit") is var limit
                ? (limit.Text("id"), limit.Text("used"), limit.Text("limit"), limit.Text("missing"))
                : default;
    }

    [Fact]
    public async Task An_end_user_sees_its_limits_and_its_backend_the_plan_and_the_rates_too()
    {
        var user = await Backend.App.NewUserAsync();
        Assert.Empty((await user.OwnBalanceAsync()).MustBe(200).Json.Items("limits"));
        var plain = (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json;
        Assert.False(plain.TryGetProperty("plan", out _) || plain.TryGetProperty("rates", out _));

        await Books.GivePlanAsync(user, tokens: 300, overagePicos: 1);
        await PutAsync(user.CustomerId, """[{"id":"daily","unit":"requests","amount":5,"cycle":"day"}]""");
        await user.LimitAsync(600, null);
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await Books.UsageAsync(user, 1);
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "the return of what is idle");

        var limits = (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}/limits")).MustBe(200);
        Assert.Equal(("daily", "1", "4"), (limits.Json[0].Text("id"), limits.Json[0].Text("used"), limits.Json[0].Text("left")));
        foreach (var proxy in Stack.Proxies)
        {
            var own = (await Gateway.SendAsync("GET", "/v1/wallet/balance", user.Token, at: proxy)).MustBe(200).Json;
            Assert.Equal("1", own.Text("balance"));
            Assert.True(JsonElement.DeepEquals(limits.Json, own.GetProperty("limits")), $"{own}");
        }
        var shown = (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json;
        var quota = shown.GetProperty("plan").GetProperty("quota");
        Assert.Equal(Books.PlanOf(user), shown.GetProperty("plan").Text("name"));
        Assert.Equal(("300", "23", "277"), (quota.Text("tokens"), quota.Text("used"), quota.Text("left")));
        Assert.Equal(600, shown.GetProperty("rates").Int("requestsPerMinute"));
    }

    static async Task PutAsync(string customer, string limits) =>
        (await Backend.App.PutAsync($"/v1/customers/{customer}/limits", limits)).MustBe(200);

    static Task<Reply> AskAsync(string key, Uri proxy) => Chat.AskAsync(key, "small", Price.Question, at: proxy);

    static DateTimeOffset Time(JsonElement of, string member) => of.GetProperty(member).GetDateTimeOffset();
}
