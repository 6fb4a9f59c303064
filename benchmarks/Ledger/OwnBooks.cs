using LlmGateway.Harness;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Npgsql;

namespace LlmGateway.Ledgers;

/// <summary>Wallet's own writer on a database of its own, in the stack's PostgreSQL. Sums are made when they are asked for.</summary>
sealed class OwnBooks : IAsyncDisposable
{
    readonly WebApplication _app;

    OwnBooks(WebApplication app) => _app = app;

    public NpgsqlDataSource Database => _app.Services.GetRequiredService<NpgsqlDataSource>();

    public Writer Writer => _app.Services.GetRequiredService<Writer>();

    public Rollups Rollups => _app.Services.GetRequiredService<Rollups>();

    public DatabaseReady Ready => _app.Services.GetRequiredService<DatabaseReady>();

    public ILogger<T> Log<T>() => _app.Services.GetRequiredService<ILogger<T>>();

    public static async Task<OwnBooks> StartAsync(RunningApp stack, string name)
    {
        var builder = WebApplication.CreateSlimBuilder();
        // EF looks for a database that it then creates, and reports each miss as an error.
        builder.Logging.SetMinimumLevel(LogLevel.Error).AddFilter("Microsoft.EntityFrameworkCore", LogLevel.None);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration["ConnectionStrings:wallet"] =
            new NpgsqlConnectionStringBuilder(stack.Connections["wallet"]) { Database = name }.ConnectionString;
        builder.AddOwnDatabase<WalletDb>("wallet");
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddHostedSingleton<Writer>();
        builder.Services.AddSingleton<Rollups>();
        var app = builder.Build();
        await app.StartAsync();
        await app.Services.GetRequiredService<DatabaseReady>().Task;
        return new(app);
    }

    public async Task<Measure> MeasureAsync(int seconds) =>
        new(Database, Writer, await PostgresTime.OfAsync(Database), TimeSpan.FromSeconds(seconds));

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
