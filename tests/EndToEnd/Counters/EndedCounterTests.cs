using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>Which counters leave the ledger, on a real server.</summary>
public sealed class EndedCounterTests : OnOwnLedger
{
    static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;

    [Fact]
    public async Task Counters_are_deleted_long_after_their_cycle_and_money_never()
    {
        var (old, held, young) = (Ids.New(), Ids.New(), Ids.New());
        foreach (var counter in (Guid[])[old, held, young])
            await ClaimAsync(counter);
        await _ledger.RunAsync("delete from lease_account where account <> $1", held);
        await _ledger.RunAsync("delete from lease where not $1 = any(accounts)", held);
        await _ledger.RunAsync("update account set reserved = 0 where id <> $1", held);
        await _ledger.RunAsync("update account set ends_at = now() - interval '92 days' where id <> $1", young);
        Assert.True((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);

        Assert.Equal(1, await EndedCounters.DeleteAsync(_ledger.Database, Token));

        Assert.Equal(
            [held, young],
            (await _ledger.RowsAsync("select id from account where kind = 3")).Select(Guid.Parse).OrderBy(id => id == young));
        Assert.Equal(["0"], await _ledger.RowsAsync("select count(*) from seal where account = $1", old));
        foreach (var attempt in (string[])["delete from account where kind in (0, 101)", "truncate account"])
            Assert.Contains("never changed or deleted",
                (await Assert.ThrowsAsync<Npgsql.PostgresException>(() => _ledger.RunAsync(attempt))).MessageText);
    }

    [Fact]
    public async Task What_comes_after_its_counter_is_gone_is_in_the_usage_log_and_the_books_stay_right()
    {
        var month = new DateTimeOffset(DateTime.UtcNow.Year, DateTime.UtcNow.Month, 1, 0, 0, 0, TimeSpan.Zero).AddMonths(-4);
        await _ledger.RunAsync("select open_usage_month($1)", DateOnly.FromDateTime(month.DateTime));
        var (counter, late) = (Ids.New(), _ledger.Settlement(month));
        late = late with { Settlement = late.Settlement with { Charges = [new(counter, 30), .. late.Settlement.Charges] } };

        Assert.Equal([new Answer.Done(), new Answer.Done(Repeated: true)], await _ledger.SettleAsync(late, late));

        Assert.Equal([$"{{{counter}}} {{30}} 5 0"],
            await _ledger.RowsAsync("select counted::text, counts::text, charged, absorbed from usage_record"));
        await _ledger.VerifyAsync();
    }

    Task<Answer> ClaimAsync(Guid counter) => _ledger.Writer.RunAsync(new Extend(
        new(Ids.New(), 1, "proxy", [
            new(counter, 1, 1, 1, 1)
            {
                Counter = new(AccountKind.Limit, Unit.Tokens, null, 10, Now.AddHours(-1), Now.AddHours(1)),
            }])
        {
            FirstSource = 1, Scope = new(OwnLedger.Organization, OwnLedger.Project, _ledger.Wallet, false),
        }));
}
