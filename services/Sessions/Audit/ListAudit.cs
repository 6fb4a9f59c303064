using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>A change as the project's backend sees it.</summary>
/// <param name="Actor">
/// The id of the credential or the member that changed it, <c>seed</c>, <c>operator</c>, or the name of a service.
/// </param>
/// <param name="Before">What differs. Null where there was nothing, and where it was of a customer that was deleted.</param>
public sealed record AuditView(
    string Id, DateTimeOffset At, string Actor, string Action, string Subject, JsonElement? Before, JsonElement? After, string? RequestId)
{
    public static AuditView Of(AuditEntry entry) => new(
        Ids.Show(Ids.Audit, entry.Id), entry.At, entry.Actor, entry.Action, entry.Subject, Parse(entry.Before), Parse(entry.After),
        entry.RequestId);

    static JsonElement? Parse(string? json) => json is null ? null : JsonSerializer.Deserialize<JsonElement>(json);
}

/// <summary>
/// <c>GET /v1/audit?cursor=&amp;limit=&amp;from=&amp;to=&amp;actor=&amp;subject=</c>: what was changed in the caller's project, newest
/// first. A <c>subject</c> has with it what lies under it: <c>models/small</c> also <c>models/small/prices</c>. A test key sees nothing of
/// the live world's customers and keys, nor who a live project's members are.
/// </summary>
public static class ListAudit
{
    const int DefaultPage = 50, MaxPage = 200;

    public static void MapListAudit(this WebApplication app) =>
        app.MapGet("/v1/audit", HandleAsync).WithQuery("cursor", "limit", "from", "to", "actor", "subject");

    static async Task<IResult> HandleAsync(HttpContext http, SessionsDb db, CancellationToken token)
    {
        var caller = http.Backend();
        var query = new ListQuery(http.Request.Query);
        var limit = query.Limit(DefaultPage, MaxPage);
        var entries = db.AuditEntries.AsNoTracking().Where(entry => entry.ProjectId == caller.Project);
        if (caller.Test)
        {
            var members = $"{Ids.Member}_";
            entries = entries.Where(entry => entry.Test == true || (entry.Test == null
                && (!entry.Subject.StartsWith(members) || db.Projects.Any(project => project.Id == caller.Project && project.Test))));
        }
        if (query.Time("from") is { } from)
            entries = entries.Where(entry => entry.At >= from);
        if (query.Time("to") is { } to)
            entries = entries.Where(entry => entry.At < to);
        if (query.Text("actor") is { } named)
        {
            var actor = Author.Named(named);
            entries = entries.Where(entry => entry.Actor == actor);
        }
        if (query.Text("subject") is { } subject)
        {
            var under = $"{subject}/";
            entries = entries.Where(entry => entry.Subject == subject || entry.Subject.StartsWith(under));
        }
        if (query.Text("cursor") is { } cursor)
        {
            if (!Ids.TryParse(Ids.Audit, cursor, out var last))
                throw Fields.Invalid("cursor", "is not one of ours");
            entries = entries.Where(entry => entry.Id < last);
        }

        // One more than asked for tells whether there is a next page.
        var page = await entries.OrderByDescending(entry => entry.Id).Take(limit + 1).ToListAsync(token);
        return Results.Json(new
        {
            entries = page.Take(limit).Select(AuditView.Of),
            nextCursor = page.Count > limit ? Ids.Show(Ids.Audit, page[limit - 1].Id) : null,
        }, Defaults.Json);
    }
}
