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

// The ledger
builder.Services.AddHostedSingleton<Writer>();
builder.Services.AddHostedSingleton<HotBalances>();

// What it has booked: sums, months, seals
builder.Services.AddSingleton(UsageRetention.Read(builder));
builder.Services.AddHostedSingleton<Rollups>();
builder.Services.AddHostedSingleton<SessionSums>();
builder.Services.AddHostedSingleton<UsageMonths>();
builder.Services.AddHostedSingleton<Seals>();
builder.Services.AddSingleton(new ExportSlots());

// What is erased of customers
builder.Services.AddHostedSingleton<Erasures>();

// Counters of limits
builder.Services.AddHostedSingleton<EndedCounters>();
builder.Services.AddHostedSingleton<OwedOpenings>();

// What proxies hold. It hears answers to recalls from the start, not from the first shortage.
builder.Services.AddActivatedSingleton<Recalls>();
builder.Services.AddHostedSingleton<LeaseSweeper>();
builder.Services.AddSingleton(SlotSilence.Read(builder));
builder.Services.AddHostedSingleton<SlotSweeper>();
builder.Services.AddSingleton(new AnswerBudget());

// Events to the broker, settlements from it
builder.AddOutbox();
builder.AddMessaging(
    bus => bus.AddConsumer<SettlementConsumer>(),
    new DurableEndpoint(SettlementBatch.Queue, SettlementConsumer.Configure));

var app = builder.BuildService();
app.UseServiceDefaults();
app.UseInternalOnly(Routes.Callers);

// For proxies: what they hold
app.MapLeases();
app.MapHeartbeats();
app.MapEnterWindows();

// Calls with an idempotency key
app.MapTakeKey();
app.MapRenewCalls();
app.MapEndCall();

// For Sessions: customers and their limits
app.MapRegisters();
app.MapSummaries();
app.MapEraseCustomer();
app.MapFindRequest();
app.MapCounterStates();
app.MapCounterOpenings();

// Call credits
app.MapCreditBalances();
app.MapCreditAdjustments();

// Payments
app.MapPayments();
app.MapPayouts();

// For backends and end users
app.MapWallets();
app.MapListLedger();
app.MapOwnWallet();
app.MapUsageSummary();
app.MapListRequests();

// What costs differently than it was charged
app.MapReratings();
app.MapBatchCosts();

// For operators
app.MapVerify();
app.MapSealBooks();
app.MapEventNumbers();
app.MapStaleSettlements();
app.MapErrorQueues();

await app.RunAsync();
