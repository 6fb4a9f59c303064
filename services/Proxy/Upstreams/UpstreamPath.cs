using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// Joins a provider's address with a path, segment by segment. No path can lead to another host or out of the configured root, however it
/// is spelled, because our key goes wherever the path leads. No other code joins the two.
/// </summary>
public static class UpstreamPath
{
    const string OpenAiVersion = "/v1";

    /// <summary>Characters that may stand in a path on the wire, the slash included.</summary>
    static readonly SearchValues<char> PathCharacters =
        SearchValues.Create("/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+,;=:@");

    /// <summary>
    /// The root of the wire's paths, and the beginning that is cut from each path. Addresses are configured with and without the version,
    /// which must not come twice.
    /// </summary>
    /// <param name="baseUrl">On the OpenAI wires it is the base URL of the vendor's SDK, usually with <c>/v1</c>. On the others it is the
    /// root.</param>
    public static (string Root, string Cut) RootOf(string wire, string baseUrl)
    {
        var root = baseUrl.TrimEnd('/');
        if (wire == ProviderWire.Http)
            return (root, "");
        if (wire is ProviderWire.Anthropic or ProviderWire.Gemini)
            return (WithoutEnd(WithoutEnd(root, "/v1beta"), "/v1"), "");
        var bare = WithoutEnd(root, OpenAiVersion);
        // A host without a path has its API under /v1. A path that ends otherwise (…/v1beta/openai, …/api/v3) contains a version of its
        // own.
        return bare.Length < root.Length || root.IndexOf('/', root.IndexOf("://", StringComparison.Ordinal) + 3) < 0
            ? (bare, "")
            : (root, OpenAiVersion);
    }

    /// <summary>
    /// False when the path could mean another place. It must not have dot segments, empty segments, backslashes, control characters, or
    /// escapes of any of these or of a slash. Servers that know parameters of a segment see what is before its semicolon.
    /// </summary>
    /// <param name="path">Escaped, from the root: <c>/v1/models/x?limit=5</c>.</param>
    /// <param name="isOfApi">It is an address of an API that the caller knows: it may end with a slash, or be the root itself.</param>
    public static bool TryJoin(string root, string path, [NotNullWhen(true)] out Uri? address, bool isOfApi = false)
    {
        address = null;
        var query = path.IndexOf('?', StringComparison.Ordinal);
        var places = query < 0 ? path.AsSpan() : path.AsSpan(0, query);
        if ((places is not ['/', ..] && !(isOfApi && places.IsEmpty)) || places.ContainsAnyExcept(PathCharacters)
            || (query >= 0 && !IsQuery(path.AsSpan(query + 1))))
            return false;
        var names = isOfApi ? WithoutEnd(places, '/') : places;
        if (!names.IsEmpty)
            foreach (var segment in names[1..].Split('/'))
            {
                if (!IsSegment(names[1..][segment]))
                    return false;
            }
        // The checks above should already make this true. A gap in them must not send our key elsewhere.
        return Uri.TryCreate(root, UriKind.Absolute, out var home) && Uri.TryCreate(root + path, UriKind.Absolute, out address)
            && address.Scheme == home.Scheme && address.Authority == home.Authority && address.UserInfo.Length == 0
            && (address.AbsolutePath == home.AbsolutePath
                ? names.IsEmpty
                : address.AbsolutePath.StartsWith($"{home.AbsolutePath.TrimEnd('/')}/", StringComparison.Ordinal));
    }

    /// <summary>
    /// The segment, decoded once, must be a plain name, also without its parameters (<c>..;x=1</c>). Decoding it again must change nothing.
    /// </summary>
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
        var name = segment.IndexOf(';') is var parameters and >= 0 ? segment[..parameters] : segment;
        return !name.TrimStart('.').IsEmpty;
    }

    static bool IsQuery(ReadOnlySpan<char> query) => !query.ContainsAnyExceptInRange('!', '~') && !query.ContainsAny("#\\");

    static ReadOnlySpan<char> WithoutEnd(ReadOnlySpan<char> path, char end) => path is [.. var rest, var last] && last == end ? rest : path;

    static string WithoutEnd(string text, string end) => text.EndsWith(end, StringComparison.Ordinal) ? text[..^end.Length] : text;
}
