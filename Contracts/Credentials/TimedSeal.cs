using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Contracts;

/// <summary>
/// Proves that a service of this gateway wrote a value, for what, and not long ago. It hides nothing. Layout: id of the key (4 bytes), end
/// in milliseconds of Unix time (8), HMAC-SHA-256 (32), the value. The first key seals and all of them open, so that keys can be replaced
/// one after the other.
/// </summary>
public sealed class TimedSeal
{
    /// <summary>
    /// A sealed value that somebody has copied cannot be used for longer than this. The clocks of the gateway's machines must agree within
    /// it.
    /// </summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    const int IdBytes = 4, EndBytes = 8, KeyBytes = 32, MacBytes = HMACSHA256.HashSizeInBytes, MacAt = IdBytes + EndBytes;

    readonly (byte[] Id, byte[] Key)[] _keys;
    readonly TimeProvider _time;

    /// <param name="keys">As <see cref="KeySetting"/> reads them.</param>
    /// <param name="purpose">Seals for one purpose do not open for another.</param>
    public TimedSeal(IEnumerable<byte[]> keys, string purpose, TimeProvider time)
    {
        _keys = [.. keys.Select(key => KeySetting.Derive(key, purpose, KeyBytes + IdBytes))
            .Select(derived => (derived[KeyBytes..], derived[..KeyBytes]))];
        _time = time;
    }

    /// <param name="context">What the value is for; needed again to open.</param>
    public byte[] Seal(string context, ReadOnlySpan<byte> value)
    {
        var (id, key) = _keys[0];
        var result = new byte[MacAt + MacBytes + value.Length];
        id.CopyTo(result, 0);
        BinaryPrimitives.WriteInt64BigEndian(result.AsSpan(IdBytes), (_time.GetUtcNow() + Lifetime).ToUnixTimeMilliseconds());
        value.CopyTo(result.AsSpan(MacAt + MacBytes));
        Mac(key, context, result, result.AsSpan(MacAt, MacBytes));
        return result;
    }

    /// <summary>Null when it was not sealed for this with one of our keys, when it was altered, or when its time is over.</summary>
    public ReadOnlyMemory<byte>? Open(string context, ReadOnlyMemory<byte> sealedValue)
    {
        var bytes = sealedValue.Span;
        if (bytes.Length < MacAt + MacBytes)
            return null;
        Span<byte> mac = stackalloc byte[MacBytes];
        foreach (var (id, key) in _keys)
        {
            if (!bytes.StartsWith(id))
                continue;
            Mac(key, context, bytes, mac);
            if (CryptographicOperations.FixedTimeEquals(mac, bytes.Slice(MacAt, MacBytes)))
                return IsOver(bytes) ? null : new ReadOnlyMemory<byte>?(sealedValue[(MacAt + MacBytes)..]);
        }
        return null;
    }

    bool IsOver(ReadOnlySpan<byte> sealedValue) =>
        _time.GetUtcNow().ToUnixTimeMilliseconds() >= BinaryPrimitives.ReadInt64BigEndian(sealedValue[IdBytes..]);

    /// <summary>Over everything but the MAC itself. A context has no zero, so it cannot run into the value.</summary>
    static void Mac(byte[] key, string context, ReadOnlySpan<byte> sealedValue, Span<byte> mac)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hmac.AppendData(Encoding.UTF8.GetBytes(context));
        hmac.AppendData([0]);
        hmac.AppendData(sealedValue[..MacAt]);
        hmac.AppendData(sealedValue[(MacAt + MacBytes)..]);
        hmac.GetHashAndReset(mac);
    }
}
