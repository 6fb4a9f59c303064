using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// The one rule by which an address of a provider is joined with a path: segment by segment, so that no path can lead out of what the configuration says,
/// to another host or to a place beside the provider's own, however it is spelled. Pure.
/// </summary>
public static class UpstreamPath
{
    const string OpenAiVersion = "/v1";

    /// <summary>What may stand in a path as it goes on the wire, the slash included.</summary>
    static readonly SearchValues<char> PathCharacters =
        SearchValues.Create("/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+,;=:@");

    /// <summary>Where the wire's paths begin, and what they lose of their own beginning. People paste addresses with and without the version.</summary>
    /// <param name="baseUrl">On the OpenAI wires what that vendor's SDK takes, usually with <c>/v1</c>; on the others the root.</param>
    public static (string Root, string Cut) RootOf(string wire, string baseUrl)
    {
        var root = baseUrl.TrimEnd('/');
        if (wire is ProviderWire.Anthropic or ProviderWire.Gemini)
            return (WithoutEnd(WithoutEnd(root, "/v1beta"), "/v1"), "");
        var bare = WithoutEnd(root, OpenAiVersion);
        // A host without any path speaks /v1; one whose path ends otherwise (…/v1beta/openai, …/api/v3) has its version somewhere else.
        return bare.Length < root.Length || root.IndexOf('/', root.IndexOf("://", StringComparison.Ordinal) + 3) < 0 ? (bare, "") : (root, OpenAiVersion);
    }

    /// <summary>False when the path could mean another place than it says: dot segments, empty segments, backslashes, control characters, and escapes of any of these or of a slash.</summary>
    /// <param name="path">Escaped, from the root: <c>/v1/models/x?limit=5</c>.</param>
    public static bool TryJoin(string root, string path, [NotNullWhen(true)] out Uri? address)
    {
        address = null;
        var query = path.IndexOf('?', StringComparison.Ordinal);
        var places = query < 0 ? path.AsSpan() : path.AsSpan(0, query);
        if (places is not ['/', ..] || places.ContainsAnyExcept(PathCharacters) || (query >= 0 && !IsQuery(path.AsSpan(query + 1))))
            return false;
        foreach (var segment in places[1..].Split('/'))
        {
            if (!IsSegment(places[1..][segment]))
                return false;
        }
        // The rule above is meant to make this true; an address that would carry our key elsewhere must not depend on one rule.
        return Uri.TryCreate(root, UriKind.Absolute, out var home) && Uri.TryCreate(root + path, UriKind.Absolute, out address)
            && address.Scheme == home.Scheme && address.Authority == home.Authority && address.UserInfo.Length == 0
            && address.AbsolutePath.StartsWith($"{home.AbsolutePath.TrimEnd('/')}/", StringComparison.Ordinal);
    }

    /// <summary>Decoded once, it must be a plain name: whoever decodes it again finds nothing else.</summary>
    static bool IsSegment(ReadOnlySpan<char> segment)
    {
        if (segment.IsEmpty)
            return false;
        if (segment.Contains('%'))
        {
            var decoded = Uri.UnescapeDataString(segment);
            if (decoded.AsSpan().ContainsAny("%/\\?#") || decoded.Any(char.IsControl))
                return false;
            segment = decoded;
        }
        return !segment.TrimStart('.').IsEmpty;
    }

    static bool IsQuery(ReadOnlySpan<char> query) => !query.ContainsAnyExceptInRange('!', '~') && !query.ContainsAny("#\\");

    static string WithoutEnd(string text, string end) => text.EndsWith(end, StringComparison.Ordinal) ? text[..^end.Length] : text;
}
