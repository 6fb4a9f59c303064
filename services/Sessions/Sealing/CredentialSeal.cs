using System.Security.Cryptography;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// Two things are stored of a secret. The hash is keyed with the pepper, so that nobody who reads or writes the table can guess or forge a
/// secret. The sealed fingerprint is what caches know a credential by; they are told of changes under it.
/// </summary>
/// <param name="peppers">As <see cref="KeySetting"/> reads them: the first is for new hashes, all are looked for.</param>
public sealed class CredentialSeal(IReadOnlyList<byte[]> peppers, Envelope envelope)
{
    public byte[] Hash(string fingerprint) => Hash(peppers[0], fingerprint);

    /// <summary>Under every pepper: a credential that is stored has one of these hashes.</summary>
    public IReadOnlyList<byte[]> Hashes(string fingerprint) => [.. peppers.Select(pepper => Hash(pepper, fingerprint))];

    /// <param name="id">The credential's own id; the fingerprint opens only with it.</param>
    public string Seal(string fingerprint, Guid id) => envelope.Seal(fingerprint, Owner(id));

    public string Fingerprint(KnownCredential credential) => envelope.Open(credential.SealedFingerprint, Owner(credential.Id));

    /// <summary>Null when it opens with none of our keys.</summary>
    public string? TryFingerprint(KnownCredential credential) => envelope.TryOpen(credential.SealedFingerprint, Owner(credential.Id));

    public bool IsUnderFirstKeys(KnownCredential credential, string fingerprint, byte[] hash) =>
        envelope.First.TryOpen(credential.SealedFingerprint, Owner(credential.Id)) is not null
        && Hash(fingerprint).AsSpan().SequenceEqual(hash);

    public static string Last4(string token) => token[^4..];

    static byte[] Hash(byte[] pepper, string fingerprint) => HMACSHA256.HashData(pepper, Encoding.ASCII.GetBytes(fingerprint));

    static string Owner(Guid id) => $"credential:{id:N}";
}

/// <summary>A stored credential, as far as the caches need it named.</summary>
public readonly record struct KnownCredential(Guid Id, string SealedFingerprint);

public static class CredentialSealRegistration
{
    public static void AddCredentialSeal(this IHostApplicationBuilder builder)
    {
        var peppers = builder.Keys(KeySetting.Pepper);
        builder.Services.AddSingleton(services => new CredentialSeal(peppers, services.GetRequiredService<Envelope>()));
        builder.Services.AddSingleton<KeyCheck>();
    }
}
