using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>PUT /v1/alerts {email, events?}</c>, <c>GET</c>, <c>DELETE</c>: to whom a backend's project and mode mails what happens, each event
/// once. Without <c>events</c>, what money is running out of.
/// </summary>
public static class PutAlerts
{
    public sealed record Request(string Email, IReadOnlyList<string>? Events = null);

    public sealed record View(string Email, IReadOnlyList<string> Events);

    static readonly AuditedThing Audited = new("alert", "alerts");

    public static void MapAlerts(this WebApplication app)
    {
        app.MapPut("/v1/alerts", PutAsync);
        app.MapGet("/v1/alerts", GetAsync).WithQuery();
        app.MapDelete("/v1/alerts", DeleteAsync);
    }

    static async Task<IResult> PutAsync(HttpContext http, NpgsqlDataSource database, MailSettings mail, CancellationToken token)
    {
        var caller = http.Backend();
        var input = await Body.ReadAsync<Request>(http);
        if (Refuse(input) is { } refused)
            return refused;
        if (mail.Server is null)
            return Problems.Conflict("mail_not_set_up", "This gateway has no mail server: nobody would be told anything.");
        var view = new View(input.Email, [.. (input.Events ?? AlertText.Usual).Distinct().Order(StringComparer.Ordinal)]);
        await database.ChangeAuditedAsync(
            http, Audited, connection => FindAsync(connection, caller, token), known => known,
            connection => connection.ChangeAsync("""
                insert into alert (project, test, email, events) values ($1, $2, $3, $4)
                on conflict (project, test) do update set email = excluded.email, events = excluded.events, changed_at = now()
                """, token, caller.Project, caller.Test, view.Email, view.Events.ToArray()),
            token);
        return Results.Json(view, Defaults.Json);
    }

    public static Problem? Refuse(Request input) =>
        !PutSeller.IsAddress(input.Email) ? Problems.Invalid("email", "'email' must be one mail address.")
        : input.Events is { Count: 0 } ? Problems.Invalid("events", "'events' must name one at least. DELETE ends all of them.")
        : input.Events?.FirstOrDefault(one => !AlertText.Titles.ContainsKey(one)) is { } unknown ? Problems.Invalid(
            "events", $"'events' has '{unknown}', which is not mailed. What is: {string.Join(", ", AlertText.Titles.Keys)}.")
        : null;

    static async Task<IResult> GetAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var caller = http.Backend();
        await using var connection = await database.OpenConnectionAsync(token);
        return await FindAsync(connection, caller, token) is { } view ? Results.Json(view, Defaults.Json) : Problems.NotFound("alert");
    }

    static async Task<View?> FindAsync(NpgsqlConnection connection, Principal caller, CancellationToken token)
    {
        await using var query = connection.Sql(
            "select email, events from alert where project = $1 and test = $2", caller.Project, caller.Test);
        await using var row = await query.ExecuteReaderAsync(token);
        return await row.ReadAsync(token) ? new(row.GetString(0), row.GetFieldValue<string[]>(1)) : null;
    }

    static async Task<IResult> DeleteAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var caller = http.Backend();
        var deleted = await database.ChangeAuditedAsync(
            http, Audited, connection => FindAsync(connection, caller, token), known => known,
            connection => connection.ChangeAsync(
                "delete from alert where project = $1 and test = $2", token, caller.Project, caller.Test),
            token);
        return deleted == 1 ? Results.NoContent() : Problems.NotFound("alert");
    }
}
