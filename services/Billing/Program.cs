using LlmGateway.Billing;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("billing", Failpoints.All);
builder.AddOwnDatabase<BillingDb>("billing");
builder.AddMessaging(
    bus =>
    {
        bus.AddConsumer<LowBalanceConsumer>();
        bus.AddConsumer<AlertConsumer>();
        bus.AddConsumer<EraseConsumer>();
    },
    new DurableEndpoint(KnownQueues.LowBalances, LowBalanceConsumer.Configure),
    new DurableEndpoint(KnownQueues.Alerts, AlertConsumer.Configure),
    new DurableEndpoint(KnownQueues.Erasures, EraseConsumer.Configure));
builder.AddOutbox();
builder.AddInternalCalls(ServiceCall.Billing);
builder.AddIdempotency();
builder.AddServiceClient<LedgerClient>("wallet", LedgerClient.AttemptTimeout);
builder.AddServiceClient<SessionsClient>("sessions", SessionsClient.AttemptTimeout);
builder.Services.AddRetention(TableRetention.All);

// Stripe
builder.Services.AddSingleton(StripeModes.Read(builder, StripeHttp.NewClient()));
builder.Services.AddSingleton<StripeCalls>();
builder.Services.AddHostedSingleton<SandboxEndpoint>();
builder.Services.AddHostedService<EndpointVersions>();
builder.Services.AddHostedService<PlayedPayments>();
builder.Services.AddReadiness(
    "sandbox", (services, _) => Task.FromResult(services.GetRequiredService<SandboxEndpoint>().IsReady));

// Payments, and what is taken back of them
builder.Services.AddSingleton<Postings>();
builder.Services.AddSingleton<Intents>();
builder.Services.AddSingleton<Purchases>();
builder.Services.AddSingleton<Refunds>();
builder.Services.AddSingleton<Disputes>();

// Wallets that are topped up by themselves
builder.Services.AddSingleton<SavedCards>();
builder.Services.AddSingleton<AutoCharges>();
builder.Services.AddHostedSingleton<AutoTopUps>();

// Whom to trust
builder.Services.AddSingleton<Trust>();

// Who is to be forgotten
builder.Services.AddHostedSingleton<Erasures>();

// Codes that give credit
builder.Services.AddSingleton<Redemptions>();

// What developers have earned, on its way to them
builder.Services.AddSingleton<ConnectCalls>();
builder.Services.AddSingleton<ConnectAccounts>();
builder.Services.AddSingleton<ConnectEvents>();
builder.Services.AddSingleton<Payouts>();
builder.Services.AddSingleton<AutomaticPayouts>();
builder.Services.AddSingleton<PayoutRounds>();

// Files of payments and documents
builder.Services.AddSingleton(new ExportSlots());

// What is printed of them
builder.Services.AddHostedSingleton<Invoicing>();

// What is mailed
builder.Services.AddSingleton(MailSettings.Read(builder));
builder.Services.AddHostedSingleton<MailWorker>();

// What Stripe tells, and what it told in vain
builder.Services.AddSingleton<EventHandling>();
builder.Services.AddHostedSingleton<EventWorker>();
builder.Services.AddHostedSingleton<Reconciler>();

var app = builder.BuildService();
app.UseServiceDefaults();
app.UseInternalOnly(Routes.Callers);

// From Stripe
app.MapReceiveEvent();

// For end users and their pages
app.MapGetConfig();
app.MapStartTopUp();
app.MapListTopUps();
app.MapSaveCard();
app.MapRemoveCard();
app.MapSetAutoTopUp();
app.MapRedeemPromotion();

// For backends
app.MapListPayments();
app.MapRefundPayment();
app.MapListRefunds();
app.MapListDisputes();
app.MapCreatePromotion();
app.MapEndPromotion();
app.MapOnboard();
app.MapGetConnectStatus();
app.MapStartPayout();
app.MapListPayouts();
app.MapSetAutomatic();
app.MapAlerts();
app.MapVoidInvoice();

// For backends, and end users their own
app.MapSeller();
app.MapInvoices();

// For operators
app.MapReconcile();
app.MapListEvents();
app.MapRetryEvents();
app.MapTrustRoutes();
app.MapPausePayouts();
app.MapErrorQueues();

// For Webhooks, which proves that no event is missing
app.MapEventNumbers();

await app.RunAsync();
