using System.Runtime.InteropServices;
using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>The number is stored, so it must never change.</summary>
public enum RollupGrain : short
{
    /// <summary>A quarter of an hour: days of every time zone consist of whole ones.</summary>
    Quarter = 0,
    /// <summary>A day of UTC.</summary>
    Day = 1,
}

/// <summary>Each of them but the total splits it without a rest. The number is stored, so it must never change.</summary>
public enum RollupDimension : short { Total = 0, Model = 1, Provider = 2, Endpoint = 3, Customer = 4, Key = 5 }

/// <summary>Where a request stands in the roll-ups.</summary>
/// <param name="Family">Of sessions, one like a key.</param>
public readonly record struct RollupPlace(
    Guid Project, bool Test, DateTimeOffset StartedAt, string Model, string Provider, string Endpoint, Guid? Customer, Guid Credential,
    Guid? Family)
{
    public static RollupPlace Of(UsageRecord record) => new(
        record.Project, record.Test, record.StartedAt, record.Model, record.Provider, record.Endpoint, record.Customer, record.Credential,
        record.Family);

    public string ShownCustomer => Customer is { } customer ? Ids.Show(Ids.Customer, customer) : "";

    public string ShownKey => Family is { } family ? Ids.Show(Ids.Session, family) : Ids.Show(Ids.Key, Credential);
}

/// <summary>A row of the roll-ups.</summary>
/// <param name="At">The beginning of its time.</param>
/// <param name="Value">Of the dimension. Empty for the total, and for requests that have no such thing.</param>
public readonly record struct RollupKey(
    Guid Project, bool Test, RollupGrain Grain, RollupDimension Dimension, DateTimeOffset At, string Value);

/// <summary>What a row of the roll-ups sums up. Money is in nano-dollars and follows corrections.</summary>
/// <param name="Requests">Without failed attempts of which another provider went on with the request.</param>
/// <param name="Attempts">Rows of the usage log.</param>
/// <param name="Late">Those of an earlier time that was sealed when they were booked.</param>
public readonly record struct RollupSums(
    long Requests, long Failed, long Attempts, long Input, long Output, long Cost, long Charged, long Absorbed, long Covered, long Late)
{
    public static RollupSums operator +(RollupSums a, RollupSums b) => checked(new(
        a.Requests + b.Requests, a.Failed + b.Failed, a.Attempts + b.Attempts, a.Input + b.Input, a.Output + b.Output, a.Cost + b.Cost,
        a.Charged + b.Charged, a.Absorbed + b.Absorbed, a.Covered + b.Covered, a.Late + b.Late));

    public static RollupSums operator -(RollupSums a, RollupSums b) => checked(new(
        a.Requests - b.Requests, a.Failed - b.Failed, a.Attempts - b.Attempts, a.Input - b.Input, a.Output - b.Output, a.Cost - b.Cost,
        a.Charged - b.Charged, a.Absorbed - b.Absorbed, a.Covered - b.Covered, a.Late - b.Late));
}

/// <summary>
/// What a batch adds to the sums of the usage log. A request counts in the time in which it began, also where it is corrected later. A time
/// that is sealed does not change any more, and one that has not come yet has no rows: then it counts in the time of its booking.
/// </summary>
public static class Rollups
{
    static readonly TimeSpan Quarter = TimeSpan.FromMinutes(15), Day = TimeSpan.FromDays(1);

    static readonly Meter[]
        Input =
        [
            Meter.Input, Meter.CachedInput, Meter.CacheWrite5m, Meter.CacheWrite1h, Meter.AudioInput, Meter.ImageInput,
        ],
        Output = [Meter.Output, Meter.Reasoning, Meter.AudioOutput, Meter.ImageOutput];

    public static Dictionary<RollupKey, RollupSums> Of(Book book)
    {
        var quarters = new Dictionary<RollupKey, RollupSums>();
        foreach (var row in book.Usages)
            Add(quarters, book, RollupPlace.Of(row.Record), SumsOf(row, isLate: row.Record.StartedAt < book.SealedUntil));
        foreach (var correction in book.Corrections)
            Add(quarters, book, book.Rated[correction.RequestId].Place, SumsOf(correction));
        var all = new Dictionary<RollupKey, RollupSums>(quarters);
        foreach (var (key, sums) in quarters)
            Add(all, key with { Grain = RollupGrain.Day, At = Floor(key.At, Day) }, sums);
        return all;
    }

    static void Add(Dictionary<RollupKey, RollupSums> to, Book book, in RollupPlace of, RollupSums sums)
    {
        var (began, now) = (of.StartedAt, book.Now);
        var at = Floor(began < book.SealedUntil || began > now ? now : began, Quarter);
        var total = new RollupKey(of.Project, of.Test, RollupGrain.Quarter, RollupDimension.Total, at, "");
        Add(to, total, sums);
        Add(to, total with { Dimension = RollupDimension.Model, Value = of.Model }, sums);
        Add(to, total with { Dimension = RollupDimension.Provider, Value = of.Provider }, sums);
        Add(to, total with { Dimension = RollupDimension.Endpoint, Value = of.Endpoint }, sums);
        Add(to, total with { Dimension = RollupDimension.Customer, Value = of.ShownCustomer }, sums);
        Add(to, total with { Dimension = RollupDimension.Key, Value = of.ShownKey }, sums);
    }

    static void Add(Dictionary<RollupKey, RollupSums> to, in RollupKey key, RollupSums sums)
    {
        ref var sum = ref CollectionsMarshal.GetValueRefOrAddDefault(to, key, out _);
        sum += sums;
    }

    static RollupSums SumsOf(UsageRow row, bool isLate)
    {
        var (record, isRequest) = (row.Record, row.Record.AttemptOf is null);
        return new(
            isRequest ? 1 : 0, isRequest && record.Outcome == RequestOutcome.Failed ? 1 : 0, 1, Count(record, Input), Count(record, Output),
            record.Cost.Nanos, row.Charged, row.Absorbed, row.Covered, isLate ? 1 : 0);
    }

    static RollupSums SumsOf(Correction correction) => new(
        0, 0, 0, 0, 0, correction.NewCost - correction.OldCost, correction.Charged, correction.Absorbed, correction.Covered, 0);

    /// <summary>A proxy of an earlier version knows fewer meters.</summary>
    static long Count(UsageRecord record, Meter[] meters)
    {
        var count = 0L;
        foreach (var meter in meters)
            if ((int)meter < record.Meters.Count)
                count = checked(count + record.Meters[(int)meter]);
        return count;
    }

    /// <summary>From the year 1 on, whose first moment is a day's beginning, too.</summary>
    public static DateTimeOffset Floor(DateTimeOffset moment, TimeSpan grain) =>
        new(moment.UtcTicks - (moment.UtcTicks % grain.Ticks), TimeSpan.Zero);

    /// <summary>The part of a time that consists of whole ones.</summary>
    public static TimeSpan Whole(TimeSpan time, TimeSpan grain) => time - TimeSpan.FromTicks(time.Ticks % grain.Ticks);
}
