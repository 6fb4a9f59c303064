using System.Diagnostics;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Anthropic;
using LlmGateway.Proxy.Batches;
using LlmGateway.Proxy.Gemini;
using LlmGateway.ServiceDefaults;

// Configuration never changes while the process runs. Watching for changes would mean a notification for every write below this folder.
var builder = WebApplication.CreateBuilder([.. args, "--hostBuilder:reloadConfigOnChange=false"]);
builder.AddServiceDefaults("proxy", Failpoints.All);
builder.Services.AddSingleton<DistributedContextPropagator, CallerTraces>();
builder.UseInlineSockets();
builder.AddRedis();
builder.AddMessaging();
builder.AddEnvelope();
builder.AddInternalCalls();
builder.AddSpool();
builder.Services.AddHttpForwarder();
builder.AddServiceClient<SessionsClient>("sessions", SessionsClient.AttemptTimeout);
builder.AddServiceClient<WalletClient>("wallet", WalletClient.AttemptTimeout);
builder.Services.AddSingleton(new OutputDefault(builder.Configuration.GetValue<int?>(OutputDefault.Setting)));
builder.Services.AddSingleton<RequestGate>();
builder.Services.AddHealthChecks().AddCheck<RequestGate>("intake");
builder.Services.AddSingleton(Upstream.NewClient(new(builder.Configuration[PrivateHosts.Setting])));
builder.Services.AddSingleton<ChangeFeed>();
builder.Services.AddSingleton<Identity>();
builder.Services.AddHostedSingleton<RateLimits>();
builder.Services.AddSingleton<Cors>();
builder.Services.AddSingleton<Forwarding>();
builder.Services.AddSingleton<Answers>();
builder.Services.AddSingleton(new GenAiSpan(
    captureContent: bool.TryParse(builder.Configuration[GenAiSpan.ContentSetting], out var captureContent) && captureContent));
builder.Services.AddSingleton<Inference>();
builder.Services.AddSingleton<CountTokens>();
builder.Services.AddSingleton<ProviderCalls>();
builder.Services.AddSingleton<ObjectCallers>();
builder.Services.AddSingleton<BatchCreation>();
builder.Services.AddHostedSingleton<BatchSettling>();
builder.Services.AddSingleton<MessageBatches>();
builder.Services.AddSingleton<Files>();
builder.Services.AddSingleton<FileBatches>();
builder.Services.AddHostedSingleton<Slices>();
builder.Services.AddHostedSingleton<SpoolPublisher>();
builder.Services.AddHostedSingleton<RunningCalls>();
builder.Services.AddHostedSingleton<KeyUse>();
builder.Services.AddHostedService<Invalidations>();
builder.Services.AddSingleton<Drain>();

var app = builder.BuildService();
app.UseServiceDefaults();
app.UseCrossOrigin();
app.UseInference();
app.UseGemini();
app.UseHead();
app.UseModelAddresses();
app.UseRouting();

app.MapInference();
app.MapMessageCount();
MessageBatches.Map(app);
Files.Map(app);
FileBatches.Map(app);
app.MapModels();
app.MapManagement();
Drain.Map(app);
app.MapRoot();

await app.RunAsync();
