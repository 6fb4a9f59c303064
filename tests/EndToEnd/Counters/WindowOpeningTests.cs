using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>Which client session took a unit is forgotten, and how many did is not.</summary>
public sealed class WindowOpeningTests : OnOwnLedger
{
    readonly Guid _counter = Ids.New(), _another = Ids.New();

    /// <summary>The date of bookings stands still until the clock has caught up; what is over is over by the clock.</summary>
    [Fact]
    public async Task A_session_may_open_twice_at_one_date_of_booking()
    {
        var session = Ids.New();
        await _ledger.RunAsync("update summed set booked_until = now() + interval '3 days'");

        await OpenAsync(_counter, session, daysAgo: null);
        await _ledger.RunAsync("update session_window set closes_at = now()");
        await OpenAsync(_counter, session, daysAgo: null);

        Assert.Equal(["2"], await _ledger.RowsAsync("select posted from account where id = $1", _counter));
        await _ledger.VerifyAsync();
    }

    /// <summary>Before and behind the last seal.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Openings_of_sessions_that_are_long_over_are_counted_together_and_the_books_stay_right(int beforeTheSeal)
    {
        for (var i = 0; i < 4; i++)
        {
            if (i == beforeTheSeal)
                await SealSixtyDaysAgoAsync();
            await OpenAsync(_counter, Ids.New(), daysAgo: i < beforeTheSeal ? 70 : 40);
        }
        var open = Ids.New();
        await OpenAsync(_counter, open, daysAgo: 40);
        await _ledger.RunAsync("update session_window set closes_at = now() where id = $1", open);
        await OpenAsync(_another, open, daysAgo: 40);
        await _ledger.RunAsync("delete from session_window where id <> $1", open);
        await _ledger.VerifyAsync();

        await WindowOpenings.FoldOverAsync(_ledger.Database, Token);

        await _ledger.VerifyAsync();
        Assert.Equal([$"{open}", $"{open}"], await _ledger.RowsAsync("select session from window_opening"));
        Assert.Equal([$"{_counter} 4"], await _ledger.RowsAsync("select register, amount from counter_opening"));
        Assert.Equal(["1", "5"], await _ledger.RowsAsync("select posted from account where kind = 6 order by posted"));

        await _ledger.RunAsync("delete from session_window");
        await WindowOpenings.FoldOverAsync(_ledger.Database, Token);
        Assert.True((await _ledger.Seals.SealAsync(full: true, Token))!.IsRight);
        await OpenAsync(_counter, Ids.New(), daysAgo: 0);
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task Openings_of_the_last_month_stay()
    {
        await OpenAsync(_counter, Ids.New(), daysAgo: 27);
        await _ledger.RunAsync("delete from session_window");

        await WindowOpenings.FoldOverAsync(_ledger.Database, Token);

        Assert.Equal(["1"], await _ledger.RowsAsync("select count(*) from window_opening"));
    }

    [Fact]
    public async Task A_counter_that_is_deleted_takes_its_openings_with_it()
    {
        await OpenAsync(_counter, Ids.New(), daysAgo: 0);
        await _ledger.RunAsync("update account set ends_at = now() - interval '92 days' where id = $1", _counter);

        Assert.Equal(1, await EndedCounters.DeleteAsync(_ledger.Database, Token));

        Assert.Equal(["0"], await _ledger.RowsAsync("select count(*) from window_opening"));
        await _ledger.VerifyAsync();
    }

    async Task SealSixtyDaysAgoAsync()
    {
        Assert.True((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);
        await _ledger.TamperAsync("transfer", "update transfer set created_at = created_at - interval '90 days'");
        await _ledger.RunAsync("update sealed set proved_at = proved_at - interval '60 days'");
    }

    async Task OpenAsync(Guid counter, Guid session, int? daysAgo)
    {
        var term = new CounterTerm(
            AccountKind.Windows, Unit.Windows, null, 100, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var scope = new CounterScope(OwnLedger.Organization, OwnLedger.Project, _ledger.Wallet, false);
        Assert.IsType<Answer.Opened>(await _ledger.Writer.RunAsync(
            new OpenWindows(new(scope, [new(session, [new(counter, term)])]))));
        if (daysAgo is { } days)
            await _ledger.TamperAsync("window_opening", $"""
                update window_opening set created_at = now() - interval '{days} days'
                where session = '{session}' and register = '{counter}'
                """);
    }
}
