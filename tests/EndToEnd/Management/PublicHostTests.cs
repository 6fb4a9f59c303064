using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>
/// A call without a credential belongs to the project that has routes for everybody at its host, so that no host is of two. The code of
/// Sessions on a database of its own: over HTTP nobody can be stopped between his question and his commit.
/// </summary>
public sealed class PublicHostTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_two_projects_that_want_a_host_at_the_same_time_one_gets_it()
    {
        await using var app = await StartAsync();
        var (mine, theirs) = (await NewProjectAsync(app), await NewProjectAsync(app));
        await using var scope = app.Services.CreateAsyncScope();
        var db = AsSeed(scope);
        await using var transaction = await db.Database.BeginTransactionAsync(Token);
        Assert.Null(await WriteAsync(db, mine, "open.example.com"));
        await db.SaveChangesAsync(Token);

        Assert.Null(await TryAsync(app, theirs, "other.example.com"));
        var same = TryAsync(app, theirs, "open.example.com");
        await Eventually.HoldsAsync(async () => same.IsCompleted || await IsWaitedForAsync(app), "the wait of the other project");
        await transaction.CommitAsync(Token);

        Assert.Equal("the host 'open.example.com' has routes for everybody in another project", await same);
    }

    /// <summary>What is wrong with a route of the project for everybody at the host; null when nothing is.</summary>
    static async Task<string?> WriteAsync(SessionsDb db, Guid project, string host) => (await RouteWriter.WriteAsync(
        db, project, [new("/v1/open", "weather") { Host = host, Public = true }], tenant: false, Token))?.Reason;

    /// <summary>The same, and nothing is stored.</summary>
    static async Task<string?> TryAsync(WebApplication app, Guid project, string host)
    {
        await using var scope = app.Services.CreateAsyncScope();
        var db = AsSeed(scope);
        await using var transaction = await db.Database.BeginTransactionAsync(Token);
        return await WriteAsync(db, project, host);
    }

    static async Task<bool> IsWaitedForAsync(WebApplication app)
    {
        await using var waits = app.Services.GetRequiredService<NpgsqlDataSource>().CreateCommand(
            """
            select exists (
                select from pg_locks
                where locktype = 'advisory' and not granted
                    and database = (select oid from pg_database where datname = current_database()))
            """);
        return await waits.ExecuteScalarAsync(Token) is true;
    }

    static async Task<Guid> NewProjectAsync(WebApplication app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        var (db, id, now) = (AsSeed(scope), Ids.New(), DateTimeOffset.UtcNow);
        var organization = new Organization { Id = Ids.New(), Name = $"organization {id:N}", CreatedAt = now };
        db.Add(organization);
        db.Add(new Project
        {
            Id = id, OrganizationId = organization.Id, Name = "app", Test = false, Active = true, MarkupPpm = 0, PlatformFeePpm = 0,
            EndUserSessions = false, KeysInQuery = false, PublishableKey = $"pk_{id:N}", CreatedAt = now,
        });
        await db.SaveChangesAsync(Token);
        return id;
    }

    static SessionsDb AsSeed(AsyncServiceScope scope)
    {
        var db = scope.ServiceProvider.GetRequiredService<SessionsDb>();
        db.Author = new(Author.Seed, null, DateTimeOffset.UtcNow);
        return db;
    }

    static async Task<WebApplication> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Error).AddFilter("Microsoft.EntityFrameworkCore", LogLevel.None);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration["ConnectionStrings:sessions"] = new NpgsqlConnectionStringBuilder(Stack.Connection("sessions"))
        {
            Database = $"sessions_{Ids.New():N}",
        }.ConnectionString;
        builder.AddOwnDatabase<SessionsDb>("sessions");
        builder.Services.AddSingleton(TimeProvider.System);
        var app = builder.Build();
        await app.StartAsync(Token);
        await app.Services.GetRequiredService<DatabaseReady>().Task;
        return app;
    }
}
