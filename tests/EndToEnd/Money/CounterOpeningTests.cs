using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>What a counter gets of requests that did not ask it, on a real server.</summary>
public sealed class CounterOpeningTests : IAsyncLifetime
{
    static readonly DateTimeOffset Edge = DateTimeOffset.UtcNow.AddHours(-2);

    readonly Guid _counter = Ids.New();
    OwnLedger _ledger = null!;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _ledger = await OwnLedger.StartAsync();

    public async ValueTask DisposeAsync() => await _ledger.DisposeAsync();

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

    [Fact]
    public async Task What_the_log_cannot_say_is_refused()
    {
        var refused = await OpenAsync(_counter, Unit.Windows);
        Assert.Equal("counters", (string?)refused["error"]!["param"]);
    }

    Task<Answer[]> SettleAsync(params DateTimeOffset[] begun) => _ledger.SettleAsync([.. begun.Select(at => _ledger.Settlement(at))]);

    Task<System.Text.Json.Nodes.JsonNode> OpenAsync(Guid counter, Unit unit = Unit.Requests, string? model = null) =>
        _ledger.GetAsync("/internal/counters/openings", new OpenCounters(
            new(OwnLedger.Organization, OwnLedger.Project, _ledger.Wallet, false),
            [new(counter, new(AccountKind.Limit, unit, null, 100, Edge, Edge.AddDays(1)), model is null ? null : new([model], null))]));

    Task<List<string>> CountAsync(Guid counter) => _ledger.RowsAsync("select posted from account where id = $1", counter);
}
