using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>The events of the ledger in its own tables: their numbers, and what is remembered between batches.</summary>
public sealed class EventTableTests
{
    const string Events = """
        select body ->> 'sequence', body ->> 'type', (body ->> 'data')::jsonb ->> 'balance' from outbox_message order by position
        """;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Each credit says the balance that it left, so balances that rise with the numbers show the order of commits.</summary>
    [Fact]
    public async Task Two_ledgers_number_the_events_of_one_customer_without_gaps_in_the_order_of_their_commits()
    {
        await using var ledger = await OwnLedger.StartAsync();
        using var other = ledger.NewWriter();
        await other.StartAsync(Token);

        await Task.WhenAll(Enumerable.Range(0, 300).Select(i =>
            (i % 2 == 0 ? ledger.Writer : other).RunAsync(ledger.Credit(Ids.New(), null, amount: 1 + i))));

        var rows = (await ledger.RowsAsync(Events)).ConvertAll(row => row.Split(' '));
        Assert.Equal(Enumerable.Range(1, 301).Select(number => $"{number}"), rows.Select(row => row[0]));
        var balances = rows.ConvertAll(row => Money.Parse(row[2]).Nanos);
        Assert.Equal(balances.Order(), balances);
        Assert.Equal([$"{ledger.Wallet} 301"], await ledger.RowsAsync("select subject, last from event_sequence"));
        await other.StopAsync(Token);
    }

    [Fact]
    public async Task A_batch_that_is_lost_takes_its_numbers_with_it()
    {
        await using var ledger = await OwnLedger.StartAsync();
        var impossible = new GiveBack(new(Ids.New(), 1, [new(ledger.Wallet, 5)]));
        await ledger.Writer.RunAsync(new Extend(new(impossible.Return.Lease, 1, "proxy", [new(ledger.Wallet, 1, 1, 1, 1)])));

        await Assert.ThrowsAsync<InvalidOperationException>(() => ledger.Writer.RunAsync(
            [ledger.Credit(Ids.New(), null), impossible, ledger.Credit(Ids.New(), null)]));

        Assert.Equal(
            ["1 wallet.credited 1", "2 wallet.credited 1.00000007", "3 wallet.credited 1.00000014"], await ledger.RowsAsync(Events));
    }

    [Fact]
    public async Task What_was_told_is_remembered_and_a_batch_that_tells_nothing_writes_no_event()
    {
        await using var ledger = await OwnLedger.StartAsync();
        var (lease, limit) = (Ids.New(), Ids.New());
        var term = new CounterTerm(
            AccountKind.Limit, Unit.Tokens, null, 100, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1))
        {
            Name = "monthly", Thresholds = [10, 90],
        };
        await ledger.Writer.RunAsync(new Extend(new(lease, 1, "proxy",
        [
            new(limit, 0, 0, 0, 0) { Counter = term },
            new(ledger.Wallet, 1, 1, 1, 1) { LowMark = Money.NanosPerUsd / 2 },
        ])
        {
            FirstSource = 1, Scope = new(OwnLedger.Organization, OwnLedger.Project, ledger.Wallet, false), SaysMarks = true,
        }));
        foreach (var (cost, tokens) in ((long, long)[])[(400_000_000, 9), (100_000_001, 41), (1, 40), (1, 1)])
        {
            var settle = ledger.Settlement(DateTimeOffset.UtcNow, cost);
            await ledger.SettleAsync(settle with
            {
                Settlement = settle.Settlement with { Charges = [new(limit, tokens), new(ledger.Wallet, cost)] },
            });
        }

        Assert.Equal(
            ["1 wallet.credited 1", "2 limit.threshold null", "3 wallet.low_balance 0.499999999", "4 limit.threshold null"],
            await ledger.RowsAsync(Events));
        Assert.Equal(
            [
                """{"customerId": "CUSTOMER", "limitId": "monthly", "unit": "tokens", "percent": 10, "used": "50", "limit": "100"}""",
                """{"customerId": "CUSTOMER", "limitId": "monthly", "unit": "tokens", "percent": 90, "used": "90", "limit": "100"}""",
            ],
            (await ledger.RowsAsync("""
                select json_build_object('customerId', d ->> 'customerId', 'limitId', d ->> 'limitId', 'unit', d ->> 'unit',
                    'percent', d -> 'percent', 'used', d ->> 'used', 'limit', d ->> 'limit')
                from (select (body ->> 'data')::jsonb d, position from outbox_message where body ->> 'type' = 'limit.threshold') e
                order by position
                """)).ConvertAll(row => row.Replace(Ids.Show(Ids.Customer, ledger.Wallet), "CUSTOMER").Replace(" : ", ": ")));
    }
}
