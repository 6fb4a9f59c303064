using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>A call that has taken its <c>Idempotency-Key</c>.</summary>
/// <param name="Call">What the key stands for; see <see cref="IdOf"/>.</param>
/// <param name="Request">The request that runs under it.</param>
public sealed record KeyedCall(Guid Call, Guid Request)
{
    Recording? _recording;

    /// <summary>The answer is whole, so the key is used.</summary>
    public bool IsWhole { get; set; }

    /// <summary>What a stream's caller was told so far; null when it is too much to be kept.</summary>
    public ReadOnlyMemory<byte>? Told => _recording?.Told;

    /// <summary>Records a stream while it goes to its caller.</summary>
    public Recording Record(IBufferWriter<byte> toCaller, BodyBudget.Room room) => _recording = new(toCaller, room);

    /// <summary>
    /// A key stands for one call of one caller on one route. Callers are told apart by customer, so that another key of the same customer
    /// may repeat a call; nobody ever meets a key of somebody else.
    /// </summary>
    /// <param name="endpoint">The route's pattern.</param>
    public static Guid IdOf(Caller caller, string endpoint, string key) =>
        Ids.Derive(caller.Owner, $"{(caller.Credential.Test ? "test" : "live")} POST {endpoint} {key}");

    /// <summary>SHA-256 of what is asked: the body as it came, and the address where that says more than the route.</summary>
    public static byte[] HashOf(RequestTarget target, ReadOnlySpan<byte> body)
    {
        if (target == default)
            return SHA256.HashData(body);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{target.Model}\n{target.Stream} {target.Sse}\n"));
        hash.AppendData(body);
        return hash.GetHashAndReset();
    }
}
