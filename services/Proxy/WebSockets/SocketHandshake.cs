using System.Net;
using System.Security.Cryptography;
using System.Text;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace LlmGateway.Proxy;

/// <summary>
/// How a WebSocket begins (RFC 6455, 4), at the caller and at the provider. Each side has a handshake of its own with the gateway.
/// Extensions are asked of neither, so that messages pass as they are.
/// </summary>
public static class SocketHandshake
{
    const string Upgrade = "Upgrade", KeyName = "Sec-WebSocket-Key", AcceptName = "Sec-WebSocket-Accept",
        VersionName = "Sec-WebSocket-Version", ProtocolName = "Sec-WebSocket-Protocol", ExtensionsName = "Sec-WebSocket-Extensions";

    const string Version = "13", Magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    const int KeyBytes = 16;

    public static bool IsAsked(HttpRequest request) => HttpMethods.IsGet(request.Method)
        && Words(request.Headers.Upgrade).Contains("websocket", StringComparer.OrdinalIgnoreCase)
        && Words(request.Headers.Connection).Contains(Upgrade, StringComparer.OrdinalIgnoreCase)
        && request.HttpContext.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true };

    /// <summary>Null when it can be taken.</summary>
    public static Problem? Check(HttpRequest request)
    {
        if (request.Headers[VersionName].ToString() != Version)
            return Problems.Invalid(VersionName, $"'{VersionName}' must be {Version}.");
        Span<byte> bytes = stackalloc byte[3 * KeyBytes];
        return Convert.TryFromBase64String(request.Headers[KeyName].ToString(), bytes, out var length) && length == KeyBytes
            ? null
            : Problems.Invalid(KeyName, $"'{KeyName}' must be {KeyBytes} bytes in Base64.");
    }

    public static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(KeyBytes));

    /// <summary>Asks the provider.</summary>
    /// <param name="credential">The caller's. What repeats it is no name of a protocol that the provider is told.</param>
    public static void Ask(HttpRequest caller, HttpRequestMessage request, string key, string credential)
    {
        request.Headers.TryAddWithoutValidation("Connection", Upgrade);
        request.Headers.TryAddWithoutValidation(Upgrade, "websocket");
        request.Headers.TryAddWithoutValidation(VersionName, Version);
        request.Headers.TryAddWithoutValidation(KeyName, key);
        var offered = Words(caller.Headers[ProtocolName])
            .Where(name => credential.Length == 0 || !name.Contains(credential, StringComparison.Ordinal)).ToList();
        if (offered.Count > 0)
            request.Headers.TryAddWithoutValidation(ProtocolName, string.Join(", ", offered));
    }

    /// <summary>The provider has taken it.</summary>
    /// <param name="protocol">The one that it has chosen of those that the caller offered. Null: none.</param>
    public static bool IsTaken(HttpRequest caller, HttpResponseMessage answer, string key, out string? protocol)
    {
        protocol = Said(answer, ProtocolName);
        return answer.StatusCode == HttpStatusCode.SwitchingProtocols && Said(answer, AcceptName) == AnswerTo(key)
            && Said(answer, ExtensionsName) is null
            && (protocol is null || Words(caller.Headers[ProtocolName]).Contains(protocol, StringComparer.Ordinal));
    }

    /// <summary>Says to the caller that it is taken; the server adds its own part when the connection is upgraded.</summary>
    public static void Accept(HttpContext http, string? protocol)
    {
        var headers = http.Response.Headers;
        headers.Remove(ExtensionsName);
        headers.Upgrade = "websocket";
        headers[AcceptName] = AnswerTo(http.Request.Headers[KeyName].ToString());
        headers[ProtocolName] = protocol;
    }

    static string? Said(HttpResponseMessage answer, string name) =>
        answer.Headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;

#pragma warning disable CA5350 // the protocol names the hash
    /// <summary>It proves that the other side speaks the protocol, and keeps no secret.</summary>
    static string AnswerTo(string key) => Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + Magic)));
#pragma warning restore CA5350

    static IEnumerable<string> Words(StringValues values) => values.SelectMany(
        value => (value ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
}
