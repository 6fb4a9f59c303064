using System.Diagnostics;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Anthropic;
using LlmGateway.Proxy.Batches;
using LlmGateway.Proxy.Gemini;
using LlmGateway.ServiceDefaults;

// Nothing here changes while it runs, and watching for it means hearing of every write in every folder below this one.
var builder = WebApplication.CreateBuilder([.. args, "--hostBuilder:reloadConfigOnChange=false"]);
builder.AddServiceDefaults(Configuration.Needs);
builder.Services.AddSingleton<DistributedContextPropagator, CallerTraces>();
builder.UseInlineSockets();
builder.AddRedis();
builder.AddMessaging();
builder.Services.AddReverseProxy();
builder.Services.AddServiceClient<SessionsClient>(builder.Configuration, "sessions", SessionsClient.AttemptTimeout);
builder.Services.AddServiceClient<WalletClient>(builder.Configuration, "wallet", WalletClient.AttemptTimeout);
builder.Services.AddSingleton<Envelope>();
builder.Services.AddSingleton(Upstream.NewClient(new(builder.Configuration[PrivateHosts.Setting])));
builder.Services.AddSingleton<Identity>();
builder.Services.AddHostedSingleton<Rates>();
builder.Services.AddSingleton<Spool>();
builder.Services.AddSingleton<Cors>();
builder.Services.AddSingleton<Forwarding>();
builder.Services.AddSingleton<Answering>();
builder.Services.AddSingleton<GenAiSpan>();
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
builder.Services.AddHostedSingleton<Running>();
builder.Services.AddHostedSingleton<KeyUse>();
builder.Services.AddHostedService<Pushes>();

var app = builder.Build();
app.UseServiceDefaults();
app.UseCrossOrigin();
app.UseInference();
app.UseGemini();
app.UseModelAddresses();
app.UseRouting();
app.UseAuthorization();

app.MapMessageCount();
MessageBatches.Map(app);
Files.Map(app);
FileBatches.Map(app);
app.MapModels();
app.MapManagement();
app.MapRoot();

await app.RunAsync();
