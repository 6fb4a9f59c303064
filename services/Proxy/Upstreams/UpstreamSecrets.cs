using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// What no caller may read in a provider's words: the credentials that the gateway sends to it, in every form in which they are sent, and
/// where the provider is. Providers quote both ("Incorrect API key provided: …"). Whoever passes on an error asks this first; see
/// <see cref="UpstreamErrors.Of"/>, <see cref="ProviderAttempt"/> and <see cref="StreamRelay.Secrets"/>.
/// </summary>
public sealed partial class UpstreamSecrets
{
    public const string Mask = "***";

    /// <summary>A shorter secret ("none", "test") is hidden only where it is a word of its own, because it may be part of others.</summary>
    const int MinEmbedded = 8;

    public static readonly UpstreamSecrets None = new([], []);

    static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Made for the first error: most providers of most projects have none.</summary>
    readonly Lazy<Regex?> _known;

    /// <param name="secrets">All keys of the provider.</param>
    public UpstreamSecrets(ProviderConnection provider, IReadOnlyList<string> secrets)
        : this(secrets.SelectMany(FormsOf), AddressesOf(provider.BaseUrl))
    {
    }

    UpstreamSecrets(IEnumerable<string> credentials, IEnumerable<string> addresses) => _known = new(() =>
    {
        // The longest first, so that no part of a longer one stays.
        var known = credentials.Select(text => (Text: text, IsWord: text.Length < MinEmbedded))
            .Concat(addresses.Select(text => (Text: text, IsWord: true)))
            .Where(form => form.Text.Length > 0).Distinct().OrderByDescending(form => form.Text.Length).Select(PatternOf).ToList();
        return known.Count == 0 ? null : new(string.Join('|', known), RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);
    });

    /// <summary>The same text when there is nothing to hide.</summary>
    public string Hide(string words) => PrivateAddress().Replace(
        _known.Value?.Replace(words, Mask) ?? words,
        found => IPAddress.TryParse(found.Groups["ip"].ValueSpan, out var ip) && !PublicAddress.IsPublic(ip) ? Mask : found.Value);

    /// <summary>The texts of a JSON text, or any other text. All other bytes stay as they are.</summary>
    public byte[] Hide(ReadOnlySpan<byte> said)
    {
        var edits = new ByteEdits();
        try
        {
            var reader = new Utf8JsonReader(said);
            while (reader.Read())
            {
                if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName))
                    continue;
                var words = reader.GetString()!;
                if (Hide(words) is var hidden && hidden != words)
                    edits.Replace(
                        (int)reader.TokenStartIndex, reader.ValueSpan.Length + 2, JsonSerializer.SerializeToUtf8Bytes(hidden, Relaxed));
            }
            return edits.Apply(said);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Every byte is a character of this encoding, so what is no UTF-8 stays what it is.
            return Encoding.Latin1.GetBytes(Hide(Encoding.Latin1.GetString(said)));
        }
    }

    /// <summary>What stands behind a scheme or a user's name ("Token abc", "user:password") is a secret of its own.</summary>
    static IEnumerable<string> FormsOf(string secret) =>
        from part in (string[])[secret, secret[(secret.IndexOf(':') + 1)..], secret[(secret.IndexOf(' ') + 1)..]]
        from form in (string[])[part, Uri.EscapeDataString(part), Convert.ToBase64String(Encoding.UTF8.GetBytes(part)).TrimEnd('=')]
        select form;

    /// <summary>A name without a dot ("vllm") is hidden only with a scheme or a port, because it may be a word of the message.</summary>
    static IEnumerable<string> AddressesOf(string baseUrl)
    {
        if (!Uri.TryCreate(baseUrl, UriKind.Absolute, out var address))
            return [];
        var host = address.Host.Contains('.', StringComparison.Ordinal) ? address.Host : "";
        var authority = address.IsDefaultPort ? host : address.Authority;
        return [baseUrl.TrimEnd('/'), address.GetLeftPart(UriPartial.Authority), authority, host, .. address.UserInfo.Split(':')];
    }

    /// <summary>A slash may be escaped, once for each JSON text that contains the other.</summary>
    static string PatternOf((string Text, bool IsWord) form)
    {
        var text = Regex.Escape(form.Text).Replace("/", @"\\*/", StringComparison.Ordinal);
        return form.IsWord ? $"(?<![a-z0-9]){text}(?![a-z0-9])" : text;
    }

    [GeneratedRegex(@"(?:https?:\\*/\\*/)?(?:(?<![\d.])(?<ip>\d{1,3}(?:\.\d{1,3}){3})(?![\d.]*\d)|\[(?<ip>[0-9a-f:.]+)\])(?::\d{1,5})?",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex PrivateAddress();
}
