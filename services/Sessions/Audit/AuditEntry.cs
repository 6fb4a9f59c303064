using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>One change of one thing. Written in the transaction of the change, and never changed itself.</summary>
public sealed class AuditEntry
{
    public required Guid Id { get; init; }
    public required Guid ProjectId { get; init; }
    /// <summary>The world that it belongs to. Null: both.</summary>
    public bool? Test { get; init; }
    /// <summary>Whose it is, if it is one's. What entries say of a customer is erased with it.</summary>
    public Guid? CustomerId { get; init; }
    public required DateTimeOffset At { get; init; }
    public required string Actor { get; init; }
    public required string Action { get; init; }
    public required string Subject { get; init; }
    /// <summary>What differs, as JSON. Null: there was nothing.</summary>
    public string? Before { get; init; }
    /// <summary>Null: nothing is left.</summary>
    public string? After { get; init; }
    public string? RequestId { get; init; }
}

/// <summary>Who changes something: a credential or a member by its id, <see cref="Seed"/> or <see cref="ServiceCall.Operator"/>.</summary>
/// <param name="At">When.</param>
public sealed record Author(string Actor, string? RequestId, DateTimeOffset At)
{
    public const string Seed = "seed";

    /// <summary>Where it calls. What is of a whole organization has its entry there.</summary>
    public Guid? Project { get; init; }

    /// <summary>Says for whom this request changes what it changes, and tells the caller the id under which that is found.</summary>
    public static void UseAuthor(WebApplication app) => app.Use((http, next) =>
    {
        if (http.Features.Get<ServiceCall>()?.Principal is { } caller)
        {
            http.Response.Headers["X-Request-Id"] = http.RequestId();
            var now = http.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow();
            http.RequestServices.GetRequiredService<SessionsDb>().Author = new(NameOf(caller), http.RequestId(), now)
            {
                Project = caller.Project,
            };
        }
        return next(http);
    });

    public static string NameOf(Principal caller) => Ids.Show(
        caller.Kind switch
        {
            CredentialKind.SecretKey => Ids.SecretKey,
            CredentialKind.CustomerKey => Ids.Key,
            CredentialKind.Member => Ids.Member,
            _ => Ids.Session,
        },
        caller.Credential);
}
