using System.Globalization;
using LlmGateway.Ledgers;
using LlmGateway.Harness;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Npgsql;

var (seconds, manyRows) = args.Contains("--quick") ? (3, 0) : (5, 10_000_000);

// PostgreSQL as the product runs it. The rest of this stack has nothing to do.
await using var stack = await RunningApp.StartAsync([], faults: null, CancellationToken.None);

var builder = WebApplication.CreateSlimBuilder();
// EF looks for a database that it then creates, and reports each miss as an error.
builder.Logging.SetMinimumLevel(LogLevel.Error).AddFilter("Microsoft.EntityFrameworkCore", LogLevel.None);
builder.WebHost.UseUrls("http://127.0.0.1:0");
builder.Configuration["ConnectionStrings:wallet"] =
    new NpgsqlConnectionStringBuilder(stack.Connections["wallet"]) { Database = "ledger_bench" }.ConnectionString;
builder.AddOwnDatabase<WalletDb>("wallet");
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddHostedSingleton<Writer>();
await using var app = builder.Build();
await app.StartAsync();
await app.Services.GetRequiredService<DatabaseReady>().Task;

var (database, writer) = (app.Services.GetRequiredService<NpgsqlDataSource>(), app.Services.GetRequiredService<Writer>());
var measure = new Measure(database, writer, await PostgresTime.OfAsync(database), TimeSpan.FromSeconds(seconds));
var many = await World.CreateAsync(writer, wallets: 1000, projects: 1000);
var shop = await World.CreateAsync(writer, wallets: 1000, projects: 1);
var hot = await World.CreateAsync(writer, wallets: 1, projects: 1);
await measure.BatchedAsync(many); // warm-up: .NET compiles hot code twice
await measure.TidyAsync();

var single = await measure.SingleAsync(many);
var batched = await measure.BatchedAsync(many);
var oneProject = await measure.BatchedAsync(shop);
var fifty = await measure.BatchedAsync(shop, messages: 1, perMessage: 50);
var fiveHundred = await measure.BatchedAsync(shop, messages: 1, perMessage: 500);
var hotSingle = await measure.SingleAsync(hot);
var hotBatched = await measure.BatchedAsync(hot);
var leases = await measure.LeasesAsync(many);
var (p50, p99) = await measure.DelayAsync(many, batched.PerSecond / 2);

Console.WriteLine("| what | per second | PostgreSQL, CPU µs each | Wallet, CPU µs each | ratio | to |\n|---|---:|---:|---:|---:|---|");
Row("settlements, one commit each, 32 connections, 1 000 wallets of 1 000 projects", single);
Row("settlements, one writer in batches, the same wallets", batched, batched.PerSecond / single.PerSecond, "one commit each");
Row("settlements in batches, 1 000 wallets of one project", oneProject, oneProject.PerSecond / batched.PerSecond, "1 000 projects");
Row("the same, in messages of 500, one at a time", fiveHundred, fiveHundred.PerSecond / oneProject.PerSecond, "four at a time");
Row("the same, in messages of 50, one at a time", fifty, fifty.PerSecond / fiveHundred.PerSecond, "messages of 500");
Row("settlements, one commit each, 32 connections, one hot wallet", hotSingle);
Row("settlements in batches, one hot wallet", hotBatched, hotBatched.PerSecond / oneProject.PerSecond, "1 000 wallets of one project");
Row("the same", hotBatched, hotBatched.PerSecond / hotSingle.PerSecond, "one commit each");
Row("lease extensions, 256 at once", leases);

if (manyRows > 0)
{
    await measure.FillAsync(manyRows);
    var full = await measure.BatchedAsync(many);
    Row($"settlements in batches with {manyRows:N0} ledger rows more; ratio of the CPU time", full, full.Cost / batched.Cost, "few rows");
}

Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"\nEnd of a request to its durable row, at half of the batched rate: "
    + $"p50 {p50.TotalMilliseconds:F1} ms, p99 {p99.TotalMilliseconds:F1} ms."));
await app.StopAsync();

static void Row(string what, Figures figures, double? ratio = null, string to = "") =>
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"| {what} | {figures.PerSecond:F0} | {figures.Postgres:F1} | {figures.Wallet:F1} | {ratio:F2} | {to} |"));
