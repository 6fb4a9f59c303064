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

/// <summary>
/// Who changes something here: a credential or a member by its id, <see cref="Seed"/> or <see cref="ServiceCall.Operator"/>.
/// </summary>
/// <param name="At">When.</param>
public sealed record Author(string Actor, string? RequestId, DateTimeOffset At)
{
    public const string Seed = "seed";

    const string InLedger = "secret-key:";

    /// <summary>Where it calls. What is of a whole organization has its entry there.</summary>
    public Guid? Project { get; init; }

    public static void UseAuthor(WebApplication app) => app.Use((http, next) =>
    {
        Say(http);
        return next(http);
    });

    /// <summary>
    /// Says for whom this request changes what it changes. A context that is used again has the author of its last use, who must not change
    /// anything for nobody.
    /// </summary>
    public static void Say(HttpContext http)
    {
        var db = http.RequestServices.GetRequiredService<SessionsDb>();
        db.Author = null;
        if (http.Features.Get<ServiceCall>()?.Principal is not { } caller)
            return;
        db.Author = new(caller.Actor(), http.RequestId(), http.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow())
        {
            Project = caller.Project,
        };
    }

    /// <summary>As the audit names who is named otherwise in the ledger's older entries: a secret key by its bare id.</summary>
    public static string Named(string actor) =>
        actor.StartsWith(InLedger, StringComparison.Ordinal) && Guid.TryParseExact(actor[InLedger.Length..], "N", out var key)
            ? Ids.Show(Ids.SecretKey, key)
            : actor;
}
