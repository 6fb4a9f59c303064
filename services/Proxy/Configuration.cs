using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>Everything this service reads from configuration.</summary>
public static class Configuration
{
    /// <summary>Folder of the spool; each proxy process needs its own.</summary>
    public const string SpoolSetting = "Proxy:Spool";

    public static readonly ServiceNeeds Needs = new(
        "proxy", Connections: ["redis", "rabbitmq"], Services: ["sessions", "wallet"],
        Settings: [InternalCalls.KeySetting, "Gateway:MasterKey", SpoolSetting],
        OptionalSettings: [PrivateHosts.Setting, GenAiSpan.ContentSetting]);
}
