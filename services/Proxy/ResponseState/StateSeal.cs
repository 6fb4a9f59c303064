using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>
/// Seals one customer's conversations: AES-256-GCM under a key that follows from project, mode and customer, with the response's id
/// authenticated. So a conversation opens for its customer and under its id only, whatever the database gives out. The first master key
/// seals; conversations of the others open until their time is over.
/// </summary>
public sealed class StateSeal
{
    const byte Version = 1;
    const int KeySize = 32, NonceSize = 12, TagSize = 16, HeadSize = 1 + NonceSize;

    /// <summary>Bytes that sealing adds.</summary>
    public const int Overhead = HeadSize + TagSize;

    // A sealing and a marking key from each master key.
    readonly IReadOnlyList<byte[]> _keys;

    /// <param name="purpose">What is sealed for one purpose does not open for another.</param>
    public StateSeal(Envelope envelope, Guid project, bool test, Guid customer, string purpose = "responses") =>
        _keys = envelope.KeysFor($"{purpose}:{project:N}:{(test ? "test" : "live")}:{customer:N}", 2 * KeySize);

    /// <summary>Version, nonce, ciphertext, tag.</summary>
    public byte[] Seal(ReadOnlySpan<byte> plain, Guid response)
    {
        var result = new byte[HeadSize + plain.Length + TagSize];
        result[0] = Version;
        var nonce = result.AsSpan(1, NonceSize);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(_keys[0].AsSpan(0, KeySize), TagSize);
        aes.Encrypt(nonce, plain, result.AsSpan(HeadSize, plain.Length), result.AsSpan(HeadSize + plain.Length), response.ToByteArray());
        return result;
    }

    /// <exception cref="CryptographicException">It was sealed for another customer or under another id, or was altered.</exception>
    public byte[] Open(ReadOnlySpan<byte> sealedBytes, Guid response)
    {
        if (sealedBytes.Length < HeadSize + TagSize || sealedBytes[0] != Version)
            throw new CryptographicException("not a sealed conversation of a known version");
        foreach (var key in _keys)
            if (TryOpen(sealedBytes, key, response) is { } plain)
                return plain;
        throw new CryptographicException("sealed for another customer, with another master key, or altered");
    }

    static byte[]? TryOpen(ReadOnlySpan<byte> sealedBytes, byte[] key, Guid response)
    {
        var plain = new byte[sealedBytes.Length - HeadSize - TagSize];
        using var aes = new AesGcm(key.AsSpan(0, KeySize), TagSize);
        try
        {
            aes.Decrypt(
                sealedBytes.Slice(1, NonceSize), sealedBytes[HeadSize..^TagSize], sealedBytes[^TagSize..], plain, response.ToByteArray());
            return plain;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    /// <summary>What an item is found by, see <see cref="KeptResponseQuestion"/>. Two customers' items of one id have two marks.</summary>
    public long Mark(string itemId) => Marks(itemId).First();

    /// <summary>The same, and what it was found by before the master key was replaced.</summary>
    public IEnumerable<long> Marks(string itemId) => _keys.Select(key =>
        BinaryPrimitives.ReadInt64LittleEndian(HMACSHA256.HashData(key.AsSpan(KeySize), Encoding.UTF8.GetBytes(itemId))));
}
