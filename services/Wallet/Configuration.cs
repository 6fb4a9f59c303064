using LlmGateway.ServiceDefaults;

namespace LlmGateway.Wallet;

/// <summary>Everything this service reads from configuration.</summary>
public static class Configuration
{
    public static readonly ServiceNeeds Needs = new("wallet", Connections: ["wallet", "redis", "rabbitmq"], Services: [], Settings: [InternalCalls.KeySetting, "Gateway:MasterKey"], OptionalSettings: []);
}
