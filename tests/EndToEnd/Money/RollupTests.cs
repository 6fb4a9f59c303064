using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>The sums of the usage log on a real server.</summary>
public sealed class RollupTests : IAsyncLifetime
{
    /// <summary>The first moment of this month.</summary>
    static readonly DateTimeOffset This = new(DateTime.UtcNow.Year, DateTime.UtcNow.Month, 1, 0, 0, 0, TimeSpan.Zero);

    OwnLedger _ledger = null!;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _ledger = await OwnLedger.StartAsync();

    public async ValueTask DisposeAsync() => await _ledger.DisposeAsync();

    [Fact]
    public async Task Requests_around_a_months_end_that_are_booked_late_corrected_and_dropped_stay_in_the_sums()
    {
        var old = This.AddMonths(-5);
        await _ledger.RunAsync("select open_usage_month($1)", DateOnly.FromDateTime(old.DateTime));
        Settle[] before = [.. Enumerable.Range(0, 20).Select(n => _ledger.Settlement(old.AddSeconds(n), cost: 10))];
        await _ledger.SettleAsync(before[..15]);
        await _ledger.Seals.SealAsync(full: false, Token);
        await _ledger.SettleAsync(before);
        await _ledger.Writer.RunAsync([Correction(before[0], 4), Correction(before[19], 12)]);
        await _ledger.VerifyAsync();

        // What came after the seal counts in the quarter of its booking, its corrections, too.
        Assert.Equal(["15 150 0", "5 46 5"], await TotalsAsync());

        await _ledger.Months(days: 35).DropAsync(DateTimeOffset.UtcNow, Token);

        Assert.Equal(["15 150 0", "5 46 5"], await TotalsAsync());
        Assert.Equal(new Answer.Refused(before[1].Settlement.RequestId, LeaseRefusalReason.Unknown, 0),
            await _ledger.Writer.RunAsync(Correction(before[1], 4)));
        await _ledger.VerifyAsync();
    }

    /// <summary>Some come two minutes late and after a seal, and none of them in order.</summary>
    [Fact]
    public async Task Five_hundred_requests_across_a_months_end_are_in_the_sums_to_the_nano()
    {
        var random = new Random(16);
        var settled = Enumerable.Range(0, 500)
            .Select(_ => _ledger.Settlement(This.AddMilliseconds(random.Next(-120_000, 120_000)), cost: random.Next(1, 1_000))).ToArray();
        var cost = settled.Sum(settle => settle.Settlement.Usage.Cost.Nanos);
        random.Shuffle(settled);
        foreach (var (i, batch) in settled.Chunk(50).Index())
        {
            await Task.WhenAll(batch.Chunk(10).Select(_ledger.SettleAsync));
            if (i % 3 == 1)
                Assert.True((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);
        }

        foreach (var grain in (int[])[0, 1])
            Assert.Equal([$"500 {cost} {cost}"], await _ledger.RowsAsync(
                $"select sum(requests), sum(cost), sum(charged) from rollup where grain = {grain} and dimension = 0"));
        Assert.Equal([$"500 {cost}"], await _ledger.RowsAsync("select count(*), sum(charged) from usage_record"));
        Assert.Equal([$"{cost}"], await _ledger.RowsAsync("select posted from account where kind = 101"));
        Assert.Equal(["2"], await _ledger.RowsAsync("select count(distinct tableoid) from usage_record"));
        await _ledger.VerifyAsync();
    }

    Task<List<string>> TotalsAsync() => _ledger.RowsAsync(
        "select sum(requests), sum(cost), sum(late) from rollup where grain = 0 and dimension = 0 group by at < $1 order by 1 desc",
        This.AddMonths(-1));

    [Fact]
    public async Task Rows_of_the_version_before_are_summed_up_as_if_they_came_now()
    {
        Settle[] settled = [.. Enumerable.Range(0, 30).Select(n => _ledger.Settlement(DateTimeOffset.UtcNow.AddMinutes(-7 * n), n))];
        await _ledger.SettleAsync(settled);
        await _ledger.Writer.RunAsync([.. settled[5..].Select(settle => Correction(settle, 7))]);
        const string Rows = "select * from rollup order by grain, dimension, at, value";
        var rows = await _ledger.RowsAsync(Rows);
        using var script = new StreamReader(typeof(WalletDb).Assembly.GetManifestResourceStream("0009_rollups.sql")!);
        var text = await script.ReadToEndAsync(Token);

        await _ledger.RunAsync($"delete from rollup; {text[text.IndexOf("insert into rollup\n", StringComparison.Ordinal)..]}");

        Assert.Equal(rows, await _ledger.RowsAsync(Rows));
        await _ledger.VerifyAsync();
    }

    Rerate Correction(Settle settle, long cost) => new(
        Ids.New(), settle.Settlement.RequestId, _ledger.Wallet, OwnLedger.Organization, OwnLedger.Project, false, Ids.New(), cost);
}
