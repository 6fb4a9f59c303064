using LlmGateway.AppHost;
using LlmGateway.Contracts;

// What runs, and who needs whom. Everything is said here once; the files beside this one are the details.
var builder = DistributedApplication.CreateBuilder(Stack.Options(args));
var stack = new Stack(builder);

// Secrets: made once, kept with the data that they protect.
var internalKeys = stack.AddKeys("internal-key", KeySetting.InternalKey);
var masterKeys = stack.AddKeys("master-key", KeySetting.MasterKey);
var peppers = stack.AddKeys("pepper", KeySetting.Pepper);

// Servers: processes of this machine, containers, or others' by connection string.
var servers = new Servers(stack);
var walletDatabase = servers.AddDatabase("walletdb", database: "wallet");
var sessionsDatabase = servers.AddDatabase("sessionsdb", database: "sessions");
var webhooksDatabase = servers.AddDatabase("webhooksdb", database: "webhooks");
var billingDatabase = servers.AddDatabase("billingdb", database: "billing");
var redis = servers.AddRedis("redis");
var rabbitmq = servers.AddRabbitMq("rabbitmq");

// Plays the model providers and Stripe on a laptop; no part of a deployment.
var sandbox = stack.AddService<Projects.Sandbox>("sandbox", Ports.Sandbox)
    .ExcludeFromManifest()
    .WithStripe(stack)
    .WithMail(stack)
    .WithSandboxCommands();

// The only writer of balances.
var wallet = stack.AddService<Projects.Wallet>("wallet", Ports.Wallet)
    .WithServer(walletDatabase, "wallet")
    .WithServer(redis)
    .WithServer(rabbitmq)
    .WithKeys(internalKeys)
    .WithSetting(stack, "Wallet:UsageRetention")
    .WithSetting(stack, "Wallet:RawUsageRetention")
    .WithSetting(stack, "Wallet:SlotSilence")
    .WithWalletCommands(internalKeys);

// Who may do what, at which price.
var sessions = stack.AddService<Projects.Sessions>("sessions", Ports.Sessions)
    .WithServer(sessionsDatabase, "sessions")
    .WithServer(redis)
    .WithServer(rabbitmq)
    .WithReference(wallet)
    .WithKeys(internalKeys, masterKeys, peppers)
    .WithSeeds(stack, sandbox)
    .WithSetting(stack, "Gateway:PrivateHosts")
    .WithSessionsCommands(internalKeys);

// Top-ups, refunds, disputes: the only one that talks to Stripe.
var billing = stack.AddService<Projects.Billing>("billing", Ports.Billing)
    .WithServer(billingDatabase, "billing")
    .WithServer(rabbitmq)
    .WithReference(wallet)
    .WithReference(sessions)
    .WithKeys(internalKeys)
    .WithPayments(stack)
    .WithMailServer(stack)
    .WithBillingCommands(internalKeys);

// What the developer's systems are told.
var webhooks = stack.AddService<Projects.Webhooks>("webhooks", Ports.Webhooks)
    .WithServer(webhooksDatabase, "webhooks")
    .WithServer(rabbitmq)
    .WithReference(wallet)
    .WithReference(billing)
    .WithKeys(internalKeys, masterKeys)
    .WithSetting(stack, "Webhooks:Retention")
    // Receivers on this machine. A deployment has none.
    .WithSetting(stack, "Webhooks:PrivateHosts", otherwise: "127.0.0.1,localhost")
    .WithWebhooksCommands(internalKeys);

// The public edge, twice: every machine is a cluster of two, so that nothing can assume that it is alone.
foreach (var (name, port) in new[] { ("proxy", Ports.Proxy), ("proxy2", Ports.Proxy2) })
    stack.AddService<Projects.Proxy>(name, port)
        .WithExternalHttpEndpoints()
        .WithServer(redis)
        .WithServer(rabbitmq)
        .WithReference(sessions)
        .WithReference(wallet)
        .WithReference(webhooks)
        .WithReference(billing)
        .WithKeys(internalKeys, masterKeys)
        .WithSpool(stack)
        .WithSetting(stack, "Gateway:PrivateHosts")
        .WithSetting(stack, "Proxy:FailedIdentificationsPerMinute")
        .WithSetting(stack, "Telemetry:CaptureContent", otherwise: "false")
        .WithProxyCommands(internalKeys);

return await stack.RunAsync();
