using LlmGateway.AppHost;

// What runs, and who needs whom. Everything is said here once; the files beside this one are the details.
var builder = DistributedApplication.CreateBuilder(Stack.Options(args));
var stack = new Stack(builder);

// Secrets: made once, kept with the data that they protect.
var internalKey = stack.AddSecret("internal-key");
var masterKey = stack.AddSecret("master-key");
var pepper = stack.AddSecret("pepper");

// Servers: processes of this machine, containers, or others' by connection string.
var servers = new Servers(stack);
var walletDatabase = servers.AddDatabase("walletdb", database: "wallet");
var sessionsDatabase = servers.AddDatabase("sessionsdb", database: "sessions");
var redis = servers.AddRedis("redis");
var rabbitmq = servers.AddRabbitMq("rabbitmq");

// Plays the model providers on a laptop; no part of a deployment.
var sandbox = stack.AddService<Projects.Sandbox>("sandbox", Ports.Sandbox)
    .ExcludeFromManifest()
    .WithSandboxCommands();

// The only writer of balances.
var wallet = stack.AddService<Projects.Wallet>("wallet", Ports.Wallet)
    .WithServer(walletDatabase, "wallet")
    .WithServer(redis)
    .WithServer(rabbitmq)
    .WithEnvironment("Gateway__InternalKey", internalKey)
    .WithEnvironment("Gateway__MasterKey", masterKey)
    .WithWalletCommands(internalKey);

// Who may do what, at which price.
var sessions = stack.AddService<Projects.Sessions>("sessions", Ports.Sessions)
    .WithServer(sessionsDatabase, "sessions")
    .WithServer(redis)
    .WithServer(rabbitmq)
    .WithReference(wallet)
    .WithEnvironment("Gateway__InternalKey", internalKey)
    .WithEnvironment("Gateway__MasterKey", masterKey)
    .WithEnvironment("Gateway__Pepper", pepper)
    .WithSeeds(stack, sandbox)
    .WithSessionsCommands(internalKey);

// The public edge, twice: every machine is a cluster of two, so that nothing can assume that it is alone.
foreach (var (name, port) in new[] { ("proxy", Ports.Proxy), ("proxy2", Ports.Proxy2) })
    stack.AddService<Projects.Proxy>(name, port)
        .WithExternalHttpEndpoints()
        .WithServer(redis)
        .WithServer(rabbitmq)
        .WithReference(sessions)
        .WithReference(wallet)
        .WithEnvironment("Gateway__InternalKey", internalKey)
        .WithEnvironment("Gateway__MasterKey", masterKey)
        .WithSpool(stack)
        .WithSetting(stack, "Gateway:PrivateHosts")
        .WithSetting(stack, "Proxy:FailedIdentificationsPerMinute")
        .WithSetting(stack, "Telemetry:CaptureContent", otherwise: "false")
        .WithProxyCommands(internalKey);

return await stack.RunAsync();
