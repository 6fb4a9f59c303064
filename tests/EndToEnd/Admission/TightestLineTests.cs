using System.Globalization;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Many calls at once, through both proxies, ask several limits and are paid by several sources. The tightest line decides how many are
/// answered, and all other lines have what was used of them, to the unit.
/// </summary>
[Collection(nameof(Alone))]
public sealed class TightestLineTests
{
    const int Calls = 500;

    /// <summary>So many calls fit into the tightest line, and so many into each other one.</summary>
    const int Tight = 7, Plenty = 3 * Tight;

    /// <summary>Tokens that a call of "barrier" may use, and those that it does use: four words in, five out.</summary>
    const long Bound = 100 + 16, Used = 4 + 5;

    /// <summary>What a token costs beyond the plan's quota, in nano-dollars; far above the model's own price.</summary>
    const long PerToken = 2_000_000;

    /// <summary>The limits of a call by its customer's session and by a key.</summary>
    static readonly string[]
        OfSession = ["requests", "tokens", "usd", "cap", "slots"],
        OfKey = ["requests", "tokens", "usd", "slots", "key tokens", "key slots"];

    /// <summary>
    /// Who pays, in this order, and for how many tokens. The first pays for three calls and a half; together they suffice for as many calls
    /// as the tightest line lets in, or for more.
    /// </summary>
    static IReadOnlyList<(string Name, long Tokens)> Sources(bool tight) =>
        [("quota", (7 * Bound) / 2), ("wallet", ((tight ? Tight : Plenty) * Bound) - ((7 * Bound) / 2))];

    public static TheoryData<string, string> Lines()
    {
        var all = new TheoryData<string, string>();
        foreach (var line in OfSession.Append("sources"))
            all.Add("session", line);
        foreach (var line in OfKey)
            all.Add("key", line);
        return all;
    }

    [Theory, MemberData(nameof(Lines))]
    public async Task The_tightest_of_all_lines_lets_in_exactly_what_it_has_and_the_others_are_back_to_the_unit(
        string credential, string tightest)
    {
        var sources = Sources(tightest == "sources");
        var (user, secret) = await NewCustomerAsync(credential, tightest, sources);
        var start = await user.BalanceAsync();

        var replies = await Barrier.RunIntoAsync(
            Calls, Tight, (i, prompt) => Chat.AskAsync(secret, "barrier", prompt, at: Stack.Proxies[i % 2]));

        Assert.Equal(Tight, replies.Count(reply => reply.Status == 200));
        Assert.All(replies.Where(reply => reply.Status != 200), MustSayWhy);
        await MustBeBookedAsync(user, start, sources);
        // What ended below its hold is free again, and the first source pays first again.
        var next = await Chat.AskAsync(secret, "narrow", Price.Question, at: Stack.Proxy2);
        if (tightest == "requests")
            Assert.Equal("requests", next.MustBeProblem(429, "limit_reached").Json.GetProperty("error").GetProperty("limit").Text("unit"));
        else
            Assert.StartsWith("tokens=", next.MustBe(200)["X-LLMGateway-Used"]);
        await Books.WaitUntilRightAsync();
    }

    static void MustSayWhy(Reply reply)
    {
        Assert.Contains(reply.MustBe(429).Code, (string[])["limit_reached", "concurrent_limit_reached", "balance_held"]);
        Assert.NotEmpty(reply.Json.GetProperty("error").GetProperty("limit").Text("level"));
    }

    static async Task MustBeBookedAsync(User user, long start, IReadOnlyList<(string Name, long Tokens)> sources)
    {
        var rows = await Books.UsageAsync(user, Tight);
        Assert.Equal(Tight, rows.Count);
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "the end of all holds");
        var paid = start - await user.BalanceAsync();
        var quota = await CountedAsync(user, kind: 4, unit: 2);

        // Each token is paid once. Of what was in flight all was held, the first source first: each call used the same part of its hold.
        Assert.Equal(Tight * Used * PerToken, (quota * PerToken) + paid);
        Assert.InRange(quota, ((sources[0].Tokens * Used) + Bound - 1) / Bound, sources[0].Tokens);
        Assert.Equal(paid, rows.Sum(row => row.Charged));
        Assert.All(rows, row => Assert.Equal(0, row.Absorbed));

