using LlmGateway.Harness;
using LlmGateway.Ledgers;

// [books] [--quick] [--rows N]
var quick = args.Contains("--quick");
var seconds = quick ? 3 : 5;

// PostgreSQL as the product runs it. The rest of this stack has nothing to do.
await using var stack = await RunningApp.StartAsync([], faults: null, CancellationToken.None);

if (args.Contains("books"))
{
    var rows = args.SkipWhile(argument => argument != "--rows").ElementAtOrDefault(1);
    await Books.RunAsync(stack, seconds, rows is null ? quick ? 100_000 : 10_000_000 : int.Parse(rows));
}
else
    await Rates.RunAsync(stack, seconds, manyRows: quick ? 0 : 10_000_000);
