using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Secrets at rest: AES-256-GCM with a data key per secret, which the master key wraps. The owner is authenticated, too, so that a sealed
/// secret copied to another row does not open. Layout before base64: version (1 byte), nonce and wrapped data key (12 + 32 + 16), nonce and
/// ciphertext (12 + n + 16).
/// </summary>
public sealed class Envelope
{
    public const string Setting = "Gateway:MasterKey";

    const byte Version = 1;
    const int NonceSize = 12, TagSize = 16, KeySize = 32, WrappedKeySize = NonceSize + KeySize + TagSize;

    readonly byte[] _master;

    /// <param name="masterKey">As <see cref="KeySetting"/> says.</param>
    public Envelope(string masterKey) => _master = KeySetting.Read(masterKey, Setting);

    /// <param name="owner">What the secret belongs to, e.g. <c>provider:{id}</c>; needed again to open.</param>
    public string Seal(string secret, string owner)
    {
        var dataKey = RandomNumberGenerator.GetBytes(KeySize);
        var context = Encoding.UTF8.GetBytes(owner);
        byte[] sealedSecret =
            [Version, .. Encrypt(_master, dataKey, context), .. Encrypt(dataKey, Encoding.UTF8.GetBytes(secret), context)];
        CryptographicOperations.ZeroMemory(dataKey);
        return Convert.ToBase64String(sealedSecret);
    }

    /// <summary>
    /// Throws <see cref="CryptographicException"/> when the secret was sealed for something else, by another master key, or was altered.
    /// </summary>
    public string Open(string sealedSecret, string owner)
    {
        var bytes = Convert.FromBase64String(sealedSecret).AsSpan();
        if (bytes.Length < 1 + WrappedKeySize + NonceSize + TagSize || bytes[0] != Version)
            throw new CryptographicException("not a sealed secret of a known version");
        var context = Encoding.UTF8.GetBytes(owner);
        var dataKey = Decrypt(_master, bytes.Slice(1, WrappedKeySize), context);
        return Encoding.UTF8.GetString(Decrypt(dataKey, bytes[(1 + WrappedKeySize)..], context));
    }

    /// <summary>A key for one purpose, such as what one customer's conversations are sealed with. Other purposes have other keys.</summary>
    public byte[] KeyFor(string purpose, int bytes) =>
        HKDF.Expand(HashAlgorithmName.SHA256, _master, bytes, Encoding.UTF8.GetBytes(purpose));

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

public static class EnvelopeRegistration
{
    public static void AddEnvelope(this IHostApplicationBuilder builder)
    {
        var masterKey = builder.Setting(Envelope.Setting);
        builder.Services.AddSingleton(_ => new Envelope(masterKey));
    }
}
