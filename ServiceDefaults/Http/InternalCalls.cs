using LlmGateway.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmGateway.ServiceDefaults;

/// <summary>Signs this service's calls of others, and reads those that others make of it.</summary>
/// <param name="name">This service's own.</param>
public sealed class CallSigning(string name, TimedSeal seal)
{
    public string Sign(string audience, Principal? principal = null) => new ServiceCall(name, audience, principal).Sign(seal);

    /// <summary>Null unless one of the gateway's services has signed it, for this one, within a minute.</summary>
    public ServiceCall? Read(HttpRequest request) => ServiceCall.Read(request.Headers[ServiceCall.Header].ToString(), name, seal);
}

/// <summary>The gateway's internal keys: the first signs, all are accepted. Each purpose has keys of its own, which are derived.</summary>
public sealed record InternalKeys(IReadOnlyList<byte[]> Keys);

/// <summary>
/// Calls between the gateway's services: plain HTTP with a signed <see cref="ServiceCall"/>. Without one only health is reachable. In it
/// the edge says on whose behalf it calls.
/// </summary>
public static class InternalCalls
{
    /// <summary>What a service needs to call others and to be called.</summary>
    /// <param name="name">The service's name, as in <see cref="ServiceCall"/>.</param>
    public static void AddInternalCalls(this IHostApplicationBuilder builder, string name)
    {
        builder.AddInternalKeys();
        builder.Services.AddSingleton(services => new CallSigning(
            name, ServiceCall.SealOf(services.GetRequiredService<InternalKeys>().Keys, services.GetRequiredService<TimeProvider>())));
        builder.Services.AddServiceDiscovery();
    }

    public static void AddInternalKeys(this IHostApplicationBuilder builder) =>
        builder.Services.AddSingleton(new InternalKeys(builder.Keys(KeySetting.InternalKey)));

    /// <summary>
    /// Refuses every call without a valid signature, health excepted, every caller that <paramref name="callers"/> does not name for the
    /// route, every secret key and member without the route's permission, and a client for whom it is not. A route that is not in the table
    /// refuses everyone.
    /// </summary>
    public static void UseInternalOnly(this WebApplication app, RouteCallers callers)
    {
        var signing = app.Services.GetRequiredService<CallSigning>();
        app.Use(async (http, next) =>
        {
            var open = http.Request.Path.Value is "/alive" or "/health";
            var call = open ? null : signing.Read(http.Request);
            if (!open && call is null)
                await Problems.WriteAsync(http, Problems.InternalOnly);
            else if (!open && !callers.Accept(http, call!.Caller))
                await Problems.WriteAsync(http, Problems.WrongCaller);
            else if (Permissions.Lacking(http, call?.Principal) is { } permission)
                await Problems.WriteAsync(http, Problems.InsufficientPermission(permission));
            else if (OwnCustomer.Refusal(http, call?.Principal) is { } another)
                await Problems.WriteAsync(http, another);
            else
            {
                http.Features.Set(call);
                // Under it the caller finds in the audit what the call has changed.
                if (call?.Principal is not null)
                    http.Response.Headers["X-Request-Id"] = http.RequestId();
                await next(http);
            }
        });
    }

    /// <summary>The caller, as the edge identified it. Throws 401 for a call that was made for nobody.</summary>
    public static Principal Principal(this HttpContext http) =>
        http.Features.Get<ServiceCall>()?.Principal ?? throw new ProblemException(Problems.InternalOnly);

    /// <summary>Who calls, as the audit and the ledger name it: the credential's id as it is shown, or the member's.</summary>
    public static string Actor(this Principal caller) => Ids.Show(
        caller.Kind switch
        {
            CredentialKind.SecretKey => Ids.SecretKey,
            CredentialKind.CustomerKey => Ids.Key,
            CredentialKind.Member => Ids.Member,
            _ => Ids.Session,
        },
        caller.Credential);

    /// <summary>
    /// The caller must be a backend with a secret key, or a member of the project's organization. What it may do was checked at the door.
    /// </summary>
    public static Principal Backend(this HttpContext http) =>
        http.Principal() is { Kind: CredentialKind.SecretKey or CredentialKind.Member } principal
            ? principal
            : throw new ProblemException(Problems.WrongCredential("a secret key (sk_…)"));

    /// <summary>The caller must be a member of an organization.</summary>
    public static Principal Member(this HttpContext http) =>
        http.Principal() is { Kind: CredentialKind.Member } principal
            ? principal
            : throw new ProblemException(Problems.WrongCredential("a member's token (mt_…)"));

    /// <summary>The caller must be an end user with a session.</summary>
    public static Principal EndUser(this HttpContext http) =>
        http.Principal() is { Kind: CredentialKind.Session } principal
            ? principal
            : throw new ProblemException(Problems.WrongCredential("a session token (es_…)"));
}
