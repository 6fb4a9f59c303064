using LlmGateway.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>Writes all limits of a customer, for seed files and calls alike. Its callers lock, check the rules and commit.</summary>
public static class LimitWriter
{
    /// <summary>
    /// Changes what is stored into <paramref name="limits"/>, which may be what it is already. Returns the first mistake that only the
    /// database shows; then nothing must be committed.
    /// </summary>
    /// <param name="path">Of the list.</param>
    /// <param name="added">Receives those that count what no limit of the customer has counted before.</param>
    /// <param name="ofSeed">
    /// A name is that of the oldest key that is not revoked, or of the oldest: calls may have made others of that name, or have revoked it.
    /// </param>
    public static async Task<(string Path, string Reason)?> WriteAsync(
        SessionsDb db, Guid customer, IReadOnlyList<LimitRequest> limits, string path, List<CustomerLimit> added, bool ofSeed,
        CancellationToken token)
    {
        var keys = await KeysAsync(db, customer, [.. limits.SelectMany(limit => limit.Selector?.Keys ?? [])], ofSeed, token);
        foreach (var (i, limit) in limits.Index())
            foreach (var (k, key) in (limit.Selector?.Keys ?? []).Index())
                if (!keys.ContainsKey(key))
                    return ($"{path}[{i}].selector.keys[{k}]", $"names '{key}', which is not one key of the customer");

        var known = await db.Limits.Include(limit => limit.Raises).Where(limit => limit.CustomerId == customer).ToListAsync(token);
        var rows = LimitRules.Rows(customer, limits, known, keys);
        if (LimitRules.Clash(rows, path) is { } clash)
            return clash;
        var counted = known.Select(LimitRules.IdentityOf).ToHashSet();
        added.AddRange(rows.Where(row => !counted.Contains(LimitRules.IdentityOf(row))));
        db.RemoveRange(known.Where(limit => rows.All(row => row.Id != limit.Id)));
        foreach (var row in rows)
            if (known.Find(limit => limit.Id == row.Id) is { } limit)
                Change(limit, row);
            else
                db.Add(row);
        return null;
    }

    /// <summary>A raise is one of what was counted when it was made. It ends when something else is.</summary>
    static void Change(CustomerLimit limit, CustomerLimit to)
    {
        if (LimitRules.IdentityOf(limit) != LimitRules.IdentityOf(to))
            limit.Raises.Clear();
        (limit.Position, limit.Unit, limit.Amount) = (to.Position, to.Unit, to.Amount);
        (limit.Cycle, limit.Anchor, limit.TimeZone) = (to.Cycle, to.Anchor, to.TimeZone);
        (limit.Models, limit.Keys) = (to.Models, to.Keys);
    }

    /// <summary>The keys by id, also revoked ones, so that a list that was written once can be written again, or by an only name.</summary>
    static async Task<Dictionary<string, Guid>> KeysAsync(
        SessionsDb db, Guid customer, string[] named, bool ofSeed, CancellationToken token)
    {
        if (named.Length == 0)
            return [];
        var ids = named.Select(name => Ids.TryParse(Ids.Key, name, out var id) ? id : Guid.Empty).ToArray();
        var found = await db.CustomerKeys.AsNoTracking()
            .Where(key => key.CustomerId == customer
                && (ids.Contains(key.Id) || ((ofSeed || key.RevokedAt == null) && named.Contains(key.Name))))
            .OrderBy(key => key.RevokedAt != null).ThenBy(key => key.CreatedAt).ThenBy(key => key.Id)
            .Select(key => new { key.Id, key.Name, Revoked = key.RevokedAt != null })
            .ToListAsync(token);
        var keys = found.ToDictionary(key => Ids.Show(Ids.Key, key.Id), key => key.Id);
        foreach (var name in found.Where(key => ofSeed || !key.Revoked).GroupBy(key => key.Name).Where(same => ofSeed || same.Count() == 1))
            keys.TryAdd(name.Key, name.First().Id);
        return keys;
    }
}
