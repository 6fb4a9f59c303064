using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>How long sums say which session it was.</summary>
public sealed class SessionSumsTests : OnOwnLedger
{
    readonly Guid _key = Ids.New();

    [Fact]
    public async Task Sums_of_single_sessions_are_folded_day_by_day_and_those_of_keys_and_of_the_last_months_stay()
    {
        var young = Ids.New();
        await SettleAsync(Ids.New(), Ids.New(), Ids.New(), null, null);
        await _ledger.Rollups.SumUpAsync(Token);
        await _ledger.RunAsync("update rollup set at = at - interval '120 days'");
        await SettleAsync(young);
        await _ledger.Rollups.SumUpAsync(Token);
        await _ledger.VerifyAsync();

        Assert.Equal((1, 0), (await SessionSums.FoldAsync(_ledger.Database, Token), await SessionSums.FoldAsync(_ledger.Database, Token)));

        foreach (var grain in (int[])[0, 1])
            Assert.Equal(
                [" 3 15", $"key_{_key:N} 2 10", $"ses_{young:N} 1 5"],
                await _ledger.RowsAsync($"""
                    select value, sum(requests), sum(cost) from rollup where grain = {grain} and dimension = 5 group by value order by value
                    """));
        await _ledger.VerifyAsync();
        Assert.True((await _ledger.Seals.SealAsync(full: true, Token))!.IsRight);
    }

    /// <summary>Of sessions, or of one key.</summary>
    Task<Answer[]> SettleAsync(params Guid?[] families)
    {
        var now = DateTimeOffset.UtcNow;
        return _ledger.SettleAsync([.. families.Select(family =>
        {
            var settle = _ledger.Settlement(now);
            return settle with
            {
                Settlement = settle.Settlement with { Usage = settle.Settlement.Usage with { Family = family, Credential = _key } },
            };
        })]);
    }
}
