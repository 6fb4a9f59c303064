using System.Globalization;
using System.Text.Json;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>A plan's quota at its edge: some units left, one, exactly none, and what is told of it.</summary>
public sealed class QuotaEdgeTests
{
    /// <summary>What a call takes, and the most that it could have taken.</summary>
    const int PerCall = 19, Bound = 116;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>The quota is all that there is, so a call is served as long as all that it may use is left.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(Bound - 1, 0)]
    [InlineData(Bound, 1)]
    [InlineData(PerCall + Bound - 1, 1)]
    [InlineData(PerCall + Bound, 2)]
    public async Task Without_overage_the_call_that_could_use_one_token_too_many_is_refused(int tokens, int calls)
    {
        var user = await SubscriberAsync(tokens, overagePicos: null);

        for (var i = 0; i < calls; i++)
            Assert.Equal($"tokens={PerCall}", (await AskAsync(user, i)).MustBe(200)["X-LLMGateway-Used"]);

        foreach (var proxy in (int[])[0, 1])
        {
            var limit = (await AskAsync(user, proxy)).MustBeProblem(429, "limit_reached").Json.GetProperty("error").GetProperty("limit");
            Assert.Equal(
                ("plan", "tokens", $"{calls * PerCall}", $"{tokens}", $"{Bound - (tokens - (calls * PerCall))}"),
                (limit.Text("level"), limit.Text("unit"), limit.Text("used"), limit.Text("limit"), limit.Text("missing")));
        }
        Assert.Equal(calls, (await Books.UsageAsync(user, calls)).Count);
        Assert.Equal(1_000_000_000, await user.BalanceAsync());
    }

    /// <summary>The wallet pays from that token on that the quota does not have.</summary>
    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(1, 1, 0)]
    [InlineData(PerCall - 1, PerCall - 1, 0)]
    [InlineData(PerCall, PerCall, 0)]
    [InlineData(PerCall + 1, PerCall, 1)]
    [InlineData(2 * PerCall, PerCall, PerCall)]
    public async Task With_overage_the_quota_pays_to_its_last_token_and_the_wallet_from_the_next_on(int tokens, int first, int second)
    {
        const long NanosPerToken = 2_000_000;
        var user = await SubscriberAsync(tokens, overagePicos: NanosPerToken * 1_000_000_000);
        int[] ofQuota = [first, second, 0];

        foreach (var (i, paid) in ofQuota.Index())
        {
            var reply = (await AskAsync(user, i)).MustBe(200);
            Assert.Equal(paid > 0 ? $"tokens={paid}" : null, reply["X-LLMGateway-Used"]);
            Assert.Equal(
                (PerCall - paid) * NanosPerToken,
                (long)(decimal.Parse(reply["X-LLMGateway-Cost"]!, CultureInfo.InvariantCulture) * 1_000_000_000));
            await Books.UsageAsync(user, i + 1);
        }

        Assert.Equal(1_000_000_000 - (((3 * PerCall) - tokens) * NanosPerToken), await user.BalanceAfterAsync(3));
        // A threshold is told of with the call that reaches it: one that is missed by a token is told of with the next.
        int[] thresholds = tokens == 0 ? [] : [50, 80, 100];
        int[] usedAfter = [first, first + second, first + second];
        Assert.Equal(
            thresholds.Select(percent => $"{percent}% {usedAfter.First(used => used * 100 >= percent * tokens)} of {tokens}"),
            await ToldAsync(user, thresholds.Length));
    }

    static async Task<User> SubscriberAsync(int tokens, long? overagePicos)
    {
        var user = await Backend.App.NewUserAsync();
        await Books.GivePlanAsync(user, tokens, overagePicos);
        return user;
    }

    static Task<Reply> AskAsync(User user, int i) => user.ChatAsync("narrow", Price.Question, at: Stack.Proxies[i % 2]);

    static Task<List<string>> ToldAsync(User user, int count) => Eventually.GetAsync(async () =>
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("webhooks"));
        await using var query = database.CreateCommand(
            "select body from event where subject = $1 and type = 'limit.threshold' order by sequence");
        query.Parameters.Add(new() { Value = user.Customer });
        var told = new List<string>();
        await using var row = await query.ExecuteReaderAsync(Token);
        while (await row.ReadAsync(Token))
        {
            var data = JsonSerializer.Deserialize<JsonElement>(row.GetString(0)).GetProperty("data");
            told.Add($"{data.Int("percent")}% {data.Text("used")} of {data.Text("limit")}");
        }
        return told;
    }, told => told.Count >= count, $"{count} events");
}
