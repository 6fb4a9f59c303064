using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmGateway.ServiceDefaults;

/// <summary>The key that all services of one gateway share.</summary>
public sealed record InternalKey(string Value)
{
    public const string Setting = "Gateway:InternalKey";
}

/// <summary>
/// Calls between the gateway's services: plain HTTP with a shared key. Without the key only health is reachable. The edge sends the
/// caller's identity in <see cref="Principal.Header"/>.
/// </summary>
public static class InternalCalls
{
    public const string KeyHeader = "X-Gateway-Internal";

    /// <summary>What a service needs to call others and to be called.</summary>
    public static void AddInternalCalls(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton(new InternalKey(builder.Setting(InternalKey.Setting)));
        builder.Services.AddServiceDiscovery();
    }

    /// <summary>Refuses every call without the internal key, health excepted.</summary>
    public static void UseInternalOnly(this WebApplication app)
    {
        var key = app.Services.GetRequiredService<InternalKey>();
        app.Use(async (http, next) =>
        {
            var open = http.Request.Path.Value is "/alive" or "/health";
            if (open || http.Request.HasInternalKey(key))
                await next(http);
            else
                await Problems.WriteAsync(http, Problems.InternalOnly);
        });
    }

    /// <summary>Whether a request carries the internal key. The time it takes does not tell how much of a wrong key is right.</summary>
    public static bool HasInternalKey(this HttpRequest request, InternalKey key) => CryptographicOperations.FixedTimeEquals(
        Encoding.ASCII.GetBytes(request.Headers[KeyHeader].ToString()),
        Encoding.ASCII.GetBytes(key.Value));

    /// <summary>The caller, as the edge identified it. Throws 401 when the call came without a principal.</summary>
    public static Principal Principal(this HttpContext http)
    {
        try
        {
            return JsonSerializer.Deserialize<Principal>(
                Convert.FromBase64String(http.Request.Headers[Contracts.Principal.Header].ToString()), Defaults.Json)!;
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            throw new ProblemException(Problems.InternalOnly);
        }
    }

    /// <summary>The caller must be a backend with a secret key.</summary>
    public static Principal Backend(this HttpContext http) =>
        http.Principal() is { Kind: CredentialKind.SecretKey } principal
            ? principal
            : throw new ProblemException(Problems.WrongCredential("a secret key (sk_…)"));

    /// <summary>The caller must be an end user with a session.</summary>
    public static Principal EndUser(this HttpContext http) =>
        http.Principal() is { Kind: CredentialKind.Session } principal
            ? principal
            : throw new ProblemException(Problems.WrongCredential("a session token (es_…)"));

    public static string Encode(Principal principal) =>
        Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(principal, Defaults.Json));
}
