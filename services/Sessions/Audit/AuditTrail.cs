using System.Text.Json;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;

namespace LlmGateway.Sessions;

/// <summary>
/// Adds an entry for every change that is about to be saved, so that it is committed with the change or not at all. What a statement
/// changes past the context is not seen: such statements change nothing that is audited.
/// </summary>
public static class AuditTrail
{
    /// <summary>In place of a secret.</summary>
    const string Hidden = "(hidden)";

    public static void Write(SessionsDb db)
    {
        var changes = db.ChangeTracker.Entries().ToList();
        // Those of an attempt that failed are written again.
        foreach (var stale in changes.Where(change => change is { Entity: AuditEntry, State: EntityState.Added }))
            stale.State = EntityState.Detached;
        foreach (var change in changes)
            if (AuditedTables.All.TryGetValue(change.Metadata.ClrType, out var rule) && Entry(db, change, rule) is { } entry)
                db.Add(entry);
    }

    /// <summary>Null when nothing that is audited differs.</summary>
    static AuditEntry? Entry(SessionsDb db, EntityEntry change, AuditedTables.Rule rule)
    {
        if (change.State is not (EntityState.Added or EntityState.Modified or EntityState.Deleted))
            return null;
        string[] audited = [.. rule.Shown, .. rule.Hidden];
        var differing = audited.Where(name => change.State != EntityState.Modified || change.Property(name).IsModified).ToList();
        if (differing.Count == 0)
            return null;
        var author = db.Author ?? throw new InvalidOperationException($"nobody said who changes {change.Metadata.ClrType.Name}");
        var customer = rule.Customer(change.Entity) is { } id ? CustomerOf(db, id) : null;
        return new()
        {
            Id = Ids.New(),
            ProjectId = rule.Project(change.Entity) ?? customer?.ProjectId ?? author.Project
                ?? throw new InvalidOperationException($"nobody said in which project a {change.Metadata.ClrType.Name} is changed"),
            Test = customer?.Test ?? rule.Test(change.Entity),
            CustomerId = customer?.Id,
            At = author.At,
            Actor = author.Actor,
            Action = $"{rule.Kind}.{Verb(change, rule, differing)}",
            Subject = rule.Subject(change.Entity),
            Before = change.State == EntityState.Added ? null : Values(name => change.Property(name).OriginalValue),
            After = change.State == EntityState.Deleted ? null : Values(name => change.Property(name).CurrentValue),
            RequestId = author.RequestId,
        };

        string Values(Func<string, object?> value) => new JsonObject(differing
            .Where(name => change.State == EntityState.Modified || value(name) is not null)
            .Select(name => rule.Hidden.Contains(name)
                ? KeyValuePair.Create("secret", (JsonNode?)Hidden)
                : Shown(name, value(name)))
            .DistinctBy(member => member.Key)).ToJsonString();
    }

    static string Verb(EntityEntry change, AuditedTables.Rule rule, List<string> differing) => change.State switch
    {
        EntityState.Added => "created",
        EntityState.Deleted => "deleted",
        _ when change.Entity is Customer { Status: CustomerStatus.Deleted } => "deleted",
        _ => differing.Select(rule.Verbs.GetValueOrDefault).FirstOrDefault(verb => verb is not null) ?? "changed",
    };

    /// <summary>Whoever changes something of a customer has read the customer, under a lock.</summary>
    static Customer CustomerOf(SessionsDb db, Guid id) => db.Customers.Local.FindEntry(id)?.Entity
        ?? throw new InvalidOperationException("a customer's was changed without the customer");

    /// <summary>Amounts as callers write them, and not in the unit of their column.</summary>
    static KeyValuePair<string, JsonNode?> Shown(string column, object? value)
    {
        foreach (var (unit, decimals) in (ReadOnlySpan<(string, int)>)[("Nanos", Money.Decimals), ("Picos", SeedPlan.OverageDecimals),
            ("Ppm", Percent.Decimals)])
            if (column.EndsWith(unit, StringComparison.Ordinal))
                return new(Name(column[..^unit.Length]), value is long amount ? DecimalText.Format(amount, decimals) : null);
        return new(Name(column), (column, value) switch
        {
            (_, null) => null,
            ("Prices" or "TopUpLimits" or "Branding" or "Definition", string json) => JsonNode.Parse(json),
            _ => JsonSerializer.SerializeToNode(value, value.GetType(), Defaults.Json),
        });
    }

    static string Name(string column) => JsonNamingPolicy.CamelCase.ConvertName(column);
}
