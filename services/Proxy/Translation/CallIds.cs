using System.Security.Cryptography;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// Ids for calls to which a provider gave none. They are unique across answers: clients find a call by its id in the whole conversation,
/// and Anthropic refuses a conversation that has one twice.
/// </summary>
static class CallIds
{
    public static string New() => $"call_{RandomNumberGenerator.GetHexString(24, lowercase: true)}";
}
