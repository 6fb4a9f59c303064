using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>Each service owns one database. It creates and migrates the database at start and waits for the server.</summary>
public static class Database
{
    public static void AddOwnDatabase<TContext>(this WebApplicationBuilder builder, string name)
        where TContext : DbContext
    {
        builder.Connection(name);
        // Ready means migrated, too, which only the check below knows. What is traced and counted is said in Telemetry.cs.
        builder.AddNpgsqlDataSource(
            name,
            settings => settings.DisableHealthChecks = settings.DisableTracing = settings.DisableMetrics = true,
            database =>
            {
                database.Name = name;
                // Repeated statements are planned once per connection: planning one of the ledger's costs as much as running it for ten
                // rows.
                database.ConnectionStringBuilder.MaxAutoPrepare = 50;
                database.ConnectionStringBuilder.AutoPrepareMinUsages = 2;
            });
        builder.Services.AddDbContextPool<TContext>(
            (services, options) => options.UseNpgsql(services.GetRequiredService<NpgsqlDataSource>()));
        builder.Services.AddSingleton<DatabaseReady>();
        builder.Services.AddHostedService<Migrator<TContext>>();
        builder.Services.AddReadiness("database", async (services, token) =>
        {
            if (!services.GetRequiredService<DatabaseReady>().Task.IsCompletedSuccessfully)
                return false;
            await using var command = services.GetRequiredService<NpgsqlDataSource>().CreateCommand("select 1");
            return await command.ExecuteScalarAsync(token) is 1;
        });
    }

    /// <summary>A command with positional parameters: <c>$1</c> is the first value. A null is the database's.</summary>
    public static NpgsqlCommand Sql(this NpgsqlDataSource database, [StringSyntax("sql")] string text, params object?[] values) =>
        database.CreateCommand(text).With(values);

    /// <inheritdoc cref="Sql(NpgsqlDataSource, string, object[])"/>
    public static NpgsqlCommand Sql(this NpgsqlConnection connection, [StringSyntax("sql")] string text, params object?[] values) =>
        new NpgsqlCommand(text, connection).With(values);

    /// <summary>However long it takes, until it is cancelled.</summary>
    public static async Task RunAsync(
        this NpgsqlConnection connection, [StringSyntax("sql")] string text, CancellationToken token, params object?[] values)
    {
        await using var command = connection.Sql(text, values);
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync(token);
    }

    /// <summary>In SQL: twice as long after each attempt. The exponent has a bound, so that there is such an interval.</summary>
    public static string Pause(string first, string longest, string attempts = "attempts") =>
        $"least({longest}, {first} * power(2, least({attempts}, 20)))";

    /// <summary>
    /// Until the end of the transaction. What cannot do without reading a table, though it is small, looks so expensive then that
    /// PostgreSQL would compile it, for longer than it runs.
    /// </summary>
    public const string IndexesOnly = "set local enable_seqscan = off; set local jit = off";

    /// <summary>
    /// Until the end of the transaction. What an instance has locked that stands still in it, or whose host is gone, is free after that,
    /// and not when TCP finds out.
    /// </summary>
    public const string FreeWhenIdle = "set local idle_in_transaction_session_timeout = '30s'";

    /// <summary>
    /// Runs statements on tables that are empty at one time and large at another. A connection plans a statement once and keeps the plan. A
    /// plan for empty tables reads them whole, for each row of the other. So such statements may only use indexes.
    /// </summary>
    public static async Task<T> ByIndexAsync<T>(
        this NpgsqlDataSource database, Func<NpgsqlConnection, Task<T>> run, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync($"{IndexesOnly}; {FreeWhenIdle}", token);
        var result = await run(connection);
        await transaction.CommitAsync(token);
        return result;
    }

    static NpgsqlCommand With(this NpgsqlCommand command, object?[] values)
    {
        foreach (var value in values)
            command.Parameters.Add(new NpgsqlParameter { Value = value ?? DBNull.Value });
        return command;
    }

    /// <summary>Names tables and columns in snake_case; the EF package for it is too old.</summary>
    public static void UseSnakeCase(this ModelBuilder model)
    {
        foreach (var entity in model.Model.GetEntityTypes())
        {
            entity.SetTableName(SnakeCase(entity.ClrType.Name));
            foreach (var property in entity.GetProperties())
                property.SetColumnName(SnakeCase(property.Name));
        }
    }

    static string SnakeCase(string name) =>
        string.Concat(
            name.Select(
                (c, i) => char.IsUpper(c) ? (i > 0 && !char.IsUpper(name[i - 1]) ? "_" : "") + char.ToLowerInvariant(c) : c.ToString()));

    /// <summary>Runs until it has succeeded once, because the server may start later than the service.</summary>
    sealed class Migrator<TContext>(IServiceProvider services, DatabaseReady ready, ILogger<Migrator<TContext>> log) : BackgroundService
        where TContext : DbContext
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            try
            {
                await Backoff.UntilDoneAsync(
                    () => MigrateAsync(stoppingToken),
                    Problems.IsOutage,
                    (e, pause) => log.LogWarning(
                        "the database is not reachable yet ({Message}); trying again in {Delay} ms", e.Message, pause.TotalMilliseconds),
                    stoppingToken);
                ready.Set();
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // The exit code must tell that the service failed.
                log.LogCritical(e, "the database could not be migrated");
                Environment.ExitCode = 1;
                throw;
            }
        }

        /// <summary>Creates the database when it is missing. EF takes a lock, so that several instances may start at once.</summary>
        async Task MigrateAsync(CancellationToken token)
        {
            await using var scope = services.CreateAsyncScope();
            var context = scope.ServiceProvider.GetRequiredService<TContext>().Database;
            context.SetCommandTimeout(0); // a migration that moves rows takes as long as there are many
            await context.MigrateAsync(token);
        }
    }
}

/// <summary>Completes when the schema is in place. Background work waits for it.</summary>
public sealed class DatabaseReady
{
    readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Task => _done.Task;

    internal void Set() => _done.TrySetResult();
}