        Assert.Equal(Tight, await CountedAsync(user, kind: 3, unit: 3));
        Assert.All(await CountersAsync(user, kind: 3, unit: 2), tokens => Assert.Equal(Tight * Used, tokens));
        Assert.Equal(paid, await CountedAsync(user, kind: 3, unit: 1));
        Assert.All(await CountersAsync(user, kind: 2, unit: 1), cap => Assert.Equal(paid, cap));
        Assert.All(await CountersAsync(user, kind: 5, unit: 6), slots => Assert.Equal(0, slots));
    }

    static async Task<(User User, string Secret)> NewCustomerAsync(
        string credential, string tightest, IReadOnlyList<(string Name, long Tokens)> sources)
    {
        var cap = credential == "session" ? $$"""
            "scope":{"maxSpend":"{{Gateway.Usd(Of("cap") * Bound * PerToken)}}"}
            """ : null;
        var user = await Backend.App.NewUserAsync(Gateway.Usd(sources[1].Tokens * PerToken), cap);
        await Books.GivePlanAsync(user, sources[0].Tokens, overagePicos: PerToken * 1_000_000_000);
        (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/rates", $$"""{"concurrent":{{Of("slots")}}}""")).MustBe(200);
        var secret = user.Token;
        var more = "";
        if (credential == "key")
        {
            (var id, secret) = await Backend.App.NewKeyAsync(user.CustomerId, $"\"concurrent\":{Of("key slots")}");
            more = $$"""
                , {"id":"of-key","unit":"tokens","amount":{{Of("key tokens") * Bound}},"cycle":"week","selector":{"keys":["{{id}}"]} }
                """;
        }
        (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/limits", $$"""
            [{"unit":"requests","amount":{{Of("requests")}},"cycle":"day"},
            {"unit":"tokens","amount":{{Of("tokens") * Bound}},"cycle":"month","timeZone":"Asia/Kathmandu"},
            {"unit":"usd","amount":"{{Gateway.Usd(Of("usd") * Bound * PerToken)}}","cycle":{"days":10} }{{more}}]
            """)).MustBe(200);
        return (user, secret);

        long Of(string line) => line == tightest ? Tight : Plenty;
    }

    static async Task<long> CountedAsync(User user, int kind, int unit) => Assert.Single(await CountersAsync(user, kind, unit));

    /// <summary>What each of the customer's counters of a kind has.</summary>
    static async Task<List<long>> CountersAsync(User user, int kind, int unit)
    {
        await using var query = Books.Wallet.CreateCommand(
            "select posted from account where owner = $1 and kind = $2 and unit = $3 and reserved = 0");
        foreach (var value in (object[])[user.Customer, kind, unit])
            query.Parameters.Add(new() { Value = value });
        await using var row = await query.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        var counters = new List<long>();
        while (await row.ReadAsync(TestContext.Current.CancellationToken))
            counters.Add(row.GetInt64(0));
        return counters;
    }

    /// <summary>The provider exceeds every limit, so that one call takes all that there is.</summary>
    [Theory]
    [InlineData("wallet")]
    [InlineData("quota")]
    [InlineData("cap")]
    [InlineData("tokens")]
    [InlineData("requests")]
    [InlineData("credits")]
    public async Task Of_200_calls_on_what_suffices_for_one_call_one_is_answered_and_nothing_is_left(string source)
    {
        const long tokens = 10 + 16, cost = (10 * Price.Input) + (16 * Price.Output);
        const string prompt = "[[tokens:60]] one two";
        var (model, tag) = (source is "credits" ? "small" : "overrun", Sandbox.NewTag());
        var user = source is "credits"
            ? await Backend.Queries.NewUserAsync(null)
            : await Backend.App.NewUserAsync(
                source is "wallet" ? Gateway.Usd(cost) : "1",
                source is "cap" ? $$"""
                    "scope":{"maxSpend":"{{Gateway.Usd(cost)}}"}
                    """ : null);
        if (source is "credits")
            (await Backend.Queries.PostAsync($"/v1/customers/{user.CustomerId}/balances", """
                {"type":"standard","amount":1,"op":"credit"}
                """)).MustBe(200);
        if (source is "quota")
            await Books.GivePlanAsync(user, tokens, overagePicos: null);
        if (source is "tokens" or "requests")
            (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/limits", $$"""
                [{"unit":"{{source}}","amount":{{(source == "tokens" ? tokens : 1)}},"cycle":"month"}]
                """)).MustBe(200);

        var replies = await Task.WhenAll(Enumerable.Range(0, 200).Select(
            i => user.ChatAsync(model, prompt, Sandbox.Tagged(tag), Stack.Proxies[i % 2])));

        Assert.Single(replies, reply => reply.Status == 200);
        Assert.All(replies.Where(reply => reply.Status != 200), reply => Assert.Contains(reply.Status, (int[])[402, 429]));
        Assert.Single(await Sandbox.CallsAsync(tag));
        await Books.OnlyUsageAsync(user);
        await Eventually.HoldsAsync(async () => await Books.HeldAsync([user]) == 0, "the end of all holds");
        var last = await user.ChatAsync(model, prompt, at: Stack.Proxy2);
        Assert.Equal(source is "wallet" or "cap" or "credits" ? 402 : 429, last.Status);
        Assert.Equal("0", await LeftAsync(user, source, cost, tokens));
    }

    static async Task<string> LeftAsync(User user, string source, long cost, long tokens) => source switch
    {
        "wallet" => Gateway.Usd(await user.BalanceAsync()),
        "cap" => Left(cost, await CountedAsync(user, kind: 2, unit: 1)),
        "quota" => Left(tokens, await CountedAsync(user, kind: 4, unit: 2)),
        "credits" => (await Backend.Queries.GetAsync($"/v1/customers/{user.CustomerId}/balances")).MustBe(200).Json
            .GetProperty("balances")[0].GetProperty("count").GetRawText(),
        _ => (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}/limits")).MustBe(200).Json[0].Text("left"),
    };

    static string Left(long of, long used) => Math.Max(0, of - used).ToString(CultureInfo.InvariantCulture);
}
