using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Webhooks;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("webhooks", Failpoints.All);
builder.AddOwnDatabase<WebhooksDb>("webhooks");
builder.AddInternalCalls(ServiceCall.Webhooks);
builder.AddEnvelope();
builder.AddIdempotency();
builder.AddServiceClient<LedgerClient>("wallet", LedgerClient.AttemptTimeout);
builder.AddServiceClient<BillingClient>("billing", BillingClient.AttemptTimeout);

// What happens comes in
builder.AddMessaging(
    bus => bus.AddConsumer<EventConsumer>(),
    new DurableEndpoint(KnownQueues.Webhooks, EventConsumer.Configure));
builder.AddOutbox();

// Where owners' systems are
builder.Services.AddSingleton(new GuardedConnections(PrivateHosts.Read(builder, EndpointRules.PrivateHostsSetting)));
builder.Services.AddSingleton<EndpointRules>();
builder.Services.AddSingleton<EndpointSecrets>();

// What goes out to them
builder.Services.AddSingleton<WakeSignal>();
builder.Services.AddSingleton<OwnerSlots>();
builder.Services.AddSingleton<Attempts>();
builder.Services.AddHostedSingleton<Dispatcher>();

// How long it is kept
var retention = EventRetention.Read(builder);
builder.Services.AddSingleton(retention);
builder.Services.AddHostedSingleton<Expiries>();
builder.Services.AddRetention(TableRetention.For(retention));

var app = builder.BuildService();
app.UseServiceDefaults();
app.UseInternalOnly(Routes.Callers);

// For backends: endpoints
app.MapCreateEndpoint();
app.MapListEndpoints();
app.MapChangeEndpoint();
app.MapDeleteEndpoint();
app.MapRotateSecret();
app.MapTestEndpoint();

// What is sent to them
app.MapListDeliveries();
app.MapRetryDelivery();
app.MapReplay();

// For operators
app.MapVerifyEvents();
app.MapDeliverNow();
app.MapReplayDeadLetters();
app.MapResealSecrets();
app.MapErrorQueues();

await app.RunAsync();
