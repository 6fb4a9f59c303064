using System.Security.Cryptography;
using System.Text;
using LlmGateway.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Secrets at rest: AES-256-GCM with a data key per secret, which a master key wraps. The owner is authenticated, too, so that a sealed
/// secret copied to another row does not open. The first master key seals and all of them open, so that one can be replaced. Layout before
/// base64: version (1 byte), id of the master key (5), nonce and wrapped data key (12 + 32 + 16), nonce and ciphertext (12 + n + 16). What
/// version 1 has sealed has no id.
/// </summary>
public sealed class Envelope
{
    const byte WithoutId = 1, Version = 2;
    const int IdSize = 5, NonceSize = 12, TagSize = 16, KeySize = 32, WrappedKeySize = NonceSize + KeySize + TagSize;

    /// <summary>How what a key has sealed begins: version and id.</summary>
    readonly (byte[] Begin, byte[] Key)[] _keys;

    /// <param name="keys">As <see cref="KeySetting"/> reads them.</param>
    public Envelope(IEnumerable<byte[]> keys) =>
        _keys = [.. keys.Select(key => ((byte[])[Version, .. KeySetting.Derive(key, "id of a master key", IdSize)], key))];

    /// <summary>One with the first key alone.</summary>
    public Envelope First => new([_keys[0].Key]);

    /// <summary>What everything begins with that the first key has sealed. Six bytes are eight characters, whatever follows.</summary>
    public string CurrentMark => Convert.ToBase64String(_keys[0].Begin);

    /// <param name="owner">What the secret belongs to, e.g. <c>provider:{id}</c>; needed again to open.</param>
    public string Seal(string secret, string owner)
    {
        var (begin, key) = _keys[0];
        var dataKey = RandomNumberGenerator.GetBytes(KeySize);
        var context = Encoding.UTF8.GetBytes(owner);
        byte[] sealedSecret = [.. begin, .. Encrypt(key, dataKey, context), .. Encrypt(dataKey, Encoding.UTF8.GetBytes(secret), context)];
        CryptographicOperations.ZeroMemory(dataKey);
        return Convert.ToBase64String(sealedSecret);
    }

    /// <summary>
    /// Throws <see cref="CryptographicException"/> when the secret was sealed for something else, by a key that is not among ours, or was
    /// altered.
    /// </summary>
    public string Open(string sealedSecret, string owner) =>
        TryOpen(sealedSecret, owner)
        ?? throw new CryptographicException("sealed for something else, with another master key, or altered");

    /// <summary>The same, but null instead of an exception.</summary>
    public string? TryOpen(string sealedSecret, string owner)
    {
        var bytes = Convert.FromBase64String(sealedSecret);
        var context = Encoding.UTF8.GetBytes(owner);
        foreach (var (begin, key) in _keys)
        {
            var skipped = bytes is [WithoutId, ..] ? 1 : bytes.AsSpan().StartsWith(begin) ? begin.Length : 0;
            if (skipped > 0 && TryOpen(bytes.AsSpan(skipped), key, context) is { } secret)
                return secret;
        }
        return null;
    }

    static string? TryOpen(ReadOnlySpan<byte> bytes, byte[] key, byte[] context)
    {
        if (bytes.Length < WrappedKeySize + NonceSize + TagSize)
            return null;
        try
        {
            var dataKey = Decrypt(key, bytes[..WrappedKeySize], context);
            return Encoding.UTF8.GetString(Decrypt(dataKey, bytes[WrappedKeySize..], context));
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    /// <summary>
    /// Keys for one purpose, such as what one customer's conversations are sealed with, from each master key. Other purposes have others.
    /// </summary>
    public IReadOnlyList<byte[]> KeysFor(string purpose, int bytes) => [.. _keys.Select(of => KeySetting.Derive(of.Key, purpose, bytes))];

    static byte[] Encrypt(byte[] key, byte[] plain, byte[] context)
    {
        var result = new byte[NonceSize + plain.Length + TagSize];
        RandomNumberGenerator.Fill(result.AsSpan(0, NonceSize));
        using var aes = new AesGcm(key, TagSize);
        aes.Encrypt(
            result.AsSpan(0, NonceSize), plain, result.AsSpan(NonceSize, plain.Length), result.AsSpan(NonceSize + plain.Length), context);
        return result;
    }

    static byte[] Decrypt(byte[] key, ReadOnlySpan<byte> sealedBytes, byte[] context)
    {
        var plain = new byte[sealedBytes.Length - NonceSize - TagSize];
        using var aes = new AesGcm(key, TagSize);
        aes.Decrypt(sealedBytes[..NonceSize], sealedBytes[NonceSize..^TagSize], sealedBytes[^TagSize..], plain, context);
        return plain;
    }
}

/// <summary>The keys of <see cref="Envelope"/>, for services that have secrets of providers.</summary>
public sealed record MasterKeys(IReadOnlyList<byte[]> Keys);

public static class EnvelopeRegistration
{
    public static void AddEnvelope(this IHostApplicationBuilder builder)
    {
        var keys = new MasterKeys(builder.Keys(KeySetting.MasterKey));
        builder.Services.AddSingleton(keys);
        builder.Services.AddSingleton(_ => new Envelope(keys.Keys));
    }
}
