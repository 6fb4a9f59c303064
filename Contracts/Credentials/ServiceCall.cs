using System.Buffers.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmGateway.Contracts;

/// <summary>
/// Who calls a service of the gateway, and for whom. It travels in the header <see cref="Header"/>, sealed with a key that all services
/// have, and holds for <see cref="TimedSeal.Lifetime"/>.
/// </summary>
/// <param name="Caller">A service's name, or <see cref="Operator"/>.</param>
/// <param name="Audience">The name of the service that is called. Another service refuses the call.</param>
/// <param name="Principal">The caller of the gateway, as the edge identified it; null for calls that no caller has made.</param>
public sealed record ServiceCall(string Caller, string Audience, Principal? Principal = null)
{
    /// <summary>Inbound copies are stripped at the edge.</summary>
    public const string Header = "X-Gateway-Call";

    public const string Proxy = "proxy", Sessions = "sessions", Wallet = "wallet", Webhooks = "webhooks",
        Billing = "billing", Operator = "operator";

    static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    /// <param name="keys">The gateway's internal keys, as <see cref="KeySetting"/> reads them.</param>
    public static TimedSeal SealOf(IEnumerable<byte[]> keys, TimeProvider time) => new(keys, "service calls", time);

    /// <summary>The header's value.</summary>
    public string Sign(TimedSeal seal) => Base64Url.EncodeToString(seal.Seal(Header, JsonSerializer.SerializeToUtf8Bytes(this, Json)));

    /// <summary>Null when nobody of the gateway has signed it, when its time is over, or when it is for another service.</summary>
    public static ServiceCall? Read(string header, string audience, TimedSeal seal) =>
        Base64Url.IsValid(header)
            && seal.Open(Header, Base64Url.DecodeFromChars(header)) is { } json
            && JsonSerializer.Deserialize<ServiceCall>(json.Span, Json) is { } call
            && call.Audience == audience
                ? call
                : null;
}
