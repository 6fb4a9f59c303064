using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using MassTransit;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults(Configuration.Needs, Failpoints.All);
builder.AddOwnDatabase<WalletDb>("wallet");
builder.AddRedis();
builder.Services.AddSingleton<Envelope>();
builder.Services.AddHostedService<IdempotencyRetention>();
builder.Services.AddHostedSingleton<Writer>();
builder.Services.AddSingleton<Recalls>();
builder.Services.AddHostedSingleton<LeaseSweeper>();
builder.AddMessaging(
    bus => bus.AddConsumer<SettlementConsumer>(),
    (rabbit, context) => rabbit.DurableQueue(SettlementBatch.Queue, queue => queue.ConfigureConsumer<SettlementConsumer>(context)));

var app = builder.Build();
app.UseServiceDefaults();
app.UseInternalOnly();

app.MapRegisters();
app.MapLeases();
app.MapWallets();
app.MapOwnWallet();
app.MapSummaries();
app.MapReratings();
app.MapBatchCosts();
app.MapVerify();

await app.RunAsync();
