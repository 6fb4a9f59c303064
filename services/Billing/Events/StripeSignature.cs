using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Billing;

/// <summary>
/// The header <c>Stripe-Signature: t=…,v1=…</c>: HMAC-SHA-256 of <c>t.body</c> over the bytes as they came. The secret is used as it is
/// written, its prefix with it. Other schemes than <c>v1</c> say nothing.
/// </summary>
public static class StripeSignature
{
    public const string Header = "Stripe-Signature";

    /// <summary>How far its time may be from ours, before or after.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(300);

    /// <summary>Stripe signs with each secret that is active, and those are two at most.</summary>
    const int MaxSignatures = 8, MaxHeader = 2048;

    const int MacBytes = 32;

    /// <summary>False when no body can have this signature now: then none need be read.</summary>
    public static bool IsOfNow(string header, DateTimeOffset now) => Read(header, now) is not null;

    /// <summary>True when one of the secrets has signed these bytes a short time ago.</summary>
    public static bool IsValid(string header, ReadOnlySpan<byte> body, IEnumerable<string> secrets, DateTimeOffset now)
    {
        if (Read(header, now) is not var (moment, signatures))
            return false;
        byte[] signed = [.. Encoding.UTF8.GetBytes($"{moment.ToString(CultureInfo.InvariantCulture)}."), .. body];
        var valid = false;
        foreach (var secret in secrets)
        {
            if (string.IsNullOrWhiteSpace(secret))
                continue;
            var mac = HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), signed);
            foreach (var signature in signatures)
                valid |= CryptographicOperations.FixedTimeEquals(mac, signature);
        }
        return valid;
    }

    /// <summary>Null when it has no signature, or its time is not about now.</summary>
    static (long Moment, List<byte[]> Signatures)? Read(string header, DateTimeOffset now) =>
        header.Length <= MaxHeader && Read(header) is var (moment, signatures) && signatures.Count > 0
        // The range of the comparison is that of long: no moment overflows it.
        && Int128.Abs((Int128)moment - now.ToUnixTimeSeconds()) <= (long)Tolerance.TotalSeconds
            ? (moment, signatures)
            : null;

    /// <summary>Null when it has no time, or two.</summary>
    static (long Moment, List<byte[]> Signatures)? Read(string header)
    {
        long? moment = null;
        var signatures = new List<byte[]>();
        foreach (var part in header.Split(','))
        {
            if (part.Split('=', 2) is not [var name, var value])
                continue;
            if (name.Trim() == "t")
            {
                if (moment is not null || !long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
                    || seconds.ToString(CultureInfo.InvariantCulture) != value)
                    return null;
                moment = seconds;
            }
            else if (name.Trim() == "v1" && signatures.Count < MaxSignatures && ReadHex(value) is { } mac)
                signatures.Add(mac);
        }
        return moment is { } found ? (found, signatures) : null;
    }

    static byte[]? ReadHex(string text)
    {
        var mac = new byte[MacBytes];
        return text.Length == 2 * MacBytes
            && Convert.FromHexString(text, mac, out _, out var written) == System.Buffers.OperationStatus.Done && written == MacBytes
                ? mac
                : null;
    }
}
