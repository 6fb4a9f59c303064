using LlmGateway.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>Customers as a seed file has them: who they are and what they may do, and nothing of what they have or used.</summary>
public static class SeedCustomers
{
    /// <summary>Those who are served, in the order of their external ids.</summary>
    /// <param name="after">The last external id of the page before. Empty for the first.</param>
    public static async Task<List<SeedCustomer>> ReadAsync(
        SessionsDb db, Project project, string after, int limit, DateTimeOffset now, CancellationToken token)
    {
        var page = await db.Customers
            .Where(customer => customer.ProjectId == project.Id && customer.Test == project.Test
                && customer.Status == CustomerStatus.Active && string.Compare(customer.ExternalId, after) > 0
                && !db.CustomerPlans.Any(had => had.CustomerId == customer.Id && had.EndsAt <= now))
            .OrderBy(customer => customer.ExternalId).Take(limit).ToListAsync(token);
        var ids = page.ConvertAll(customer => customer.Id);
        var keys = (await db.CustomerKeys
                .Where(key => ids.Contains(key.CustomerId) && key.RevokedAt == null && (key.ExpiresAt == null || key.ExpiresAt > now))
                .OrderBy(key => key.Name).ThenBy(key => key.Id).ToListAsync(token))
            .ToLookup(key => key.CustomerId);
        var limits = (await db.Limits.Where(one => ids.Contains(one.CustomerId)).OrderBy(one => one.Position).ToListAsync(token))
            .ToLookup(one => one.CustomerId);
        var plans = await db.CustomerPlans.Where(had => ids.Contains(had.CustomerId))
            .ToDictionaryAsync(had => had.CustomerId, had => had.PlanId, token);
        var credits = (await db.CustomerCredits.Where(has => ids.Contains(has.CustomerId)).OrderBy(has => has.QueryType)
            .ToListAsync(token)).ToLookup(has => has.CustomerId);
        return page.ConvertAll(customer => Describe(
            customer, [.. keys[customer.Id]], limits[customer.Id], plans.GetValueOrDefault(customer.Id),
            credits[customer.Id].Select(has => has.QueryType)));
    }

    static SeedCustomer Describe(
        Customer customer, List<CustomerKey> keys, IEnumerable<CustomerLimit> limits, string? plan, IEnumerable<string> creditTypes)
    {
        var names = SeedDescription.Distinct(keys.Select(key => key.Name));
        var nameOf = keys.Select((key, i) => (key.Id, Name: names[i])).ToDictionary(key => key.Id, key => key.Name);
        var (known, balances) = (limits.Select(limit => Describe(limit, nameOf)).OfType<LimitRequest>().ToList(), creditTypes.ToList());
        var seed = new SeedCustomer(customer.ExternalId!)
        {
            Name = customer.Name,
            Email = customer.Email,
            Company = customer.Company,
            Phone = customer.Phone,
            Wallet = customer.WalletId is null
                ? null
                : new() { LowBalance = customer.LowBalanceNanos is { } nanos ? new Money(nanos) : null },
            Rates = (customer.RequestsPerMinute, customer.TokensPerMinute, customer.Concurrent) is (null, null, null)
                ? null
                : new(customer.RequestsPerMinute, customer.TokensPerMinute, customer.Concurrent),
            Keys = keys.Count == 0 ? null : [.. keys.Select((key, i) =>
                new SeedCustomerKey(names[i], null, key.Models, key.ExpiresAt, key.Concurrent, key.InPath))],
            Balances = balances.Count == 0 ? null : balances.ToDictionary(type => type, _ => 0L),
            Limits = known.Count == 0 ? null : known,
        };
        return plan is null ? seed : seed with { Plan = plan };
    }

    /// <summary>Null for a limit of keys that are all gone: it counts nothing any more.</summary>
    static LimitRequest? Describe(CustomerLimit limit, Dictionary<Guid, string> nameOf)
    {
        var keys = limit.Keys?.Select(nameOf.GetValueOrDefault).OfType<string>().Order(StringComparer.Ordinal).ToList();
        return keys is { Count: 0 }
            ? null
            : new(limit.Unit, new(LimitRules.AmountText(limit.Unit, limit.Amount)), CycleLength.Parse(limit.Cycle))
            {
                Id = limit.Id,
                Anchor = LimitView.AnchorText(limit.Anchor),
                TimeZone = limit.TimeZone,
                Selector = limit.Models is null && keys is null ? null : new(limit.Models, keys),
            };
    }
}
