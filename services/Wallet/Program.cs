using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("wallet", Failpoints.All);
builder.AddOwnDatabase<WalletDb>("wallet");
builder.AddRedis();
builder.AddInternalCalls(ServiceCall.Wallet);
builder.AddIdempotency();
builder.Services.AddRetention(TableRetention.All);
builder.Services.AddSingleton(UsageRetention.Read(builder));
builder.Services.AddHostedSingleton<Writer>();
builder.Services.AddHostedSingleton<HotBalances>();
builder.Services.AddHostedSingleton<Rollups>();
builder.Services.AddHostedSingleton<UsageMonths>();
builder.Services.AddHostedSingleton<Seals>();
builder.Services.AddHostedSingleton<EndedCounters>();
builder.Services.AddHostedSingleton<OwedOpenings>();
builder.Services.AddSingleton(new AnswerBudget());
// Hears answers from the start, not from the first shortage.
builder.Services.AddActivatedSingleton<Recalls>();
builder.Services.AddHostedSingleton<LeaseSweeper>();
builder.Services.AddSingleton(SlotSilence.Read(builder));
builder.Services.AddHostedSingleton<SlotSweeper>();
builder.AddOutbox();
builder.AddMessaging(
    bus => bus.AddConsumer<SettlementConsumer>(),
    new DurableEndpoint(SettlementBatch.Queue, SettlementConsumer.Configure));

var app = builder.BuildService();
app.UseServiceDefaults();
app.UseInternalOnly(Routes.Callers);

app.MapRegisters();
app.MapLeases();
app.MapHeartbeats();
app.MapEnterWindows();
app.MapTakeKey();
app.MapRenewCalls();
app.MapEndCall();
app.MapWallets();
app.MapOwnWallet();
app.MapSummaries();
app.MapEraseCustomer();
app.MapUsageSummary();
app.MapCounters();
app.MapCreditBalances();
app.MapCreditAdjustments();
app.MapCounterOpenings();
app.MapReratings();
app.MapBatchCosts();
app.MapVerify();
app.MapEventNumbers();
Seals.Map(app);
app.MapStaleSettlements();
UnhandledMessages.Map(app);

await app.RunAsync();
