using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>The ledger's own code on a database of its own, so that a test may have months opened, closed and dropped.</summary>
sealed class OwnLedger : IAsyncDisposable
{
    /// <summary>Of answers that wait to be booked.</summary>
    public const int AnswerBytes = 1_500_000;

    public static readonly Guid Organization = Ids.New(), Project = Ids.New();

    /// <summary>Who calls its routes: a backend of the project.</summary>
    static readonly Principal Caller = new(CredentialKind.SecretKey, Ids.New(), false, Organization, Project, null, null);

    readonly WebApplication _app;

    OwnLedger(WebApplication app) => (_app, Http) = (app, new() { BaseAddress = new(app.Urls.First()) });

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public NpgsqlDataSource Database => _app.Services.GetRequiredService<NpgsqlDataSource>();

    public Writer Writer => _app.Services.GetRequiredService<Writer>();

    /// <summary>Another instance's, on the same tables, to be started.</summary>
    public Writer NewWriter() => new(Database, Ready, TimeProvider.System, _app.Services.GetRequiredService<ILogger<Writer>>());

    public DatabaseReady Ready => _app.Services.GetRequiredService<DatabaseReady>();

    /// <summary>They are made only when a test asks for it, or seals.</summary>
    public Rollups Rollups => _app.Services.GetRequiredService<Rollups>();

    /// <summary>It seals only when a test asks it to.</summary>
    public Seals Seals => _app.Services.GetRequiredService<Seals>();

    /// <summary>They go on only when a test asks them to.</summary>
    public Erasures Erasures => NewErasures(TimeProvider.System);

    public Erasures NewErasures(TimeProvider time) =>
        new(Database, Ready, time, _app.Services.GetRequiredService<ILogger<Erasures>>());

    /// <summary>A caller of its routes, which ask nobody for a signature here and believe that a backend of the project calls.</summary>
    public HttpClient Http { get; }

    public required Guid Wallet { get; init; }

    /// <summary>An address of a database that is not there yet.</summary>
    public static string NewDatabase() =>
        new NpgsqlConnectionStringBuilder(Stack.Connection("wallet")) { Database = $"ledger_{Ids.New():N}" }.ConnectionString;

    /// <summary>Makes the database as it was after so many migrations.</summary>
    public static async Task MigrateAsync(string database, int count)
    {
        await using var context = new WalletDb(new DbContextOptionsBuilder<WalletDb>().UseNpgsql(database).Options);
        await context.GetService<IRelationalDatabaseCreator>().CreateAsync(Token);
        var history = context.GetService<IHistoryRepository>();
        await using var server = NpgsqlDataSource.Create(database);
        await RunAsync(history.GetCreateScript());
        foreach (var migration in context.Database.GetMigrations().Take(count))
        {
            using var script = new StreamReader(typeof(WalletDb).Assembly.GetManifestResourceStream($"{migration}.sql")!);
            await RunAsync($"{await script.ReadToEndAsync(Token)}; {history.GetInsertScript(new(migration, "10"))}");
        }

        async Task RunAsync(string sql)
        {
            await using var connection = await server.OpenConnectionAsync(Token);
            await using var transaction = await connection.BeginTransactionAsync(Token);
            await connection.RunAsync(sql, Token);
            await transaction.CommitAsync(Token);
        }
    }

