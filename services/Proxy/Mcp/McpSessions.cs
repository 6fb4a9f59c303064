using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Sessions of an MCP server, which all customers of a project have at one account of it. A client gets the server's id with a seal that is
/// its customer's, so that nobody enters another one's session, whatever the server makes its ids of.
/// </summary>
public sealed class McpSessions
{
    public const string Header = "Mcp-Session-Id";

    const int KeyBytes = 32, SealBytes = 16, MaxLength = 1024;

    // From each master key; the first one seals.
    readonly IReadOnlyList<byte[]> _keys;
    readonly string _route;

    /// <param name="route">The route's id.</param>
    public McpSessions(Envelope envelope, Caller caller, string route)
    {
        var credential = caller.Credential;
        _keys = envelope.KeysFor(
            $"mcp sessions:{credential.Project:N}:{(credential.Test ? "test" : "live")}:{caller.Owner:N}", KeyBytes);
        _route = route;
    }

    /// <param name="id">The server's.</param>
    public string Seal(string id) => $"{id}.{SealOf(id, _keys[0])}";

    /// <summary>The server's id. Null where it is none of this customer's on this route.</summary>
    public string? Open(string sealedId)
    {
        var end = sealedId.LastIndexOf('.');
        if (sealedId.Length > MaxLength || end < 0)
            return null;
        var id = sealedId[..end];
        foreach (var key in _keys)
            if (CryptographicOperations.FixedTimeEquals(
                Encoding.UTF8.GetBytes(SealOf(id, key)), Encoding.UTF8.GetBytes(sealedId[(end + 1)..])))
                return id;
        return null;
    }

    string SealOf(string id, byte[] key) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{_route}\n{id}")).AsSpan(0, SealBytes));

    /// <summary>A message's id is unique in its session, so a second call with it is a repetition.</summary>
    public static string KeyOf(string route, string session, string id) =>
        $"mcp {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{route}\n{session}\n{id}")))}";
}
