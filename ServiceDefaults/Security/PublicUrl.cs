using System.Globalization;
using System.Net;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Addresses that tenants write down for us to call. This is the check of the text, where it is written down; the check of what it leads to
/// is <see cref="GuardedConnections"/>, at each connection.
/// </summary>
public static class PublicUrl
{
    public const int MaxLength = 2048;

    /// <summary>Ports below 1024 are other services', on somebody's machine.</summary>
    const int FirstFreePort = 1024;

    /// <summary>What names end in that nobody can resolve in public.</summary>
    static readonly string[] NotPublic =
    [
        "localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "lan", "home", "arpa", "onion", "invalid", "test",
    ];

    /// <summary>What is wrong with the text, to follow its field's name in a sentence; null when it is good.</summary>
    /// <param name="allowed">Hosts that may be private, addresses, and called without TLS.</param>
    public static string? Mistake(string text, PrivateHosts allowed)
    {
        if (text.Length > MaxLength)
            return $"may have at most {MaxLength} characters";
        // A reader of URLs drops or changes some of these, and another one does not.
        if (text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c) || c == '\\') || !Uri.TryCreate(text, UriKind.Absolute, out var url))
            return "must be a URL";
        if (url.Scheme is not ("https" or "http") || url.IdnHost.Length == 0)
            return "must begin with https://";
        if (text.Split('/', '?') is [_, _, var authority, ..] && authority.Contains('@'))
            return "must not have a user or password";
        if (url.Fragment.Length > 0 || text.Contains('#'))
            return "must not have a fragment";
        if (allowed.Contains(url.IdnHost.Trim('[', ']'), url.Port))
            return null;
        if (url.Scheme != "https")
            return "must begin with https://";
        if (url.Port != 443 && url.Port < FirstFreePort)
            return $"must have the port 443, or one of {FirstFreePort} or more";
        return IsPublicName(url) ? null : "must have the name of a public host";
    }

    static bool IsPublicName(Uri url)
    {
        var host = url.IdnHost;
        return url.HostNameType == UriHostNameType.Dns
            && url.Host.All(IsOfNames)
            && !host.EndsWith('.')
            && host.LastIndexOf('.') is > 0 and var dot
            && !host[(dot + 1)..].All(char.IsAsciiDigit)
            && !IPAddress.TryParse(host, out _)
            && !Array.Exists(NotPublic, end => host[(dot + 1)..].Equals(end, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Digits and dots of other scripts, and letters in circles, are those of ASCII to one resolver and not to another.</summary>
    static bool IsOfNames(char c) =>
        char.IsAscii(c) || char.IsLetter(c)
        || char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;
}
