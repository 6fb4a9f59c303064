using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>What an erased customer leaves in the ledger, and that nobody waits for it.</summary>
public sealed class ErasureTests : OnOwnLedger
{
    [Fact]
    public async Task Page_by_page_all_is_erased_that_says_who_a_customer_was_and_nothing_of_others()
    {
        var (other, counter) = (Ids.New(), Ids.New());
        await _ledger.Writer.RunAsync(_ledger.Credit(Ids.New(), "first of jane"));
        await SettleAsync(_ledger.Wallet, 5_200);
        await SettleAsync(other, 2);
        await _ledger.Writer.RunAsync(_ledger.Credit(Ids.New(), "last of jane"));
        await _ledger.RunAsync("insert into note select gen_random_uuid(), 'for joe'");
        await KeepAnswersAsync(_ledger.Wallet);
        await KeepAnswersAsync(other);
        foreach (var customer in (Guid[])[_ledger.Wallet, other])
            await OpenWindowAsync(customer, customer == other ? Ids.New() : counter);
        var accounts = await _ledger.RowsAsync("select id, posted, version from account order by id");

        await EraseAsync(_ledger.Wallet);
        await EraseAsync(_ledger.Wallet);
        Assert.True(await TakeTurnsAsync() > 0);

        await OnlyOthersAreLeftAsync();
        // As if its process had died before it noted that.
        await _ledger.RunAsync("update erasure set step = 0, done_at = null, due_at = now()");
        Assert.True(await TakeTurnsAsync() > 0);
        await OnlyOthersAreLeftAsync();
        Assert.Equal(accounts, await _ledger.RowsAsync("select id, posted, version from account order by id"));
        Assert.Equal([$"{counter} 1"], await _ledger.RowsAsync("select register, amount from counter_opening"));
        await _ledger.VerifyAsync();

        async Task OnlyOthersAreLeftAsync()
        {
            Assert.Equal(["for joe"], await _ledger.RowsAsync("select text from note where text not in ('initial amount')"));
            Assert.Equal(["2"], await _ledger.RowsAsync("select count(*) from usage_raw"));
            Assert.Equal(["2", "4"], await _ledger.RowsAsync("select state from paid_call where owner = $1 order by state", other));
            Assert.Equal(["2"], await _ledger.RowsAsync("select state from paid_call where owner = $1", _ledger.Wallet));
            Assert.Equal([$"{other}"], await _ledger.RowsAsync("select owner from session_window"));
            Assert.Equal(["1"], await _ledger.RowsAsync("select count(*) from window_opening"));
        }
    }

    [Fact]
    public async Task Who_is_erased_is_not_read_through_again_but_what_comes_later_is_erased_later()
    {
        await EraseAsync(_ledger.Wallet);
        await TakeTurnsAsync();
        await _ledger.Writer.RunAsync(_ledger.Credit(Ids.New(), "for jane"));
        await EraseAsync(_ledger.Wallet);
        Assert.Equal(0, await _ledger.Erasures.TakeTurnAsync(Token));

        await _ledger.RunAsync("update erasure set done_at = done_at - interval '1 hour'");
        await EraseAsync(_ledger.Wallet);
        await TakeTurnsAsync();

        Assert.Equal(["0"], await _ledger.RowsAsync("select count(*) from note where text = 'for jane'"));
    }

    /// <summary>Sealing takes as long as there is much to prove, and a process has a hundred connections.</summary>
    [Fact]
    public async Task While_the_books_are_sealed_nobody_waits_for_erasures_and_only_client_sessions_stay()
    {
        await _ledger.Writer.RunAsync(_ledger.Credit(Ids.New(), "for jane"));
        await OpenWindowAsync(_ledger.Wallet, Ids.New());
        await using (var connection = await _ledger.Database.OpenConnectionAsync(Token))
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await connection.RunAsync("select pg_advisory_xact_lock($1)", Token, Seals.RoundLock);
            await Task.WhenAll(Enumerable.Range(0, 150).Select(n => EraseAsync(n == 0 ? _ledger.Wallet : Ids.New())))
                .WaitAsync(TimeSpan.FromSeconds(20), Token);
            Assert.Equal(new Answer.Done(), await _ledger.Writer.RunAsync(_ledger.Credit(Ids.New(), null)).WaitAsync(Token));
            await TakeTurnsAsync().WaitAsync(TimeSpan.FromSeconds(30), Token);
            Assert.Equal(["0"], await _ledger.RowsAsync("select count(*) from note where text = 'for jane'"));
            Assert.Equal(["1"], await _ledger.RowsAsync("select count(*) from window_opening"));
        }

