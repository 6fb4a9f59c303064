using LlmGateway.Proxy;
using LlmGateway.Proxy.Anthropic;
using LlmGateway.Proxy.Gemini;
using LlmGateway.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults(Configuration.Needs);
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
builder.Services.AddSingleton<Inference>();
builder.Services.AddSingleton<CountTokens>();
builder.Services.AddSingleton<GeminiTokens>();
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

app.MapCountTokens();
app.MapModels();
app.MapManagement();
app.MapRoot();

await app.RunAsync();
