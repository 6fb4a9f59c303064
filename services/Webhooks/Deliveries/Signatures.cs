using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using StandardWebhooks;

namespace LlmGateway.Webhooks;

/// <summary>
/// The headers by which a receiver knows that an event is ours: our own and those of Standard Webhooks, over the same bytes. Every secret
/// signs, the newest first. Our own takes a secret as it is shown; the standard takes what stands behind <c>whsec_</c>, decoded.
/// </summary>
public static class Signatures
{
    public const string Signature = "X-LLMGateway-Signature", Event = "X-LLMGateway-Event", EventId = "X-LLMGateway-Event-Id";

    public const string StandardId = "webhook-id", StandardTimestamp = "webhook-timestamp", StandardSignature = "webhook-signature";

    /// <param name="id">As the body shows it.</param>
    /// <param name="body">The event as it is kept.</param>
    public static IEnumerable<(string Name, string Value)> Of(
        string id, string type, string body, DateTimeOffset at, IReadOnlyList<string> secrets)
    {
        var time = at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        yield return (Signature, $"t={time},{string.Join(',', secrets.Select(secret => $"v1={Own(time, body, secret)}"))}");
        yield return (Event, type);
        yield return (EventId, id);
        yield return (StandardId, id);
        yield return (StandardTimestamp, time);
        yield return (StandardSignature, string.Join(' ', secrets.Select(secret => new StandardWebhook(secret).Sign(id, at, body))));
    }

    static string Own(string time, string body, string secret) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{time}.{body}")));
}