        await _ledger.RunAsync("update erasure set due_at = now()");
        await TakeTurnsAsync();

        Assert.Equal(["0"], await _ledger.RowsAsync("select count(*) from window_opening"));
        Assert.Equal(["0"], await _ledger.RowsAsync("select count(*) from erasure where done_at is null"));
    }

    [Fact]
    public async Task What_was_put_aside_of_a_customer_stays_without_what_its_provider_said()
    {
        var longAgo = DateTimeOffset.UtcNow.AddYears(-1);
        await SettleAsync(_ledger.Wallet, 2, longAgo);
        await SettleAsync(Ids.New(), 1, longAgo);
        await EraseAsync(_ledger.Wallet);
        await TakeTurnsAsync();

        await using var query = _ledger.Database.Sql("select record from stale_settlement");
        await using var row = await query.ExecuteReaderAsync(Token);
        var kept = new List<UsageRecord>();
        while (await row.ReadAsync(Token))
            kept.Add(SettlementRecord.Decode(row.GetFieldValue<byte[]>(0), 0, row.GetFieldValue<byte[]>(0).Length).Usage);
        Assert.Equal(3, kept.Count);
        Assert.All(kept, usage => Assert.Equal((5, usage.Customer == _ledger.Wallet ? null : "{}"), (usage.Cost.Nanos, usage.RawUsage)));
    }

    [Fact]
    public async Task Customers_who_have_much_take_turns()
    {
        var slow = _ledger.NewErasures(new LeapingTime { Step = TimeSpan.FromSeconds(6) });
        await EraseAsync(_ledger.Wallet);
        await EraseAsync(Ids.New());

        Assert.Equal((1, 1), (await slow.TakeTurnAsync(Token), await slow.TakeTurnAsync(Token)));

        Assert.Equal(["1", "1"], await _ledger.RowsAsync("select step from erasure"));
    }

    async Task EraseAsync(Guid customer)
    {
        using var response = await _ledger.Http.PostAsync($"/internal/customers/{customer}/erase", null, Token);
        Assert.Equal(System.Net.HttpStatusCode.NoContent, response.StatusCode);
    }

    /// <summary>Until none is due.</summary>
    async Task<int> TakeTurnsAsync()
    {
        var turns = 0;
        while (await _ledger.Erasures.TakeTurnAsync(Token) > 0)
            turns++;
        return turns;
    }

    async Task SettleAsync(Guid customer, int count, DateTimeOffset? until = null)
    {
        foreach (var batch in Enumerable.Range(0, count).Chunk(400))
            await _ledger.SettleAsync([.. batch.Select(n =>
            {
                var settlement = _ledger.Settlement((until ?? DateTimeOffset.UtcNow).AddSeconds(-n), raw: "{}").Settlement;
                settlement = settlement with { Usage = settlement.Usage with { Customer = customer } };
                return new Settle(settlement) { Record = SettlementRecord.Encode(settlement).ToArray() };
            })]);
    }

    /// <summary>One that runs, one that is free, and one with an answer.</summary>
    Task KeepAnswersAsync(Guid owner) => _ledger.RunAsync("""
        insert into paid_call (id, owner, request_id, holder, input_hash, state, until, sealed, total)
        select gen_random_uuid(), $1, gen_random_uuid(), 'proxy', '\x00', state, now() + interval '1 day',
            case state when 4 then '\x01'::bytea end, case state when 4 then 1 end
        from unnest(case when $2 then array[0, 2, 4] else array[2, 4] end) as state
        """, owner, owner == _ledger.Wallet);

    async Task OpenWindowAsync(Guid customer, Guid counter)
    {
        var term = new CounterTerm(
            AccountKind.Windows, Unit.Windows, null, 100, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        Assert.IsType<Answer.Opened>(await _ledger.Writer.RunAsync(new OpenWindows(new(
            new(OwnLedger.Organization, OwnLedger.Project, customer, false), [new(Ids.New(), [new(counter, term)])]))));
    }
}
