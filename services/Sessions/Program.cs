using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using LlmGateway.Sessions.ResponseState;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("sessions", Failpoints.All);
builder.AddOwnDatabase<SessionsDb>("sessions");
builder.AddRedis();
builder.AddMessaging(
    bus => bus.AddConsumer<AuditConsumer>(),
    new DurableEndpoint(KnownQueues.Audit, AuditConsumer.Configure));
builder.AddOutbox();
builder.AddSeed();
builder.AddEnvelope();
builder.AddCredentialSeal();
builder.AddInternalCalls(ServiceCall.Sessions);
builder.AddIdempotency();
builder.AddServiceClient<WalletClient>("wallet", WalletClient.AttemptTimeout);
builder.Services.AddRetention(TableRetention.All);
builder.AddResponseState();
builder.Services.AddSingleton(new SandboxAddress(builder.Configuration[SandboxAddress.Setting]));
builder.Services.AddSingleton(PrivateHosts.Read(builder, PrivateHosts.OfProviders));
builder.Services.AddSingleton<SessionTokens>();
builder.Services.AddSingleton<CustomerKeys>();
builder.Services.AddSingleton<HotCopies>();
builder.Services.AddHostedService<InvalidationBeats>();

var app = builder.BuildService();
app.UseServiceDefaults();
app.UseInternalOnly(Routes.Callers);
Author.UseAuthor(app);

// For the edge
app.MapCredentials();
app.MapProjects();
app.MapRecordKeyUse();

// For Billing
app.MapTerms();
app.MapProfile();

// What providers keep for customers: files and batches
app.MapRegisterObject();
app.MapFindObjects();
app.MapDeleteObject();
app.MapClaimBatches();
app.MapSettleBatch();

// What customers' responses are continued from
app.MapKeepResponse();
app.MapFindResponses();
app.MapDeleteResponse();

// The catalogue of models
app.MapListCatalogue();
app.MapImportModels();

// For operators: keys that replace others, changes that could not be kept
app.MapReseal();
app.MapErrorQueues();

// End-user sessions
app.MapMintSession();
app.MapRefreshSession();
app.MapListSessions();
app.MapRevokeSession();

// What projects are and sell
app.MapListProjects();
app.MapPutProject();
app.MapPutBranding();
app.MapListProviders();
app.MapPutProvider();
app.MapDeleteProvider();
app.MapListQueryTypes();
app.MapListModels();
app.MapPutModel();
app.MapDeleteModel();
app.MapListPrices();
app.MapListRoutes();
app.MapPutRoute();
app.MapDeleteRoute();
app.MapShowRequest();
app.MapListPlans();
app.MapPutPlan();
app.MapDeletePlan();
app.MapExportSeed();

// Who changed what
app.MapListAudit();

// Secret keys
app.MapListSecretKeys();
app.MapCreateSecretKey();
app.MapRevokeSecretKey();

// Members of organizations
app.MapNameOwner();
app.MapListMembers();
app.MapCreateMember();
app.MapChangeMember();
app.MapRemoveMember();
app.MapCreateMemberToken();
app.MapEndMemberTokens();
app.MapOwnMembership();

// Customers
app.MapListCustomers();
app.MapCreateCustomer();
app.MapGetCustomer();
app.MapChangeCustomer();
app.MapDeleteCustomer();

// Their keys
app.MapListKeys();
app.MapCreateKey();
app.MapRotateKey();
app.MapRevokeKey();

// Their limits
app.MapGetLimits();
app.MapPutLimits();
app.MapPutRates();
app.MapRaiseLimit();

// Their call credits
app.MapGetBalances();
app.MapAdjustBalance();

await app.RunAsync();
