using System.Diagnostics;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Batches;
using LlmGateway.Proxy.Gemini;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.ServiceDefaults;

// Configuration never changes while the process runs. Watching for changes would mean a notification for every write below this folder.
var builder = WebApplication.CreateBuilder([.. args, "--hostBuilder:reloadConfigOnChange=false"]);
builder.AddServiceDefaults("proxy", Failpoints.All);
builder.Services.AddSingleton<DistributedContextPropagator, CallerTraces>();
builder.UseInlineSockets();
builder.AddRedis();
builder.AddMessaging();
builder.AddEnvelope();
builder.AddInternalCalls(ServiceCall.Proxy);
builder.AddSpool();
builder.Services.AddHttpForwarder();
// Only management calls go there.
builder.Setting("services:billing:http:0");
builder.Setting("services:webhooks:http:0");
builder.AddServiceClient<SessionsClient>("sessions", SessionsClient.AttemptTimeout);
builder.AddServiceClient<KeptResponsesClient>("sessions", KeptResponsesClient.AttemptTimeout);
builder.AddServiceClient<KeyedCallsClient>("wallet", KeyedCallsClient.AttemptTimeout);
builder.AddServiceClient<WalletClient>("wallet", WalletClient.AttemptTimeout);

// Who calls, and what comes in
builder.Services.AddSingleton<RequestGate>();
builder.Services.AddHealthChecks().AddCheck<RequestGate>("intake");
builder.Services.AddSingleton<ChangeFeed>();
builder.Services.AddSingleton(new CallerAddress(builder.Configuration[CallerAddress.Setting]));
builder.AddFailedIdentifications();
builder.AddBodyBudget();
builder.AddManagementRates();
builder.Services.AddSingleton<Identity>();
builder.Services.AddHostedSingleton<RateLimits>();
builder.Services.AddSingleton<Entrance>();
builder.Services.AddSingleton<Cors>();

// What callers see of what they have
builder.Services.AddSingleton<OwnBalance>();
builder.Services.AddSingleton<OwnCredits>();

// What backends ask
builder.Services.AddSingleton<ManagementCalls>();
builder.Services.AddSingleton<TestProvider>();

// What a request needs before it runs
builder.Services.AddSingleton(OutputDefault.Read(builder));
builder.Services.AddSingleton<LedgerClock>();
builder.Services.AddSingleton<IWindowLedger>(services => services.GetRequiredService<WalletClient>());
builder.Services.AddSingleton<WindowAdmission>();
builder.Services.AddHostedSingleton<KeyedCalls>();

// The stages of a request
builder.Services.AddSingleton(Upstream.NewClient(PrivateHosts.Read(builder, PrivateHosts.OfProviders)));
builder.Services.AddSingleton<Forwarding>();
builder.Services.AddSingleton<Answers>();
builder.Services.AddSingleton(GenAiSpan.Read(builder));
builder.Services.AddSingleton<ResponseStates>();
builder.Services.AddSingleton<ResponseRoutes>();
builder.Services.AddSingleton<Inference>();
builder.Services.AddSingleton<CountTokens>();

// Any HTTP API
builder.Services.AddSingleton<HttpAnswers>();
builder.Services.AddSingleton<HttpCalls>();
builder.Services.AddSingleton<ProviderRoutes>();
builder.Services.AddSingleton<OpenHosts>();
builder.Services.AddSingleton<CustomRoutes>();

// Batches and files
builder.Services.AddSingleton<ProviderCalls>();
builder.Services.AddSingleton<OwnObjects>();
builder.Services.AddSingleton<BatchCreation>();
builder.Services.AddHostedSingleton<BatchSettling>();
builder.Services.AddSingleton<MessageBatches>();
builder.Services.AddSingleton<Files>();
builder.Services.AddSingleton<FileBatches>();

// What runs beside requests, stopped in the opposite order. Heartbeats end after the slices: what those hold is given back by a proxy that
// lives.
builder.Services.AddHostedSingleton<Heartbeats>();
builder.Services.AddHostedSingleton<Slices>();
builder.Services.AddHostedSingleton<SpoolPublisher>();
builder.Services.AddHostedSingleton<RunningCalls>();
builder.Services.AddHostedSingleton<KeyUse>();
builder.Services.AddHostedService<Invalidations>();
builder.Services.AddSingleton<Drain>();

var app = builder.BuildService();
app.UseServiceDefaults();
app.UsePathKeys();
app.UseClientSessions();
app.UseCrossOrigin();
app.UseInference();
app.UseGemini();
app.UseHead();
app.UseModelAddresses();
app.UseRouting();
app.MapRoutes();

await app.RunAsync();
