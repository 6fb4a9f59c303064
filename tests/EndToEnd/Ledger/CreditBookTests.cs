using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>Call credits in the tables, and that the ledger finds out who changes them.</summary>
public sealed class CreditBookTests
{
    static readonly Guid Balance = CallCredits.BalanceOf(OwnLedger.Project, "standard");
    static readonly Guid Standard = CallCredits.Denomination(OwnLedger.Project, "standard");

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("update entry set type = 2 where type = 0 and account = $1", "usage records and spent call credits agree")]
    [InlineData("update entry set amount = -2 where type = 0 and account = $1", "the entries of every unit sum to 0")]
    public async Task Credits_that_somebody_has_changed_are_found_out(string sql, string check)
    {
        await using var ledger = await StartAsync();
        await ledger.SettleAsync(Spent(), Spent());
        await ledger.VerifyAsync();
        await ledger.Seals.SealAsync(full: false, Token);
        await ledger.SettleAsync(Spent());
        await ledger.VerifyAsync();

        await ledger.TamperAsync("entry", sql.Replace("$1", $"'{Balance}' and version = 4"));

        foreach (var full in (bool[])[true, false])
            Assert.Contains(await ledger.WrongAsync(full), wrong => wrong.StartsWith(check, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Two_types_do_not_make_up_for_each_other()
    {
        await using var ledger = await StartAsync();
        await ledger.SettleAsync(Spent());
        await ledger.RunAsync(
            "update account set denomination = $1 where id = $2", Ids.New(), HouseAccounts.UsedCredits(Standard, false));
        var wrong = (await ledger.WrongAsync(full: true)).ToList();
        Assert.Contains(wrong, check => check.StartsWith("the entries of every unit", StringComparison.Ordinal));
        Assert.Contains(wrong, check => check.StartsWith("the entries of every transfer", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_request_that_a_credit_paid_is_booked_as_its_record_says_and_never_charged_by_a_new_price()
    {
        await using var ledger = await StartAsync();
        var (paid, nothing) = (Spent(cost: 40), Spent(cost: 0));
        await SettleAsRecordsAsync(ledger, paid, nothing);

        Assert.Equal(["3 2"], await ledger.RowsAsync("select posted, spent from account where id = $1", Balance));
        Assert.Equal(["0 0 40", "0 0 0"], await ledger.RowsAsync(
            "select charged, absorbed, covered from usage_record where request_id = any($1) order by cost desc",
            new[] { paid.Settlement.RequestId, nothing.Settlement.RequestId }));
        foreach (var settle in (Settle[])[paid, nothing])
            await ledger.Writer.RunAsync(new Rerate(
                Ids.New(), settle.Settlement.RequestId, ledger.Wallet, OwnLedger.Organization, OwnLedger.Project, false, Ids.New(), 90));
        Assert.Equal(
            ["0 0 50", "0 0 90"],
            await ledger.RowsAsync("select charged, absorbed, covered from correction order by new_cost - old_cost"));
        await ledger.VerifyAsync();
    }

    /// <summary>A call to a provider of the type free, and one whose call credit went back.</summary>
    [Fact]
    public async Task A_request_of_which_nothing_is_due_is_never_charged_by_a_new_price()
    {
        await using var ledger = await StartAsync();
        var free = ledger.Settlement(DateTimeOffset.UtcNow, cost: 0);
        var settlement = free.Settlement with { Charges = [], Due = 0 };
        await SettleAsRecordsAsync(ledger, free with { Settlement = settlement, Record = SettlementRecord.Encode(settlement).ToArray() });

        await ledger.Writer.RunAsync(ledger.Correction(free, cost: 90));

        Assert.Equal(["0 0 90"], await ledger.RowsAsync("select charged, absorbed, covered from correction"));
        await ledger.VerifyAsync();
    }

    [Fact]
    public async Task Credits_have_a_type_whoever_writes_them()
    {
        await using var ledger = await StartAsync();
        await Assert.ThrowsAsync<PostgresException>(() => ledger.RunAsync("update account set denomination = null where id = $1", Balance));
        await Assert.ThrowsAsync<PostgresException>(() => ledger.RunAsync("update account set unit = 0 where id = $1", Balance));
    }

    /// <summary>With five credits of one type.</summary>
    static async Task<OwnLedger> StartAsync()
    {
        var ledger = await OwnLedger.StartAsync();
        await ledger.Writer.RunAsync(new Open(
            new(Balance, AccountKind.Credits, Unit.Credits, OwnLedger.Organization, OwnLedger.Project, ledger.Wallet, false, 5)
            {
                Denomination = Standard,
            }));
        return ledger;
    }

    /// <summary>As a proxy's message brings them.</summary>
    static Task<Answer[]> SettleAsRecordsAsync(OwnLedger ledger, params Settle[] settlements) => ledger.SettleAsync(
        [.. settlements.Select(settle => new Settle(SettlementRecord.Decode(settle.Record.ToArray(), 0, settle.Record.Length)))]);

    static Settle Spent(long cost = 40)
    {
        var at = TimeProvider.System.GetUtcNow();
        var settlement = new Settlement(Ids.New(at), null, [new(Balance, 1) { Denomination = Standard }], new(
            OwnLedger.Organization, OwnLedger.Project, null, Ids.New(), null, false, "/v1/chat/completions", "small", "p", "m", null, false,
            at, 1, null, 200, RequestOutcome.Completed, new Usage { [Meter.Input] = 1 }.ToArray(), new Money(cost), false, null, null))
        {
            Due = cost == 0 ? null : 0,
        };
        return new(settlement) { Record = SettlementRecord.Encode(settlement).ToArray() };
    }
}
