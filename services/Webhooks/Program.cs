using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Webhooks;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("webhooks", Failpoints.All);
builder.AddOwnDatabase<WebhooksDb>("webhooks");
builder.AddInternalCalls(ServiceCall.Webhooks);
builder.AddServiceClient<LedgerClient>("wallet", LedgerClient.AttemptTimeout);
builder.Services.AddRetention(TableRetention.All);
builder.AddMessaging(
    bus => bus.AddConsumer<EventConsumer>(),
    new DurableEndpoint(KnownQueues.Webhooks, EventConsumer.Configure));

var app = builder.BuildService();
app.UseServiceDefaults();
app.UseInternalOnly(Routes.Callers);

app.MapVerifyEvents();
app.MapErrorQueues();

await app.RunAsync();
