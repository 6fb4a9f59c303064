using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>Everything this service reads from configuration. Seed files may ask for more by <c>${NAME}</c>.</summary>
public static class Configuration
{
    /// <summary>Paths of seed files, separated by colons.</summary>
    public const string SeedSetting = "LLMGATEWAY_SEED";

    /// <summary>Where the sandbox is; providers under it are safe for test credentials.</summary>
    public const string SandboxSetting = "SANDBOX_URL";

    public static readonly ServiceNeeds Needs = new(
        "sessions",
        Connections: ["sessions", "redis", "rabbitmq"],
        Services: ["wallet"],
        Settings: [InternalCalls.KeySetting, "Gateway:MasterKey", CredentialSeal.PepperSetting],
        OptionalSettings: [SeedSetting, SandboxSetting]);
}
