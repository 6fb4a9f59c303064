using System.Globalization;
using LlmGateway.Harness;

namespace LlmGateway.Ledgers;

/// <summary><c>./dev bench ledger</c>: how many settlements and leases a second, and what each kind of them costs.</summary>
static class Rates
{
    /// <summary>Both sides of a pair take turns so often. The medians are compared.</summary>
    const int Rounds = 3;

    public static async Task RunAsync(RunningApp stack, int seconds, int manyRows)
    {
        await using var books = await OwnBooks.StartAsync(stack, "ledger_bench");
        var (writer, measure) = (books.Writer, await books.MeasureAsync(seconds));
        var many = await World.CreateAsync(writer, wallets: 1000, projects: 1000);
        var shop = await World.CreateAsync(writer, wallets: 1000, projects: 1);
        var hot = await World.CreateAsync(writer, wallets: 1, projects: 1);
        var claims = await World.CreateAsync(writer, wallets: 1000, projects: 1, claims: true);
        var hotClaims = await World.CreateAsync(writer, wallets: 1, projects: 1, claims: true);
        var lots = await World.CreateAsync(writer, wallets: 1000, projects: 1, lots: 2);
        var manyLots = await World.CreateAsync(writer, wallets: 1000, projects: 1000, lots: 2);
        await measure.BatchedAsync(many); // warm-up: .NET compiles hot code twice
        await measure.TidyAsync();

        var (batched, p50, p99) = await OfOneLineAsync(measure, many, shop, hot);
        await books.Rollups.SumUpAsync(CancellationToken.None);
        const string Claims = "settlements of claims of five lines and three sources";
        var ofClaims = await PairAsync($"{Claims}, 1 000 wallets of one project", () => PlainAsync(claims), () => PlainAsync(shop),
            "one line");
        var ofHotClaims = await PairAsync($"{Claims}, one hot wallet", () => PlainAsync(hotClaims), () => PlainAsync(hot), "one line");
        await PairAsync("settlements, summed up afterwards, 1 000 wallets of one project", () => SummedAsync(shop), () => PlainAsync(shop),
            "no sums");
        await PairAsync("settlements from three lots each, the same", () => PlainAsync(lots), () => PlainAsync(shop), "one lot");
        var ofOne = await PairAsync("both, the same", () => SummedAsync(lots), () => PlainAsync(shop), "one lot, no sums");
        var ofMany = await PairAsync("both, 1 000 wallets of 1 000 projects", () => SummedAsync(manyLots), () => PlainAsync(many),
            "one lot, no sums");

        if (manyRows > 0)
        {
            await measure.FillAsync(manyRows);
            var full = await measure.BatchedAsync(many);
            Table.Row($"settlements in batches with {manyRows:N0} ledger rows more; ratio of the CPU time", full, full.Cost / batched.Cost,
                "few rows");
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"\nEnd of a request to its durable row, at half of the batched rate: "
            + $"p50 {p50.TotalMilliseconds:F1} ms, p99 {p99.TotalMilliseconds:F1} ms."));

        Table.Goals();
        Table.Goal("settlements/s, five lines and three sources ÷ one line, 1 000 wallets", "≥ 0.7", "≥ 0.9", ofClaims);
        Table.Goal("the same, one hot wallet", "≥ 0.7", "≥ 0.9", ofHotClaims);
        Table.Goal("settlements/s, with roll-ups and lots ÷ without, one project", "≥ 0.7", "≥ 0.85", ofOne);
        Table.Goal("the same, 1 000 projects", "≥ 0.7", "≥ 0.85", ofMany);

        // The time that it takes to sum them up belongs to them.
        Task<Figures> SummedAsync(World world) => measure.BatchedAsync(world, () => books.Rollups.SumUpAsync(CancellationToken.None));

        // What the others sum up must be theirs alone.
        async Task<Figures> PlainAsync(World world)
        {
            var figures = await measure.BatchedAsync(world);
            await books.Rollups.SumUpAsync(CancellationToken.None);
            return figures;
        }
    }

    /// <summary>Settlements and leases of one line, in batches of many sizes, and one at a time.</summary>
    static async Task<(Figures Batched, TimeSpan P50, TimeSpan P99)> OfOneLineAsync(Measure measure, World many, World shop, World hot)
    {
        var single = await measure.SingleAsync(many);
        var batched = await measure.BatchedAsync(many);
        var oneProject = await measure.BatchedAsync(shop);
        var fifty = await measure.BatchedAsync(shop, messages: 1, perMessage: 50);
        var fiveHundred = await measure.BatchedAsync(shop, messages: 1, perMessage: 500);
        var hotSingle = await measure.SingleAsync(hot);
        var hotBatched = await measure.BatchedAsync(hot);
        var leases = await measure.LeasesAsync(many);
        var (p50, p99) = await measure.DelayAsync(many, batched.PerSecond / 2);

        Table.Head();
        Table.Row("settlements, one commit each, 32 connections, 1 000 wallets of 1 000 projects", single);
        Table.Row("settlements, one writer in batches, the same wallets", batched, batched.PerSecond / single.PerSecond, "one commit each");
        Table.Row("settlements in batches, 1 000 wallets of one project", oneProject, oneProject.PerSecond / batched.PerSecond,
            "1 000 projects");
        Table.Row("the same, in messages of 500, one at a time", fiveHundred, fiveHundred.PerSecond / oneProject.PerSecond,
            "four at a time");
        Table.Row("the same, in messages of 50, one at a time", fifty, fifty.PerSecond / fiveHundred.PerSecond, "messages of 500");
        Table.Row("settlements, one commit each, 32 connections, one hot wallet", hotSingle);
        Table.Row("settlements in batches, one hot wallet", hotBatched, hotBatched.PerSecond / oneProject.PerSecond,
            "1 000 wallets of one project");
        Table.Row("the same", hotBatched, hotBatched.PerSecond / hotSingle.PerSecond, "one commit each");
        Table.Row("lease extensions, 256 at once", leases);
        return (batched, p50, p99);
    }

    static async Task<double> PairAsync(string what, Func<Task<Figures>> ours, Func<Task<Figures>> other, string to)
    {
        var (ofOurs, ofOther) = await PairAsync(ours, other);
        var ratio = ofOurs.PerSecond / ofOther.PerSecond;
        Table.Row(what, ofOurs, ratio, to);
        return ratio;
    }

    /// <summary>Whatever else the machine does falls on both.</summary>
    public static async Task<(Figures, Figures)> PairAsync(Func<Task<Figures>> ours, Func<Task<Figures>> other)
    {
        var (ofOurs, ofOther) = (new List<Figures>(), new List<Figures>());
        for (var round = 0; round < Rounds; round++)
        {
            ofOurs.Add(await ours());
            ofOther.Add(await other());
        }
        return (Median(ofOurs), Median(ofOther));
    }

    static Figures Median(List<Figures> runs) => runs.OrderBy(run => run.PerSecond).ElementAt(runs.Count / 2);
}
