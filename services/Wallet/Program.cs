using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("wallet", Failpoints.All);
builder.AddOwnDatabase<WalletDb>("wallet");
builder.AddRedis();
builder.AddEnvelope();
builder.AddInternalCalls();
builder.Services.AddHostedService<IdempotencyRetention>();
builder.Services.AddHostedSingleton<Writer>();
// Hears answers from the start, not from the first shortage.
builder.Services.AddActivatedSingleton<Recalls>();
builder.Services.AddHostedSingleton<LeaseSweeper>();
builder.AddMessaging(
    bus => bus.AddConsumer<SettlementConsumer>(),
    (rabbit, context) => rabbit.DurableQueue(SettlementBatch.Queue, queue => SettlementConsumer.Configure(queue, context)));

var app = builder.BuildService();
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
