using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

public enum EndpointStatus { Active, Disabled, Deleted }

/// <summary>An address of an owner's system, as its owner sees it.</summary>
/// <param name="EnabledEvents">Null: all.</param>
/// <param name="DisabledReason">
/// <c>failing</c> (for <see cref="Attempts.DisabledAfter"/>) or <c>gone</c> (it answered 410). Null where its owner disabled it.
/// </param>
/// <param name="Failures">Attempts that have failed since the last one that succeeded.</param>
/// <param name="Secrets">Those that deliveries are signed with, the newest first.</param>
public sealed record EndpointView(
    string Id, string Url, string[]? EnabledEvents, EndpointStatus Status, DateTimeOffset CreatedAt, DateTimeOffset? DisabledAt,
    string? DisabledReason, int Failures, IReadOnlyList<EndpointView.Secret> Secrets)
{
    /// <param name="ExpiresAt">Null of the newest.</param>
    public sealed record Secret(DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt);

    public static Problem NotFound => Problems.NotFound("webhook endpoint");

    /// <summary>The id in an address; null is nobody's.</summary>
    public static Guid? Parse(string id) => Ids.TryParse(Ids.WebhookEndpoint, id, out var endpoint) ? endpoint : null;

    /// <summary>The caller's endpoint, or null.</summary>
    public static async Task<EndpointView?> FindAsync(NpgsqlDataSource database, Principal caller, string id, CancellationToken token) =>
        Parse(id) is { } endpoint ? (await ReadAsync(database, caller, endpoint, token)).SingleOrDefault() : null;

    /// <summary>The caller's endpoint, or null. Until the transaction ends nobody else changes it.</summary>
    public static async Task<EndpointView?> LockAsync(
        NpgsqlConnection connection, Principal caller, Guid endpoint, CancellationToken token)
    {
        await using var query = connection.Sql($"{Endpoints} for no key update of e", caller.Project, caller.Test, endpoint);
        return (await ReadAsync(query, token)).SingleOrDefault();
    }

    /// <param name="only">Null: all that the caller's project has in this mode, the newest first.</param>
    public static async Task<List<EndpointView>> ReadAsync(
        NpgsqlDataSource database, Principal caller, Guid? only, CancellationToken token)
    {
        await using var query = database.Sql(Endpoints, caller.Project, caller.Test, only);
        return await ReadAsync(query, token);
    }

    /// <summary>As the audit names it.</summary>
    /// <param name="verb">What it is called when it is changed.</param>
    public static AuditedThing Thing(Guid endpoint, string verb = "changed") =>
        new("webhook", Ids.Show(Ids.WebhookEndpoint, endpoint)) { Verb = verb };

    /// <summary>What the audit has of it: what its owner decides.</summary>
    public object Audited() => new { Url, EnabledEvents, Status, Secrets };

    const string Endpoints = """
        select id, url, enabled_events, status, created, disabled_at, disabled_reason, failures,
            array(select s.created from endpoint_secret s where s.endpoint = e.id and (expires_at is null or expires_at > now())
                order by expires_at desc nulls first),
            array(select s.expires_at from endpoint_secret s where s.endpoint = e.id and (expires_at is null or expires_at > now())
                order by expires_at desc nulls first)
        from endpoint e where project = $1 and test = $2 and status <> 2 and ($3::uuid is null or id = $3)
        order by created desc, id
        """;

    static async Task<List<EndpointView>> ReadAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var row = await query.ExecuteReaderAsync(token);
        var endpoints = new List<EndpointView>();
        while (await row.ReadAsync(token))
            endpoints.Add(new(
                Ids.Show(Ids.WebhookEndpoint, row.GetGuid(0)),
                row.GetString(1),
                row.IsDBNull(2) ? null : row.GetFieldValue<string[]>(2),
                (EndpointStatus)row.GetInt16(3),
                row.GetFieldValue<DateTimeOffset>(4),
                row.IsDBNull(5) ? null : row.GetFieldValue<DateTimeOffset>(5),
                row.IsDBNull(6) ? null : row.GetString(6),
                row.GetInt32(7),
                [.. row.GetFieldValue<DateTimeOffset[]>(8).Zip(
                    row.GetFieldValue<DateTimeOffset?[]>(9), (created, expires) => new Secret(created, expires))]));
        return endpoints;
    }
}
