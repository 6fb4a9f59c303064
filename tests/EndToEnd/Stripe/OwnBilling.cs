using LlmGateway.Billing;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Stripe;
using Payment = LlmGateway.Billing.Payment;
using Quote = LlmGateway.Billing.Quote;

namespace LlmGateway.EndToEnd;

/// <summary>
/// The code of Billing on a database of its own, with modes of Stripe that the app under test has not. The ledger, and who is a customer,
/// are the app's. Nothing runs by itself that a test does not let run.
/// </summary>
sealed class OwnBilling : IAsyncDisposable
{
    public const string WebhookSecret = "whsec_own";

    readonly WebApplication _app;
    readonly string _database;
    readonly bool _isFirst;
    readonly List<IHostedService> _running = [];

    OwnBilling(WebApplication app, string database, bool isFirst) => (_app, _database, _isFirst) = (app, database, isFirst);

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public NpgsqlDataSource Database => Get<NpgsqlDataSource>();

    /// <summary>Where it takes events of Stripe's, from anybody who has signed them.</summary>
    public Uri Url => new(_app.Urls.First());

    /// <summary>Of a world in the sandbox.</summary>
    public static StripeMode ModeOf(StripeWorld world, bool test = false) => NewMode(world.Key, test, isSandbox: true);

    /// <summary>Live, with a key that Stripe does not accept.</summary>
    public static StripeMode Revoked => NewMode("sk_live_revoked", test: false, isSandbox: false);

    static StripeMode NewMode(string key, bool test, bool isSandbox) => new(test, isSandbox, "pk_test_own", new(new StripeClientOptions
    {
        ApiKey = key,
        ApiBase = Stack.Stripe.ToString().TrimEnd('/'),
        HttpClient = new SystemNetHttpClient(StripeHttp.NewClient(), maxNetworkRetries: 0, appInfo: null, enableTelemetry: false),
    })) { WebhookSecrets = [WebhookSecret] };

    public static async Task<OwnBilling> StartAsync(params StripeMode[] modes)
    {
        var database = new NpgsqlConnectionStringBuilder(Stack.Connection("billing")) { Database = $"billing_{Ids.New():N}" };
        var own = await StartAsync(database.ConnectionString, isFirst: true, modes);
        // Worlds begin with the test that makes them.
        await own.RunAsync("insert into events_read select livemode, now() - interval '10 seconds' from unnest('{t,f}'::bool[]) livemode");
        return own;
    }

    /// <summary>Another instance on the same database, as after a start with other settings.</summary>
    public Task<OwnBilling> AgainAsync(params StripeMode[] modes) => StartAsync(_database, isFirst: false, modes);

    static async Task<OwnBilling> StartAsync(string database, bool isFirst, StripeMode[] modes)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration["ConnectionStrings:billing"] = database;
        builder.Configuration[KeySetting.InternalKey] = Stack.App.InternalKey;
        builder.Configuration["services:wallet:http:0"] = Stack.Wallet.ToString();
        builder.Configuration["services:sessions:http:0"] = Stack.Url("sessions").ToString();
        builder.AddOwnDatabase<BillingDb>("billing");
        builder.Services.AddSingleton(TimeProvider.System);
        builder.AddInternalCalls(ServiceCall.Billing);
        builder.AddServiceClient<LedgerClient>("wallet", LedgerClient.AttemptTimeout);
        builder.AddServiceClient<SessionsClient>("sessions", SessionsClient.AttemptTimeout);
        builder.Services.AddSingleton(new StripeModes(modes));
        builder.Services.AddSingleton(new MailSettings(Server: null));
        foreach (var part in (Type[])
        [
            typeof(OutboxSignal), typeof(StripeCalls), typeof(Postings), typeof(Intents), typeof(Purchases), typeof(Refunds),
            typeof(Disputes), typeof(SavedCards), typeof(AutoCharges), typeof(Trust), typeof(Redemptions), typeof(ConnectCalls),
            typeof(ConnectAccounts), typeof(ConnectEvents), typeof(Payouts), typeof(AutomaticPayouts), typeof(PayoutRounds),
            typeof(SubscriptionCalls), typeof(Subscribers), typeof(PlanReversals), typeof(PlanPayments), typeof(PlanUsage),
            typeof(Subscriptions), typeof(SubscriptionEvents), typeof(Invoicing), typeof(EventHandling), typeof(EventWorker),
            typeof(Reconciler),
        ])
            builder.Services.AddSingleton(part);
        var app = builder.Build();
        app.UseProblems();
        app.MapReceiveEvent();
        await app.StartAsync(Token);
        await app.Services.GetRequiredService<DatabaseReady>().Task.WaitAsync(Token);
        return new(app, database, isFirst);
    }

    public T Get<T>() where T : notnull => _app.Services.GetRequiredService<T>();

    /// <summary>A purchase for ten dollars, and its intent as Stripe knows it.</summary>
    public async Task<(Payment Payment, PaymentIntent Intent)> BuyAsync(User user, StripeMode mode)
    {
        var wallet = Guid.ParseExact(user.WalletId["wal_".Length..], "N");
        var state = (await Get<LedgerClient>().StateAsync(wallet, Token))!;
        var quote = Quote.Of(Money.Usd(10), 200_000, 50_000);
        var (payment, intent) = await Get<Purchases>().OpenAsync(
            mode,
            new(
                Ids.New(), state.Organization, state.Project, state.Customer, wallet, mode.Test, mode.Livemode, quote.Amount, quote.Cents,
                quote.Parts, Payment.New, null, default),
            Token);
        return (payment, intent!);
    }

    /// <summary>A purchase that its card has paid at Stripe, which nobody here has been told of.</summary>
    public async Task<Payment> PaidAsync(User user, StripeMode mode)
    {
        var (payment, intent) = await BuyAsync(user, mode);
        await PayAsync(mode, intent, "pm_card_visa");
        return payment;
    }

    /// <summary>As the page does it.</summary>
    public static Task<PaymentIntent> PayAsync(StripeMode mode, PaymentIntent intent, string method) =>
        mode.Client.V1.PaymentIntents.ConfirmAsync(
            intent.Id, new() { PaymentMethod = method, ReturnUrl = "https://example.com" }, cancellationToken: Token);

    /// <param name="everything">Also asks after payments and refunds.</param>
    public Task<Reconciled> ReconcileAsync(bool everything) => Get<Reconciler>().RunAsync(everything, Token);

    /// <summary>A reconciler whose clock is ahead.</summary>
    public Reconciler Later(TimeSpan by) => ActivatorUtilities.CreateInstance<Reconciler>(_app.Services, new ClockAhead(by));

    sealed class ClockAhead(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }

    /// <summary>From now on, until the end of the test.</summary>
    public async Task LetRunAsync<TService>() where TService : notnull, IHostedService
    {
        _running.Add(Get<TService>());
        await _running[^1].StartAsync(Token);
    }

    public async Task RunAsync(string sql, params object[] values)
    {
        await using var command = Database.Sql(sql, values);
        await command.ExecuteNonQueryAsync(Token);
    }

    public async Task<long> NumberAsync(string sql, params object[] values)
    {
        await using var query = Database.Sql(sql, values);
        return (long)(await query.ExecuteScalarAsync(Token))!;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var one in _running)
            await one.StopAsync(CancellationToken.None);
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        if (!_isFirst)
            return;
        var name = new NpgsqlConnectionStringBuilder(_database).Database;
        await using var drop = Books.Wallet.Sql($"drop database {name} with (force)");
        await drop.ExecuteNonQueryAsync(CancellationToken.None);
    }
}
