using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /internal/customers/credentials</c>: what customers may do and which registers pay for them, as if they called with a key that
/// has no limits of its own. For usage that their backend has counted, see <see cref="CustomersQuestion"/>.
/// </summary>
public static class ReadCustomers
{
    const string Query = """
        select null::bytea, 'CustomerKey', c.id, c.test, null::timestamptz, null::timestamptz, null::text[],
            p.id, p.organization_id, p.active,
            c.id, c.status, c.wallet_id, c.requests_per_minute, c.tokens_per_minute, null::uuid, null::bigint, null::boolean,
            c.concurrent, null::integer, coalesce(c.low_balance_nanos, p.low_balance_nanos), p.limit_thresholds, false,
            null::text[], null::text, null::uuid
        from customer c join project p on p.id = c.project_id
        where c.id = any($1) and c.project_id = $2 and c.test = $3
        """;

    public static void MapReadCustomers(this WebApplication app) => app.MapPost("/internal/customers/credentials", HandleAsync);

    static async Task<IResult> HandleAsync(
        HttpContext http, NpgsqlDataSource database, SessionsDb db, TimeProvider time, CancellationToken token)
    {
        var asked = await Body.ReadAsync<CustomersQuestion>(http);
        if (asked.Customers.Count > MeteredEvent.MaxAtOnce)
            return Problems.Invalid("customers", $"'customers' may have at most {MeteredEvent.MaxAtOnce} entries.");
        var now = time.GetUtcNow();
        var named = asked.Customers.Distinct().ToDictionary(name => name, name => IdsOf(asked, name));
        var found = new Dictionary<string, Credential>();
        await using (var query = database.Sql(Query, named.Values.SelectMany(ids => ids).ToArray(), asked.Project, asked.Test))
        await using (var row = await query.ExecuteReaderAsync(token))
            while (await row.ReadAsync(token))
                found[$"{row.GetGuid(2):N}"] = ReadCredential.Read(row, now);
        await ReadCredential.AddClaimsAsync(found, db, now, token);
        return Results.Json(
            named.Select(one => (one.Key, Credential: one.Value.Select(id => found.GetValueOrDefault($"{id:N}")).FirstOrDefault(
                credential => credential is not null)))
                .Where(one => one.Credential is not null).ToDictionary(one => one.Key, one => one.Credential),
            Defaults.Json);
    }

    /// <summary>Whose id a name may be. An external id may look like an id of ours.</summary>
    static Guid[] IdsOf(CustomersQuestion asked, string name)
    {
        var external = CustomerCreation.CustomerId(asked.Project, asked.Test, name);
        return Ids.TryParse(Ids.Customer, name, out var own) ? [own, external] : [external];
    }
}
