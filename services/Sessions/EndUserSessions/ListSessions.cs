using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/sessions?customer=&amp;limit=&amp;cursor=</c>: a customer's sessions, newest first. The customer is named by id or external
/// id.
/// </summary>
public static class ListSessions
{
    const int DefaultPage = 50, MaxPage = 200;

    public static void MapListSessions(this WebApplication app) =>
        app.MapGet("/v1/sessions", HandleAsync).WithQuery("customer", "limit", "cursor");

    static async Task<IResult> HandleAsync(HttpContext http, SessionsDb db, TimeProvider time, CancellationToken token)
    {
        var caller = http.Backend();
        var query = new ListQuery(http.Request.Query);
        var limit = query.Limit(DefaultPage, MaxPage);
        if (query.Text("customer") is not { } named)
            return Problems.Missing("customer");
        var externalId = Fields.Text(named, "customer");
        var customer = await CustomerView.FindAsync(db, caller, named, token)
            ?? await CustomerCreation.FindAsync(db, caller.Project, caller.Test, externalId, token);
        if (customer is null)
            return CustomerView.NotFound;

        var sessions = db.Sessions.AsNoTracking().Include(session => session.Family)
            .Where(session => session.Family.CustomerId == customer.Id);
        if (query.Text("cursor") is { } cursor)
        {
            if (!Ids.TryParse(Ids.Session, cursor, out var last))
                throw Fields.Invalid("cursor", "is not one of ours");
            sessions = sessions.Where(session => session.Id < last); // version 7 ids are in order of time
        }
        // One more than asked for tells whether there is a next page.
        var page = await sessions.OrderByDescending(session => session.Id).Take(limit + 1).ToListAsync(token);
        var now = time.GetUtcNow();
        return Results.Json(new
        {
            sessions = page.Take(limit).Select(session => Show(session, customer, now)),
            nextCursor = page.Count > limit ? Ids.Show(Ids.Session, page[limit - 1].Id) : null,
        }, Defaults.Json);
    }

    static object Show(Session session, Customer customer, DateTimeOffset now) => new
    {
        id = Ids.Show(Ids.Session, session.Id),
        endCustomerId = Ids.Show(Ids.Customer, customer.Id),
        externalId = customer.ShownExternalId,
        status = session.Family.RevokedAt is not null ? "revoked" : session.ExpiresAt <= now ? "expired" : "active",
        scope = new { models = session.Family.Models, maxSpend = session.Family.CapNanos is { } cap ? new Money(cap) : (Money?)null },
        ttlSeconds = session.Family.TtlSeconds,
        createdAt = session.CreatedAt,
        expiresAt = session.ExpiresAt,
        revokedAt = session.Family.RevokedAt,
    };
}
