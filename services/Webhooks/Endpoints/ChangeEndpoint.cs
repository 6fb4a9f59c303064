using System.Text.Json;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>PATCH /v1/webhooks/{id}</c> <c>{url?, enabledEvents?, status?}</c>. While its status is <c>disabled</c> nothing is sent, and what
/// happens waits for it. <c>active</c> sends what has waited, in its order, each as if for the first time. <c>enabledEvents: null</c> means
/// all.
/// </summary>
public static class ChangeEndpoint
{
    const string Update = """
        update endpoint set
            url = coalesce($4::text, url),
            enabled_events = case when $5 then $6::text[] else enabled_events end,
            status = coalesce($7::smallint, status),
            disabled_at = case $7::smallint when 0 then null when 1 then coalesce(disabled_at, now()) else disabled_at end,
            disabled_reason = case $7::smallint when 0 then null else disabled_reason end,
            failures = case $7::smallint when 0 then 0 else failures end,
            failing_since = case $7::smallint when 0 then null else failing_since end,
            paused_until = case $7::smallint when 0 then '-infinity' else paused_until end,
            begins_anew = begins_anew or coalesce($7::smallint = 0, false)
        where id = $1 and project = $2 and test = $3 and status <> 2
        """;

    public static void MapChangeEndpoint(this WebApplication app) => app.MapPatch("/v1/webhooks/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, NpgsqlDataSource database, EndpointRules rules, WakeSignal due, CancellationToken token)
    {
        var caller = http.Backend();
        var change = await ReadAsync(http, rules, caller.Organization, token);
        if (EndpointView.Parse(id) is not { } endpoint)
            return EndpointView.NotFound;
        // Deliveries, of which there may be 30 days, are brought forward by who sends them (begins_anew), and not locked here: an attempt
        // locks its delivery before the endpoint.
        var changed = await database.ChangeAuditedAsync(
            http, EndpointView.Thing(endpoint), connection => EndpointView.LockAsync(connection, caller, endpoint, token),
            known => known.Audited(),
            async connection =>
            {
                await using var update = connection.Sql(
                    Update, endpoint, caller.Project, caller.Test, change.Url, change.HasEvents, change.Events, (short?)change.Status);
                return await update.ExecuteNonQueryAsync(token);
            },
            token);
        if (changed == 0)
            return EndpointView.NotFound;
        due.Raise();
        return Results.Json((await EndpointView.ReadAsync(database, caller, endpoint, CancellationToken.None)).Single(), Defaults.Json);
    }

    sealed record Change(string? Url, bool HasEvents, string[]? Events, EndpointStatus? Status);

    static async Task<Change> ReadAsync(HttpContext http, EndpointRules rules, Guid owner, CancellationToken token)
    {
        if (await Body.ReadAsync<JsonElement>(http) is not { ValueKind: JsonValueKind.Object } body)
            throw new ProblemException(Problems.Malformed("The body must be a JSON object."));
        var change = new Change(null, false, null, null);
        foreach (var member in body.EnumerateObject())
            change = member.Name switch
            {
                "url" => change with { Url = Text(member) },
                "enabledEvents" => change with { HasEvents = true, Events = EndpointRules.Events(Texts(member), member.Name) },
                "status" => change with { Status = Status(member) },
                _ => throw EndpointRules.Invalid(member.Name, "is not a field of an endpoint that can be changed"),
            };
        if (change.Url is { } url)
            await rules.CheckUrlAsync(url, owner, token);
        return change;
    }

    static string Text(JsonProperty member) => member.Value.ValueKind == JsonValueKind.String
        ? member.Value.GetString()!
        : throw EndpointRules.Invalid(member.Name, "must be a string");

    static List<string>? Texts(JsonProperty member) => member.Value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.Array when member.Value.EnumerateArray().All(text => text.ValueKind == JsonValueKind.String) =>
            [.. member.Value.EnumerateArray().Select(text => text.GetString()!)],
        _ => throw EndpointRules.Invalid(member.Name, "must be a list of strings, or null"),
    };

    static EndpointStatus Status(JsonProperty member) => Text(member) switch
    {
        "active" => EndpointStatus.Active,
        "disabled" => EndpointStatus.Disabled,
        _ => throw EndpointRules.Invalid(member.Name, "must be active or disabled"),
    };
}