    /// <summary>An empty ledger, which is copied: making one anew takes seconds.</summary>
    static readonly Lazy<Task<string>> Template = new(async () =>
    {
        var template = NewDatabase();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Error).AddFilter("Microsoft.EntityFrameworkCore", LogLevel.None);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration["ConnectionStrings:wallet"] = template;
        builder.AddOwnDatabase<WalletDb>("wallet");
        await using var app = builder.Build();
        await app.StartAsync();
        await app.Services.GetRequiredService<DatabaseReady>().Task;
        return template;
    });

    static async Task<string> CopyAsync()
    {
        var (template, copy) = (await Template.Value, NewDatabase());
        await using var server = NpgsqlDataSource.Create(Stack.Connection("wallet"));
        await using var command = server.CreateCommand($"create database {NameOf(copy)} template {NameOf(template)}");
        await command.ExecuteNonQueryAsync(Token);
        return copy;

        static string NameOf(string database) => new NpgsqlConnectionStringBuilder(database).Database!;
    }

    /// <summary>A ledger with one wallet that has a dollar.</summary>
    public static async Task<OwnLedger> StartAsync(string? database = null, Guid? wallet = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Error).AddFilter("Microsoft.EntityFrameworkCore", LogLevel.None);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration["ConnectionStrings:wallet"] = database ?? await CopyAsync();
        builder.AddOwnDatabase<WalletDb>("wallet");
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Configuration["ConnectionStrings:redis"] = Stack.Connection("redis");
        builder.AddRedis();
        builder.Services.AddSingleton(new InternalKeys([KeySetting.Read(Stack.App.InternalKey, KeySetting.InternalKey)]));
        builder.Services.AddHostedSingleton<HotBalances>();
        builder.Services.AddHostedSingleton<Writer>();
        builder.Services.AddSingleton<Rollups>();
        builder.Services.AddSingleton<Seals>();
        builder.Services.AddSingleton(new AnswerBudget(AnswerBytes));
        builder.Services.AddSingleton(new ExportSlots());
        var app = builder.Build();
        app.Use((http, next) =>
        {
            http.Features.Set(new ServiceCall(ServiceCall.Proxy, ServiceCall.Wallet, Caller));
            return next(http);
        });
        app.MapVerify();
        app.MapSummaries();
        app.MapReratings();
        app.MapListRequests();
        app.MapStaleSettlements();
        app.MapCounterOpenings();
        app.MapEraseCustomer();
        app.MapTakeKey();
        app.MapRenewCalls();
        app.MapEndCall();
        app.MapHeartbeats();
        await app.StartAsync(Token);
        await app.Services.GetRequiredService<DatabaseReady>().Task.WaitAsync(Token);
        var ledger = new OwnLedger(app) { Wallet = wallet ?? Ids.New() };
        await ledger.Writer.RunAsync(new Open(
            new(ledger.Wallet, AccountKind.Wallet, Unit.Usd, Organization, Project, ledger.Wallet, false, Money.NanosPerUsd)));
        return ledger;
    }

    /// <summary>A request that began at that moment and cost so much.</summary>
    public Settle Settlement(DateTimeOffset at, long cost = 5, string? raw = null)
    {
        var settlement = new Settlement(Ids.New(at), null, [new(Wallet, cost)], new(
            Organization, Project, Wallet, Ids.New(), null, false, "/v1/chat/completions", "small", "p", "m", null, false, at, 1, null, 200,
            RequestOutcome.Completed, new Usage { [Meter.Input] = 1 }.ToArray(), new Money(cost), false, null, raw));
        return new(settlement) { Record = SettlementRecord.Encode(settlement).ToArray() };
    }

    /// <summary>What corrects a request's cost.</summary>
    public Rerate Correction(Settle settle, long cost) => new(
        Ids.New(), settle.Settlement.RequestId, Wallet, Organization, Project, false, Ids.New(), cost);

    /// <summary>The answer to each, which are written together.</summary>
    public Task<Answer[]> SettleAsync(params Settle[] settlements) => Writer.RunAsync(settlements);

    public Post Credit(Guid id, string? reason, long amount = 70) => new(id, PostType.Grant, Scope, [amount]) { Text = reason };

    /// <summary>The wallet, and whose it is.</summary>
    public PostScope Scope => new(Wallet, Unit.Usd, Organization, Project, Wallet, Test: false);

    /// <summary>The rounds of a ledger that keeps what was charged so long, and what providers said.</summary>
    public UsageMonths Months(int? days, int raw = 30) => new(
        Database,
        _app.Services.GetRequiredService<DatabaseReady>(),
        Rollups,
        new(days is { } kept ? TimeSpan.FromDays(kept) : null, TimeSpan.FromDays(raw)),
        TimeProvider.System,
        _app.Services.GetRequiredService<ILogger<UsageMonths>>());

    public async Task<JsonNode> GetAsync(string path, object? body = null)
    {
        using var response = body is null
            ? await Http.GetAsync(path, Token)
            : await Http.PostAsJsonAsync(path, body, Defaults.Json, Token);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!;
    }

    /// <summary>Everything, and also what was booked since the last seal.</summary>
    public async Task VerifyAsync()
    {
        foreach (var full in (bool[])[true, false])
            Assert.Equal([], await WrongAsync(full));
    }

    /// <summary>The names of the checks that fail.</summary>
    public async Task<IEnumerable<string>> WrongAsync(bool full)
    {
        var books = await GetAsync($"/internal/verify?full={full}");
        return books["checks"]!.AsArray().Where(check => !(bool)check!["ok"]!).Select(check => $"{check!["name"]}: {check["detail"]}");
    }

    /// <summary>As somebody who has the database's password.</summary>
    public Task TamperAsync(string table, string sql) =>
        RunAsync($"alter table {table} disable trigger final; {sql}; alter table {table} enable trigger final");

    public async Task RunAsync(string sql, params object[] values)
    {
        await using var command = Database.Sql(sql, values);
        await command.ExecuteNonQueryAsync(Token);
    }

    /// <summary>The rows as texts of their columns.</summary>
    public async Task<List<string>> RowsAsync(string sql, params object[] values)
    {
        await using var query = Database.Sql(sql, values);
        await using var row = await query.ExecuteReaderAsync(Token);
        var rows = new List<string>();
        while (await row.ReadAsync(Token))
            rows.Add(string.Join(' ', Enumerable.Range(0, row.FieldCount).Select(i => row.IsDBNull(i) ? "null" : $"{row.GetValue(i)}")));
        return rows;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        var database = new NpgsqlConnectionStringBuilder(Database.ConnectionString).Database;
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        await using var drop = Books.Wallet.Sql($"drop database {database} with (force)");
        await drop.ExecuteNonQueryAsync(CancellationToken.None);
    }
}
