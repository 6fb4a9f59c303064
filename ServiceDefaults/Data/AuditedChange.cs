using System.Text.Json;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>What the audit is to have of a change that another service than Sessions makes.</summary>
/// <param name="Before">What callers are shown of the thing. Null: there was nothing.</param>
/// <param name="After">Null: nothing is left.</param>
public sealed record AuditedChange(string Action, string Subject, object? Before, object? After)
{
    /// <summary>In place of a secret.</summary>
    public const string Hidden = "(hidden)";

    /// <summary>Characters of either side. The rules of each thing keep it far smaller.</summary>
    public const int MaxLength = 16 * 1024;

    /// <summary>Whose it is, if it is a customer's.</summary>
    public Guid? Customer { get; init; }

    /// <summary>Its secret is another one now. That is said, and nothing of either.</summary>
    public bool OfSecret { get; init; }

    /// <summary>As it is told, with the members that differ. Null when none does.</summary>
    public Changed? By(string actor, string? requestId, Guid project, bool test, DateTimeOffset at)
    {
        var (before, after) = (Members(Before), Members(After));
        JsonObject[] sides = [.. ((JsonObject?[])[before, after]).OfType<JsonObject>()];
        foreach (var name in sides.SelectMany(side => side.Select(member => member.Key)).Distinct().ToList())
            if (JsonNode.DeepEquals(before?[name], after?[name]))
                foreach (var side in sides)
                    side.Remove(name);
        if (OfSecret)
            foreach (var side in sides)
                side["secret"] = Hidden;
        return sides.All(side => side.Count == 0)
            ? null
            : new(Ids.New(), project, test, Customer, actor, Action, Subject, Text(before), Text(after), requestId, at);
    }

    static JsonObject? Members(object? value) =>
        value is null ? null : JsonSerializer.SerializeToNode(value, value.GetType(), Defaults.Json)!.AsObject();

    static string? Text(JsonObject? members) => members?.ToJsonString(Defaults.Json) is not { } text ? null
        : text.Length <= MaxLength ? text
        : throw new InvalidOperationException($"a change has {text.Length} characters for the audit, and may have {MaxLength}");
}

/// <summary>Something that is changed as a whole.</summary>
/// <param name="Kind">The first part of the action.</param>
/// <param name="Subject">What callers name it by.</param>
public sealed record AuditedThing(string Kind, string Subject)
{
    /// <inheritdoc cref="AuditedChange.Customer"/>
    public Guid? Customer { get; init; }

    /// <summary>The second part of the action, where the thing was there and is there. Else it is created or deleted.</summary>
    public string Verb { get; init; } = "changed";
}

/// <summary>
/// Tells the audit with the transaction of the change, so that both are there or neither: a message in the outbox, which Sessions keeps.
/// </summary>
public static class AuditedChanges
{
    /// <summary>Writes the message in the caller's transaction. What end users change of their own is not audited.</summary>
    public static async Task AuditAsync(this NpgsqlConnection connection, HttpContext http, AuditedChange change, CancellationToken token)
    {
        var now = http.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow();
        if (http.Principal() is not { Kind: CredentialKind.SecretKey or CredentialKind.Member } caller
            || change.By(caller.Actor(), http.RequestId(), caller.Project, caller.Test, now) is not { } told)
            return;
        await using var insert = connection.Sql(
            "insert into outbox_message (id, type, body, created_at) values ($1, $2, $3::jsonb, $4)",
            told.Id, typeof(Changed).FullName!, JsonSerializer.Serialize(told, Defaults.Json), now);
        await insert.ExecuteNonQueryAsync(token);
    }

    /// <summary>
    /// Reads a thing, changes it and reads it again, in one transaction. Who changes the same thing so waits, and each entry says what the
    /// one before it has left.
    /// </summary>
    /// <param name="read">Null: there is none.</param>
    /// <param name="show">What the audit has of it.</param>
    /// <param name="change">Returns how many rows were changed. No call to anybody is made in it.</param>
    public static async Task<int> ChangeAuditedAsync<T>(
        this NpgsqlDataSource database, HttpContext http, AuditedThing thing, Func<NpgsqlConnection, Task<T?>> read, Func<T, object> show,
        Func<NpgsqlConnection, Task<int>> change, CancellationToken token)
        where T : class
    {
        var caller = http.Principal();
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        await connection.RunAsync(
            "select pg_advisory_xact_lock(hashtextextended($1, 0))", token, $"{thing.Subject} of {caller.Project:N} {caller.Test}");
        var before = await read(connection);
        var changed = await change(connection);
        var after = await read(connection);
        var verb = before is null ? "created" : after is null ? "deleted" : thing.Verb;
        await connection.AuditAsync(
            http,
            new($"{thing.Kind}.{verb}", thing.Subject, before is null ? null : show(before), after is null ? null : show(after))
            {
                Customer = thing.Customer,
            },
            token);
        await transaction.CommitAsync(CancellationToken.None);
        return changed;
    }
}
