using System.Data;
using System.Text.Json;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/seed</c>: the caller's project as a seed file, which makes the same project elsewhere. It has configuration and no money: no
/// balances, no usage, no history. Secrets of providers are variables, keys are made anew. Who is not served (suspended, blocked, without
/// the plan that ended, of the test world of a live project) is left out: a file cannot say so, and would have them served.
/// </summary>
public static class ExportSeed
{
    /// <summary>Customers that are read at once.</summary>
    const int Page = 200;

    public static void MapExportSeed(this WebApplication app) => app.MapGet("/v1/seed", HandleAsync).WithQuery();

    static async Task HandleAsync(HttpContext http, SessionsDb db, TimeProvider time)
    {
        var (caller, now, token) = (http.Backend(), time.GetUtcNow(), http.RequestAborted);
        db.ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.NoTracking;
        // One state of the project, however long the caller takes to read it.
        await using var transaction = await db.Database.BeginTransactionAsync(IsolationLevel.RepeatableRead, token);
        var project = await SeedPart.FindAsync(db, caller, token);
        var organization = await db.Organizations.SingleAsync(one => one.Id == project.OrganizationId, token);
        var described = await SeedDescription.ReadAsync(db, project, now, token);
        http.Response.ContentType = "application/json; charset=utf-8";
        await using var writer = new Utf8JsonWriter(http.Response.BodyWriter, new() { Indented = true });
        writer.WriteStartObject();
        writer.WriteStartArray("organizations");
        writer.WriteStartObject();
        writer.WriteString("name", SeedReader.Literal(organization.Name));
        writer.WriteStartArray("projects");
        writer.WriteStartObject();
        foreach (var (name, value) in described)
        {
            writer.WritePropertyName(name);
            value!.WriteTo(writer);
        }
        writer.WriteStartArray("customers");
        var last = "";
        for (var full = true; full;)
        {
            var page = await SeedCustomers.ReadAsync(db, project, last, Page, now, token);
            foreach (var customer in page)
                SeedDescription.Of(customer).WriteTo(writer);
            full = page.Count == Page;
            last = full ? page[^1].ExternalId : last;
            await writer.FlushAsync(token);
            await http.Response.BodyWriter.FlushAsync(token);
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
