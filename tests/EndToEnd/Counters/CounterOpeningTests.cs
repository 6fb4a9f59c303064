using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>What a counter gets of requests that did not ask it, on a real server.</summary>
public sealed class CounterOpeningTests : OnOwnLedger
{
    static readonly DateTimeOffset Edge = DateTimeOffset.UtcNow.AddHours(-2);

    readonly Guid _counter = Ids.New();

    [Fact]
    public async Task Each_request_counts_once_whether_it_names_the_counter_or_was_found_in_the_log()
    {
        await SettleAsync(Edge.AddSeconds(-1), Edge, Edge.AddMinutes(1));
        await OpenAsync(_counter);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => OpenAsync(_counter)));
        Assert.Equal(["2"], await CountAsync(_counter));

        var named = _ledger.Settlement(Edge.AddMinutes(2));
        await _ledger.SettleAsync(
            named with { Settlement = named.Settlement with { Charges = [new(_counter, 1), .. named.Settlement.Charges] } });
        await SettleAsync(Edge.AddMinutes(3));
        Assert.Equal(["3"], await CountAsync(_counter));
        await _ledger.VerifyAsync();
        Assert.True((await _ledger.Seals.SealAsync(full: false, Token))!.IsRight);

        await OpenAsync(_counter);

        Assert.Equal(["4"], await CountAsync(_counter));
        await _ledger.VerifyAsync();
    }

    /// <summary>Twenty minutes after the edge every row is in a whole quarter, and none of those is read.</summary>
    [Theory]
    [InlineData(Unit.Requests, "9")] // three, and a batch of six
    [InlineData(Unit.Tokens, "3")]
    [InlineData(Unit.UsdLimit, "20")]
    public async Task All_that_a_customer_has_used_is_in_sums_that_are_read_however_many_requests_there_were(Unit unit, string used)
    {
        await SettleAsync(Edge.AddSeconds(-1), Edge, Edge.AddMinutes(20), Edge.AddMinutes(70));
        await SettleAsync(BatchOf(6, Edge.AddMinutes(40)));
        await _ledger.Rollups.SumUpAsync(Token);
        await _ledger.TamperAsync(
            "usage_record", $"delete from usage_record where started_at > '{Edge.AddMinutes(15):O}' and reason is null");

        await OpenAsync(_counter, unit);

        Assert.Equal([used], await CountAsync(_counter));
    }

    [Fact]
    public async Task What_is_asked_for_is_owed_until_what_ran_meanwhile_has_ended()
    {
        await SettleAsync(Edge);
        await OpenAsync(_counter, later: true);
        Assert.Equal([], await CountAsync(_counter));
        await OpenAsync(_counter);
        Assert.Equal(["1"], await CountAsync(_counter));
        Assert.Equal(0, await OpenOwedAsync());

        await SettleAsync(Edge.AddMinutes(1)); // it ran when the limit came
        await _ledger.RunAsync("update owed_opening set due_at = now()");
        Assert.Equal(1, await OpenOwedAsync());

        Assert.Equal(["2"], await CountAsync(_counter));
        Assert.Equal(["0"], await _ledger.RowsAsync("select count(*) from owed_opening"));
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task A_sum_that_takes_long_is_not_waited_for_and_is_not_forgotten()
    {
        await SettleAsync(Edge);
        await using (var connection = await _ledger.Database.OpenConnectionAsync(Token))
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await using var hold = new NpgsqlCommand("lock table usage_record in access exclusive mode", connection, transaction);
            await hold.ExecuteNonQueryAsync(Token);
            await OpenAsync(_counter, model: "small");
            Assert.Equal([], await CountAsync(_counter));
        }

        await _ledger.RunAsync("update owed_opening set due_at = now()");
        Assert.Equal(1, await OpenOwedAsync());

        Assert.Equal(["1"], await CountAsync(_counter));
    }

    [Fact]
    public async Task What_was_used_of_a_cycle_that_is_over_is_not_counted_any_more()
    {
        await SettleAsync(Edge);
        await OpenAsync(_counter, later: true, to: Edge.AddHours(1));
        await _ledger.RunAsync("update owed_opening set due_at = now()");

        Assert.Equal((1, 0), (await OpenOwedAsync(), await OpenOwedAsync()));
        Assert.Equal([], await CountAsync(_counter));
    }

    [Theory]
    [InlineData(Unit.Tokens, "small", "2")] // one of each settlement
    [InlineData(Unit.Tokens, "p/small", "2")]
    [InlineData(Unit.Tokens, "q/small", null)]
    [InlineData(Unit.UsdLimit, null, "10")] // what the wallet paid
    [InlineData(Unit.Requests, null, "2")]
    public async Task A_counter_gets_what_its_limit_would_have_counted_in_its_unit(Unit unit, string? model, string? found)
    {
        await SettleAsync(Edge, Edge.AddMinutes(1));

        await OpenAsync(_counter, unit, model);

        Assert.Equal(found is null ? [] : [found], await CountAsync(_counter));
    }

    /// <summary>Nothing pays, or quota alone: what the first costs counts, as it does when the limit is there.</summary>
    [Theory]
    [InlineData(null, null, "5")]
    [InlineData(0L, null, null)]
    [InlineData(null, "small", "5")]
    [InlineData(0L, "small", null)]
    public async Task Of_requests_without_a_wallet_a_limit_in_dollars_gets_what_nothing_paid(long? due, string? model, string? found)
    {
        var settlement = _ledger.Settlement(Edge).Settlement with { Charges = [], Due = due };
        await SettleAsync(new Settle(settlement) { Record = SettlementRecord.Encode(settlement).ToArray() });

        await OpenAsync(_counter, Unit.UsdLimit, model);

        Assert.Equal(found is null ? [] : [found], await CountAsync(_counter));
    }

    /// <summary>
    /// A batch that cost less than its bound, which the counter has counted whole, or a request that its wallet could not pay whole.
    /// </summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task What_was_counted_and_not_paid_hides_nothing_that_was_used_without_the_limit(bool isAbsorbed, bool isSummedUp)
    {
        await SettleAsync(Edge.AddMinutes(20));
        await OpenAsync(_counter, Unit.UsdLimit);
        var counted = isAbsorbed ? 2 * Money.NanosPerUsd : 100;
        var named = _ledger.Settlement(Edge.AddMinutes(21), cost: counted);
        await SettleAsync(named with
        {
            Settlement = named.Settlement with { Charges = [new(_counter, counted), .. named.Settlement.Charges] },
        });
        if (!isAbsorbed)
            await _ledger.Writer.RunAsync(_ledger.Correction(named, cost: 10));
        await _ledger.Writer.RunAsync(_ledger.Credit(Ids.New(), null));
        await SettleAsync(_ledger.Settlement(Edge.AddMinutes(22), cost: 50));
        if (isSummedUp)
            await _ledger.Rollups.SumUpAsync(Token);

        await OpenAsync(_counter, Unit.UsdLimit);
        await OpenAsync(_counter, Unit.UsdLimit);

        Assert.Equal([$"{5 + counted + 50}"], await CountAsync(_counter));
        await _ledger.VerifyAsync();
    }

    /// <summary>A batch of two days ago: it was charged its bound then, and today it turns out what it cost.</summary>
    [Theory]
    [InlineData(5, false)]
    [InlineData(5, true)]
    [InlineData(500, true)]
    public async Task What_corrects_an_earlier_cycle_is_no_use_of_this_one_and_hides_none(long cost, bool isSummedUp)
    {
        var batch = _ledger.Settlement(Edge.AddDays(-2), cost: 100);
        await SettleAsync(batch);
        await _ledger.TamperAsync("usage_record", "update usage_record set created_at = started_at");
        await _ledger.RunAsync("update summed set until = now() - interval '3 days'");
        await _ledger.Rollups.SumUpAsync(Token);
        await _ledger.Writer.RunAsync(_ledger.Correction(batch, cost));
        await SettleAsync(_ledger.Settlement(Edge.AddMinutes(20), cost: 40));
        if (isSummedUp)
            await _ledger.Rollups.SumUpAsync(Token);

        await OpenAsync(_counter, Unit.UsdLimit);
        await OpenAsync(_counter, Unit.UsdLimit);

        Assert.Equal(["40"], await CountAsync(_counter));
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task What_cannot_be_counted_waits_longer_each_time_behind_the_others_and_not_for_ever()
    {
        await SettleAsync(Edge);
        await OpenAsync(_counter, later: true);
        await _ledger.RunAsync("update owed_opening set due_at = now() - interval '1 hour'");
        await _ledger.RunAsync("alter table counter_opening add constraint test_refuses check (amount < 0)");
        await Assert.ThrowsAsync<PostgresException>(OpenOwedAsync);
        Assert.Equal(["1 True"], await _ledger.RowsAsync(
            "select attempts, due_at between now() + interval '9 minutes' and now() + interval '10 minutes' from owed_opening"));
        await _ledger.RunAsync("update owed_opening set attempts = 5, due_at = now() - interval '1 hour'");
        await Assert.ThrowsAsync<PostgresException>(OpenOwedAsync);
        Assert.Equal(["6 True"], await _ledger.RowsAsync(
            "select attempts, due_at between now() + interval '319 minutes' and now() + interval '320 minutes' from owed_opening"));

        await _ledger.RunAsync("alter table counter_opening drop constraint test_refuses");
        await _ledger.RunAsync("update owed_opening set attempts = 14, due_at = now() - interval '1 hour'");
        var another = Ids.New();
        await OpenAsync(another, later: true);
        await _ledger.RunAsync("update owed_opening set due_at = now() where register = $1", another);
        Assert.Equal(1, await OpenOwedAsync());
        Assert.Equal(["1"], await CountAsync(another));
        Assert.Equal([], await CountAsync(_counter));

        await _ledger.RunAsync("update owed_opening set attempts = 15");
        Assert.Equal((1, 0), (await OpenOwedAsync(), await OpenOwedAsync()));
        Assert.Equal([], await CountAsync(_counter));
        Assert.Equal(["0"], await _ledger.RowsAsync("select count(*) from owed_opening"));
    }

    [Fact]
    public async Task What_another_version_has_written_and_this_one_cannot_read_is_in_nobodys_way()
    {
        await _ledger.RunAsync("insert into owed_opening (register, asked, due_at) values ($1, '{\"a\": 1}', now())", Ids.New());

        Assert.Equal((1, 0), (await OpenOwedAsync(), await OpenOwedAsync()));
        Assert.Equal(["0"], await _ledger.RowsAsync("select count(*) from owed_opening"));
    }

    [Fact]
    public async Task What_the_log_cannot_say_is_refused()
    {
        var refused = await OpenAsync(_counter, Unit.Windows);
        Assert.Equal("counters", (string?)refused["error"]!["param"]);
    }

    Task<Answer[]> SettleAsync(Settle settle) => _ledger.SettleAsync(settle);

    Task<Answer[]> SettleAsync(params DateTimeOffset[] begun) => _ledger.SettleAsync([.. begun.Select(at => _ledger.Settlement(at))]);

    Settle BatchOf(int lines, DateTimeOffset at)
    {
        var settlement = _ledger.Settlement(at).Settlement;
        settlement = settlement with
        {
            Usage = settlement.Usage with
            {
                Meters = new Usage { [Meter.Request] = lines }.ToArray(), Reason = BatchCost.Reason,
            },
        };
        return new(settlement) { Record = SettlementRecord.Encode(settlement).ToArray() };
    }

    Task<int> OpenOwedAsync() => OwedOpenings.OpenNextAsync(_ledger.Database, NullLogger.Instance, Token);

    Task<System.Text.Json.Nodes.JsonNode> OpenAsync(
        Guid counter, Unit unit = Unit.Requests, string? model = null, bool later = false, DateTimeOffset? to = null) =>
        _ledger.GetAsync("/internal/counters/openings", new OpenCounters(
            new(OwnLedger.Organization, OwnLedger.Project, _ledger.Wallet, false),
            [new(counter, new(AccountKind.Limit, unit, null, 100, Edge, to ?? Edge.AddDays(1)), model is null ? null : new([model], null))])
        {
            Later = later,
        });

    Task<List<string>> CountAsync(Guid counter) => _ledger.RowsAsync("select posted from account where id = $1", counter);
}
