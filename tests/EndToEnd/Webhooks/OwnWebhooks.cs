using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Webhooks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>
/// The code of Webhooks on a database of its own, where a test may let days pass. Nothing is sent before a worker is started.
/// </summary>
sealed class OwnWebhooks : IAsyncDisposable
{
    readonly WebApplication _app;
    readonly HttpClient _http;
    readonly List<Dispatcher> _workers = [];

    OwnWebhooks(WebApplication app) => (_app, _http) = (app, new() { BaseAddress = new(app.Urls.First()) });

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public NpgsqlDataSource Database => Get<NpgsqlDataSource>();

    public Expiries Expiries => Get<Expiries>();

    public EndpointSecrets Secrets => Get<EndpointSecrets>();

    /// <summary>Whose project the callers of the routes are of.</summary>
    public Principal Caller { get; set; } =
        new(CredentialKind.SecretKey, Ids.New(), false, Ids.New(), Ids.New(), null, null);

    public static async Task<OwnWebhooks> StartAsync(string privateHosts = "127.0.0.1")
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Error).AddFilter("Microsoft.EntityFrameworkCore", LogLevel.None);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration["ConnectionStrings:webhooks"] = new NpgsqlConnectionStringBuilder(Stack.Connection("webhooks"))
        {
            Database = $"webhooks_{Ids.New():N}",
        }.ConnectionString;
        builder.AddOwnDatabase<WebhooksDb>("webhooks");
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(new InternalKeys([KeySetting.Read(Stack.App.InternalKey, KeySetting.InternalKey)]));
        builder.Services.AddSingleton(new Envelope([new byte[32]]));
        builder.AddIdempotency();
        builder.Services.AddSingleton(new GuardedConnections(new(privateHosts)));
        builder.Services.AddSingleton<EndpointRules>();
        builder.Services.AddSingleton<EndpointSecrets>();
        builder.Services.AddSingleton<WakeSignal>();
        builder.Services.AddSingleton<Attempts>();
        builder.Services.AddSingleton(new EventRetention(TimeSpan.FromDays(EventRetention.LeastDays)));
        builder.Services.AddSingleton<Expiries>();
        var app = builder.Build();
        app.UseProblems();
        OwnWebhooks? own = null;
        app.Use((http, next) =>
        {
            http.Features.Set(new ServiceCall(ServiceCall.Proxy, ServiceCall.Webhooks, own!.Caller));
            return next(http);
        });
        app.MapCreateEndpoint();
        app.MapListEndpoints();
        app.MapChangeEndpoint();
        app.MapDeleteEndpoint();
        app.MapRotateSecret();
        app.MapTestEndpoint();
        app.MapListDeliveries();
        app.MapRetryDelivery();
        app.MapReplay();
        app.MapDeliverNow();
        app.MapReplayDeadLetters();
        app.MapResealSecrets();
        await app.StartAsync(Token);
        await app.Services.GetRequiredService<DatabaseReady>().Task.WaitAsync(Token);
        return own = new(app);
    }

    /// <summary>One more instance of the service, which sends.</summary>
    public async Task<Dispatcher> AddWorkerAsync()
    {
        var worker = NewWorker();
        _workers.Add(worker);
        await worker.StartAsync(Token);
        return worker;
    }

    /// <summary>An instance that is not started.</summary>
    public Dispatcher NewWorker() => new(
        Database, Get<DatabaseReady>(), Get<Attempts>(), Get<GuardedConnections>(), new(),
        _workers.Count == 0 ? Get<WakeSignal>() : new(), TimeProvider.System, Get<ILogger<Dispatcher>>());

    /// <summary>An endpoint and its secret.</summary>
    public async Task<(string Id, string Secret)> AddEndpointAsync(string url)
    {
        var made = (await PostAsync("/v1/webhooks", $$"""{"url":"{{url}}"}""")).MustBe(201).Json;
        return (made.Text("id"), made.Text("secret"));
    }

    /// <summary>So many events of one customer, as they come from the queue.</summary>
    public async Task<Guid> TellAsync(int count, Guid? customer = null, int first = 1, string type = EventTypes.WalletCredited)
    {
        var (subject, consumer) = (customer ?? Ids.New(), new EventConsumer(Database, Get<DatabaseReady>(), Get<WakeSignal>()));
        for (var i = first; i < first + count; i++)
            await consumer.KeepAsync(
                new(
                    Ids.New(), type, DateTimeOffset.UtcNow, subject, i, Caller.Organization, Caller.Project, Caller.Test,
                    $$"""{"customerId":"{{Ids.Show(Ids.Customer, subject)}}","balance":"{{i}}"}"""),
                Token);
        return subject;
    }

    /// <summary>An event as it comes from the queue.</summary>
    public Task KeepAsync(PublicEvent told) =>
        new EventConsumer(Database, Get<DatabaseReady>(), Get<WakeSignal>()).KeepAsync(told, Token);

    public Task<Reply> GetAsync(string path) => SendAsync(HttpMethod.Get, path, null);

    public Task<Reply> PostAsync(string path, string json = "{}") => SendAsync(HttpMethod.Post, path, json);

    public Task<Reply> PatchAsync(string path, string json) => SendAsync(HttpMethod.Patch, path, json);

    public Task<Reply> DeleteAsync(string path) => SendAsync(HttpMethod.Delete, path, null);

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

    /// <summary>How many deliveries are in each state, once those are these.</summary>
    public Task BecomesAsync(string states, TimeSpan? atMost = null) => Eventually.GetAsync(
        async () => string.Join(", ", await RowsAsync("select count(*), state from delivery group by state order by state")),
        found => found == states, $"deliveries ({states})", atMost);

    public async ValueTask DisposeAsync()
    {
        foreach (var worker in _workers)
        {
            await worker.StopAsync(CancellationToken.None);
            worker.Dispose();
        }
        _http.Dispose();
        var database = new NpgsqlConnectionStringBuilder(Database.ConnectionString).Database;
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        await using var drop = Books.Wallet.Sql($"drop database {database} with (force)");
        await drop.ExecuteNonQueryAsync(CancellationToken.None);
    }

    T Get<T>() where T : notnull => _app.Services.GetRequiredService<T>();

    async Task<Reply> SendAsync(HttpMethod method, string path, string? json)
    {
        using var request = new HttpRequestMessage(method, path);
        if (json is not null)
            request.Content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        return await Reply.ReadAsync(await _http.SendAsync(request, Token));
    }
}
