using System.Security.Cryptography;
using System.Text;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// Two things are stored of a secret. The hash is keyed with the pepper, so that nobody who reads or writes the table can guess or forge a
/// secret. The sealed fingerprint is what caches know a credential by; they are told of changes under it.
/// </summary>
public sealed class CredentialSeal
{
    public const string PepperSetting = "Gateway:Pepper";

    readonly byte[] _pepper;
    readonly Envelope _envelope;

    /// <param name="pepper">As <see cref="KeySetting"/> says.</param>
    public CredentialSeal(string pepper, Envelope envelope)
    {
        _pepper = KeySetting.Read(pepper, PepperSetting);
        _envelope = envelope;
    }

    public byte[] Hash(string fingerprint) => HMACSHA256.HashData(_pepper, Encoding.ASCII.GetBytes(fingerprint));

    /// <param name="id">The credential's own id; the fingerprint opens only with it.</param>
    public string Seal(string fingerprint, Guid id) => _envelope.Seal(fingerprint, Owner(id));

    public string Fingerprint(KnownCredential credential) => _envelope.Open(credential.SealedFingerprint, Owner(credential.Id));

    public static string Last4(string token) => token[^4..];

    static string Owner(Guid id) => $"credential:{id:N}";
}

/// <summary>A stored credential, as far as the caches need it named.</summary>
public readonly record struct KnownCredential(Guid Id, string SealedFingerprint);

public static class CredentialSealRegistration
{
    public static void AddCredentialSeal(this IHostApplicationBuilder builder)
    {
        var pepper = builder.Setting(CredentialSeal.PepperSetting);
        builder.Services.AddSingleton(services => ActivatorUtilities.CreateInstance<CredentialSeal>(services, pepper));
    }
}
