using System.Diagnostics;
using System.Globalization;
using LlmGateway.Harness;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Npgsql;

namespace LlmGateway.Ledgers;

/// <summary>
/// <c>./dev bench books</c>: what years of business cost those who settle, read sums, prove the books and drop months. Small and large
/// books stand side by side and take turns.
/// </summary>
static class Books
{
    /// <summary>How many times fewer usage rows the small books have, and how many entries for each of theirs the large ones.</summary>
    const int Smaller = 100, EntriesPerUsage = 4;

    /// <summary>As many as a summary may have.</summary>
    const int MaxRows = 1000;

    static readonly TimeSpan Day = TimeSpan.FromDays(1);

    public static async Task RunAsync(RunningApp stack, int seconds, int rows)
    {
        await using var small = await OwnBooks.StartAsync(stack, "books_small");
        await using var large = await OwnBooks.StartAsync(stack, "books_large");
        await Years.UsageAsync(small, rows / Smaller);
        var clock = Stopwatch.StartNew();
        var project = await Years.UsageAsync(large, rows);
        Say($"{rows:N0} usage rows were made and summed up in {clock.Elapsed.TotalSeconds:F0} s");
        var (few, many) = (await ShopAsync(small), await ShopAsync(large));

        var (measureFew, measureMany) = (await small.MeasureAsync(seconds), await large.MeasureAsync(seconds));
        await measureFew.BatchedAsync(few); // warm-up: .NET compiles hot code twice
        var (full, first) = await Rates.PairAsync(() => measureMany.BatchedAsync(many), () => measureFew.BatchedAsync(few));
        Table.Head();
        Table.Row($"settlements in batches, {rows / Smaller:N0} usage rows", first);
        Table.Row($"the same, {rows:N0} usage rows", full, full.PerSecond / first.PerSecond, "few rows");
        Console.WriteLine();

        await large.Rollups.SumUpAsync(CancellationToken.None);
        var summaries = await SummariesAsync(large.Database, project);
        await Years.EntriesAsync(large, rows * EntriesPerUsage);
        await measureMany.BatchedAsync(many);
        var (proof, proved) = await TimeAsync(async () =>
        {
            await using var connection = await large.Database.OpenConnectionAsync();
            await using var snapshot = await Proof.SnapshotAsync(connection, CancellationToken.None);
            return await Proof.RunAsync(connection, full: false, atRest: false, CancellationToken.None);
        });
        if (!proof.IsRight)
            throw new InvalidOperationException($"the books are wrong: {string.Join("; ", proof.Checks.Where(check => !check.Ok))}");
        await large.Rollups.SumUpAsync(CancellationToken.None);
        var (month, dropped) = await DropAsync(large);

        Table.Goals();
        Table.Goal($"settlements/s, {rows:N0} usage rows ÷ {rows / Smaller:N0}", "≥ 0.85", "≥ 0.95", full.PerSecond / first.PerSecond);
        Table.Goal($"usage summary of 90 days, {rows:N0} usage rows, the slowest group, ms", "≤ 300", "≤ 100", summaries, "F0");
        Table.Goal($"proof since the seal, {(long)rows * EntriesPerUsage:N0} entries, s", "≤ 10", "", proved.TotalSeconds);
        Table.Goal($"dropping a month of {month:N0} requests, s", "≤ 1", "", dropped.TotalSeconds);
    }

    static Task<World> ShopAsync(OwnBooks books) => World.CreateAsync(books.Writer, wallets: 1000, projects: 1);

    /// <summary>The slowest, milliseconds, each as the median of five.</summary>
    static async Task<double> SummariesAsync(NpgsqlDataSource database, Guid project)
    {
        var now = DateTimeOffset.UtcNow;
        var to = new DateTimeOffset(now.UtcTicks - (now.UtcTicks % TimeSpan.FromMinutes(15).Ticks), TimeSpan.Zero);
        var slowest = 0.0;
        foreach (var dimension in Enum.GetValues<RollupDimension>())
        {
            var times = new List<double>();
            var values = 0;
            for (var run = 0; run < 5; run++)
            {
                var (count, time) = await TimeAsync(async () => dimension == RollupDimension.Total
                    ? (await UsageSummary.QuartersAsync(database, project, false, to - (90 * Day), to, CancellationToken.None)).Count
                    : (await UsageSummary.ByValueAsync(
                        database, project, false, dimension, to - (90 * Day), to, now, MaxRows, CancellationToken.None)).Rows.Count);
                (values, times) = (count, [.. times, time.TotalMilliseconds]);
            }
            var median = times.Order().ElementAt(times.Count / 2);
            Say($"90 days by {dimension}: {values:N0} rows, {median:F0} ms, at first {times[0]:F0} ms");
            slowest = Math.Max(slowest, median);
        }
        return slowest;
    }

    /// <summary>The oldest whole month.</summary>
    static async Task<(long Requests, TimeSpan)> DropAsync(OwnBooks books)
    {
        await using var oldest = books.Database.Sql("""
            select (month + interval '1 month') at time zone 'UTC' from usage_month
            where (month + interval '1 month') at time zone 'UTC' <= now() order by month limit 1 offset 1
            """);
        var end = (DateTime)(await oldest.ExecuteScalarAsync())!;
        var months = new UsageMonths(
            books.Database, books.Ready, books.Rollups, new(TimeSpan.FromDays(35), TimeSpan.FromDays(35)), TimeProvider.System,
            books.Log<UsageMonths>());
        // The first is one that the bench has only in part.
        await months.DropAsync(end.AddDays(35).AddMonths(-1), CancellationToken.None);
        var (_, time) = await TimeAsync(async () =>
        {
            await months.DropAsync(end.AddDays(35), CancellationToken.None);
            return 0;
        });
        await using var requests = books.Database.Sql("select requests from usage_month where requests is not null order by month desc");
        return ((long)(await requests.ExecuteScalarAsync())!, time);
    }

    static async Task<(T, TimeSpan)> TimeAsync<T>(Func<Task<T>> work)
    {
        var clock = Stopwatch.StartNew();
        return (await work(), clock.Elapsed);
    }

    static void Say(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture) + ".");
}
