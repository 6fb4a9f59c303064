using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>In which sums a request counts, by what docs/money.md says of summaries.</summary>
public sealed class RollupsTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 21, 0, 20, 30, TimeSpan.Zero), Began = Now.AddMinutes(-30);

    static readonly Guid Project = Ids.New(), Customer = Ids.New(), Family = Ids.New();

    readonly Book _book = new(Now);

    [Fact]
    public void A_request_counts_in_the_quarter_and_day_in_which_it_began_once_in_every_dimension()
    {
        Book(Record(cost: 10), charged: 6, absorbed: 4);

        var rows = Rollups.Of(_book);

        var sums = new RollupSums(1, 0, 1, 3, 7, 10, 6, 4, 0, 0);
        Assert.Equal(
            [
                .. from grain in (RollupGrain[])[RollupGrain.Quarter, RollupGrain.Day]
                   let at = grain == RollupGrain.Day ? "2026-11-20T00:00:00Z" : "2026-11-20T23:45:00Z"
                   from dimension in Enum.GetValues<RollupDimension>()
                   select (new RollupKey(Project, false, grain, dimension, DateTimeOffset.Parse(at, null), ValueOf(dimension)), sums),
            ],
            rows.Select(row => (row.Key, row.Value)).OrderBy(row => (row.Key.Grain, row.Key.Dimension)));
    }

    static string ValueOf(RollupDimension dimension) => dimension switch
    {
        RollupDimension.Total => "", RollupDimension.Model => "m", RollupDimension.Provider => "p", RollupDimension.Endpoint => "/v1/x",
        RollupDimension.Customer => $"cus_{Customer:N}", _ => $"ses_{Family:N}",
    };

    [Fact]
    public void A_request_that_comes_to_a_sealed_time_or_from_the_future_counts_now()
    {
        _book.SealedUntil = Began.AddMinutes(20);
        Book(Record(cost: 1), charged: 1);
        Book(Record(cost: 2) with { StartedAt = Now.AddMinutes(20) }, charged: 2);

        var (key, sums) = Assert.Single(Rollups.Of(_book), row => row.Key is { Grain: RollupGrain.Quarter, Dimension: 0 });

        Assert.Equal((Now.AddSeconds(-330), 2L, 3L, 1L), (key.At, sums.Requests, sums.Charged, sums.Late));
    }

    [Theory]
    [InlineData(false, -35.5)]
    [InlineData(true, -5.5)]
    public void A_correction_counts_in_the_time_of_its_request_and_now_when_that_is_sealed(bool isSealed, double minutes)
    {
        _book.SealedUntil = isSealed ? Now.AddSeconds(-330) : default;
        var request = Ids.New();
        _book.Rated[request] = new(10, 6, 4, RollupPlace.Of(Record(cost: 10)));
        _book.Corrections.Add(new(Ids.New(), Ids.New(), request, Ids.New(), 10, 7, Charged: -1, Absorbed: -2, Covered: 0));

        var (key, sums) = Assert.Single(Rollups.Of(_book), row => row.Key is { Grain: RollupGrain.Quarter, Dimension: 0 });

        Assert.Equal((Now.AddMinutes(minutes), new RollupSums(0, 0, 0, 0, 0, -3, -1, -2, 0, 0)), (key.At, sums));
    }

    [Fact]
    public void An_attempt_that_another_provider_went_on_from_is_no_request_of_its_own()
    {
        var record = Record(cost: 0) with { Outcome = RequestOutcome.Failed };
        Book(record with { AttemptOf = Ids.New() }, charged: 0);
        Book(record, charged: 0);

        var total = Rollups.Of(_book).First(row => row.Key.Dimension == RollupDimension.Total).Value;

        Assert.Equal((1L, 1L, 2L), (total.Requests, total.Failed, total.Attempts));
    }

    [Fact]
    public void Requests_that_have_no_customer_are_one_group()
    {
        Book(Record(cost: 1) with { Customer = null }, charged: 0);

        Assert.Contains(Rollups.Of(_book), row => row.Key is { Dimension: RollupDimension.Customer, Value: "" });
    }

    void Book(UsageRecord record, long charged, long absorbed = 0) => _book.Usages.Add(new(Ids.New(), record, charged, absorbed));

    static UsageRecord Record(long cost) => UsageRecords.Of(cost, Ids.New(), Project, Began) with
    {
        Customer = Customer, Family = Family, Endpoint = "/v1/x",
        Meters = new Usage
        {
            [Meter.Input] = 1, [Meter.CachedInput] = 2, [Meter.Output] = 3, [Meter.Reasoning] = 4, [Meter.Image] = 9,
        }.ToArray(),
    };
}
