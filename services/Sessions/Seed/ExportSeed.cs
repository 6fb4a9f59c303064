using System.Collections.Concurrent;
using System.Data;
using System.Text.Json;
using LlmGateway.Contracts;
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

    /// <summary>Exports that have a connection to the database, which all callers share.</summary>
    const int MaxReaders = 2;

    static readonly SemaphoreSlim Readers = new(MaxReaders);

    /// <summary>Projects with an export under way: one each, so that the files of slow callers stay few.</summary>
    static readonly ConcurrentDictionary<Guid, bool> Running = new();

    static readonly Problem UnderWay = Problems.RateLimited(
        "An export of this project is under way. Wait until it has ended.", retryAfterSeconds: 2);

    public static void MapExportSeed(this WebApplication app) => app.MapGet("/v1/seed", HandleAsync).WithQuery();

    static async Task<IResult> HandleAsync(HttpContext http, SessionsDb db, TimeProvider time)
    {
        var (caller, token) = (http.Backend(), http.RequestAborted);
        db.ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.NoTracking;
        await SeedPart.FindAsync(db, caller, token); // who may not read it is told so, whoever reads it now
        if (!Running.TryAdd(caller.Project, true))
            return UnderWay;
        try
        {
            await using var file = NewFile();
            await Readers.WaitAsync(token);
            try
            {
                await WriteAsync(file, caller, db, time.GetUtcNow(), token);
            }
            finally
            {
                Readers.Release();
            }
            file.Position = 0;
            http.Response.ContentType = "application/json; charset=utf-8";
            http.Response.ContentLength = file.Length;
            await file.CopyToAsync(http.Response.Body, token);
            return Results.Empty;
        }
        finally
        {
            Running.TryRemove(caller.Project, out _);
        }
    }

    /// <summary>
    /// A caller that reads slowly holds a file and no connection. Nobody else may read it, and it is gone when it is closed.
    /// </summary>
    static FileStream NewFile()
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Options = FileOptions.Asynchronous | FileOptions.DeleteOnClose,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return new(Path.Combine(Path.GetTempPath(), $"llmgateway-{Guid.NewGuid():N}.seed.json"), options);
    }

    static async Task WriteAsync(Stream file, Principal caller, SessionsDb db, DateTimeOffset now, CancellationToken token)
    {
        // One state of the project, however long it takes to read it.
        await using var transaction = await db.Database.BeginTransactionAsync(IsolationLevel.RepeatableRead, token);
        var project = await SeedPart.FindAsync(db, caller, token);
        var organization = await db.Organizations.SingleAsync(one => one.Id == project.OrganizationId, token);
        var described = await SeedDescription.ReadAsync(db, project, now, token);
        await using var writer = new Utf8JsonWriter(file, new() { Indented = true });
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
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
