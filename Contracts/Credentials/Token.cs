using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Contracts;

/// <summary>The kind of a secret, by its prefix.</summary>
public enum CredentialKind { SecretKey, Session, CustomerKey, Member }

/// <summary>
/// Secrets as callers hold them. A secret is a prefix, 256 random bits in base 62, and six characters of checksum. The checksum lets a
/// typing error be refused without a look-up. Only keys that an operator wrote into a seed file may lack it. The gateway stores only a
/// keyed hash of the fingerprint.
/// </summary>
public static class Token
{
    public const string LiveSecret = "sk_live_", TestSecret = "sk_test_", Session = "es_", TestSession = "es_test_",
        CustomerKey = "llm_gw_", LiveMember = "mt_live_", TestMember = "mt_test_", Publishable = "pk_";

    /// <summary>Shortest secret part of a literal key, in characters. Operators may put their own keys into a seed file.</summary>
    public const int MinSecret = 32;

    /// <summary>Longest credential that is read. Longer ones are refused at once.</summary>
    public const int MaxLength = 200;

    const int RandomChars = 43, ChecksumChars = 6;
    const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    public static string New(string prefix)
    {
        var body = prefix + RandomNumberGenerator.GetString(Alphabet, RandomChars);
        return body + Checksum(body);
    }

    /// <summary>
    /// Reads kind and mode of a credential. False for an unknown prefix, a wrong length, wrong characters, or a wrong checksum.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<char> token, out CredentialKind kind, out bool test)
    {
        kind = default;
        test = false;
        if (token.Length > MaxLength)
            return false;
        (var prefix, kind, test) = token switch
        {
            _ when token.StartsWith(LiveSecret, StringComparison.Ordinal) => (LiveSecret, CredentialKind.SecretKey, false),
            _ when token.StartsWith(TestSecret, StringComparison.Ordinal) => (TestSecret, CredentialKind.SecretKey, true),
            _ when token.StartsWith(TestSession, StringComparison.Ordinal) => (TestSession, CredentialKind.Session, true),
            _ when token.StartsWith(Session, StringComparison.Ordinal) => (Session, CredentialKind.Session, false),
            _ when token.StartsWith(CustomerKey, StringComparison.Ordinal) => (CustomerKey, CredentialKind.CustomerKey, false),
            _ when token.StartsWith(LiveMember, StringComparison.Ordinal) => (LiveMember, CredentialKind.Member, false),
            _ when token.StartsWith(TestMember, StringComparison.Ordinal) => (TestMember, CredentialKind.Member, true),
            _ => ("", default, false),
        };
        if (prefix.Length == 0)
            return false;

        var secret = token[prefix.Length..];
        if (secret.Length < MinSecret || secret.ContainsAnyExceptInRange('!', '~'))
            return false;
        // The gateway makes every token of a session or a member. Keys of other lengths may be an operator's own.
        return secret.Length == RandomChars + ChecksumChars
            ? HasChecksum(token)
            : kind is CredentialKind.SecretKey or CredentialKind.CustomerKey;
    }

    /// <summary>Whether the last characters are the checksum of the others, as in every secret that the gateway made.</summary>
    public static bool HasChecksum(ReadOnlySpan<char> token) =>
        token.Length is > ChecksumChars and <= MaxLength
        && token[^ChecksumChars..].SequenceEqual(Checksum(token[..^ChecksumChars]));

    /// <summary>
    /// SHA-256 of the credential in lower-case hexadecimal. Caches use it as the name. The secret itself is never stored.
    /// </summary>
    public static string Fingerprint(ReadOnlySpan<char> token)
    {
        Span<byte> bytes = stackalloc byte[MaxLength * 3];
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(token, bytes)], hash);
        return Convert.ToHexStringLower(hash);
    }

    static string Checksum(ReadOnlySpan<char> body)
    {
        Span<byte> bytes = stackalloc byte[MaxLength * 3];
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(body, bytes)], hash);
        var value = BitConverter.ToUInt32(hash);
        return string.Create(ChecksumChars, value, static (chars, rest) =>
        {
            for (var i = chars.Length - 1; i >= 0; i--, rest /= 62)
                chars[i] = Alphabet[(int)(rest % 62)];
        });
    }
}
