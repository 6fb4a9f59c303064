using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /internal/credentials</c>: who is calling, what they may do, and which registers pay, for many callers at once. Those that are
/// unknown are absent from the answer.
/// </summary>
public static class ReadCredential
{
    public static void MapCredentials(this WebApplication app) => app.MapPost("/internal/credentials", HandleAsync);

    /// <summary>One query for all kinds, because nobody knows yet what an unknown caller pretends to be.</summary>
    const string Query = """
        select s.hash, 'Session', s.id, c.test, f.revoked_at, s.expires_at, f.models, p.id, p.organization_id, p.active,
            c.id, c.status, c.wallet_id, c.requests_per_minute, c.tokens_per_minute, f.id, f.cap_nanos,
            f.cap_counts, c.concurrent, null::integer, coalesce(c.low_balance_nanos, p.low_balance_nanos), p.limit_thresholds, false,
            null::text[], null::text, null::uuid
        from session s
            join session_family f on f.id = s.family_id
            join customer c on c.id = f.customer_id
            join project p on p.id = c.project_id
        where s.hash = any($1)
        union all
        select secret.hash, 'CustomerKey', k.id, c.test, k.revoked_at, least(k.expires_at, secret.until), k.models,
            p.id, p.organization_id, p.active,
            c.id, c.status, c.wallet_id, c.requests_per_minute, c.tokens_per_minute, null, null, null,
            c.concurrent, k.concurrent, coalesce(c.low_balance_nanos, p.low_balance_nanos), p.limit_thresholds, k.in_path, null, null, null
        from (
            select id, hash, null::timestamptz from customer_key where hash = any($1)
            union all select key_id, hash, expires_at from retired_secret where hash = any($1)) secret (id, hash, until)
            join customer_key k on k.id = secret.id
            join customer c on c.id = k.customer_id
            join project p on p.id = c.project_id
        union all
        select k.hash, 'SecretKey', k.id, k.test, k.revoked_at, k.expires_at, null, p.id, p.organization_id, p.active,
            null, null, null, null, null, null, null, null, null, null, null, null, false, k.permissions, null, null
        from secret_key k join project p on p.id = k.project_id
        where k.hash = any($1)
        union all
        select t.hash, 'Member', m.id, t.test, coalesce(t.revoked_at, m.removed_at), t.expires_at, null,
            p.id, p.organization_id, p.active,
            c.id, c.status, c.wallet_id, null, null, null, null, null, null, null, null, null, false, null, m.role, t.id
        from member_token t
            join member m on m.id = t.member_id
            join project p on p.id = t.project_id
            left join customer c on c.id = m.customer_id
        where t.hash = any($1)
        """;

    static async Task<IResult> HandleAsync(
        HttpContext http, NpgsqlDataSource database, SessionsDb db, CredentialSeal seal, HotCopies copies, TimeProvider time,
        CancellationToken token)
    {
        var asked = (await Body.ReadAsync<CredentialQuestion>(http)).Fingerprints;
        if (asked.Count > CredentialQuestion.MaxAtOnce)
            return Problems.Invalid("fingerprints", $"'fingerprints' may have at most {CredentialQuestion.MaxAtOnce} entries.");
        var (started, now) = (time.GetTimestamp(), time.GetUtcNow());
        var wanted = asked.Distinct()
            .SelectMany(seal.Hashes, (fingerprint, hash) => (Hash: hash, Fingerprint: fingerprint))
            .ToDictionary(one => Convert.ToHexString(one.Hash));
        var known = new Dictionary<string, Credential>();
        object hashes = wanted.Values.Select(one => one.Hash).ToArray(); // one parameter: an array of arrays
        await using (var query = database.Sql(Query, hashes))
        await using (var row = await query.ExecuteReaderAsync(token))
            while (await row.ReadAsync(token))
                known[wanted[Convert.ToHexString(row.GetFieldValue<byte[]>(0))].Fingerprint] = Read(row, now);
        await AddClaimsAsync(known, db, now, token);
        Failpoint.Hit("sessions.credential.read");
        foreach (var (fingerprint, credential) in known)
            _ = copies.KeepAsync(Invalidation.CredentialKey(fingerprint), credential, started); // the answer does not wait for Redis
        return Results.Json(known, Defaults.Json);
    }

    /// <summary>
    /// Most customers have no limits, no plan and no call credits, and most credentials no limit of their own. Then their registers say
    /// everything.
    /// </summary>
    static async Task AddClaimsAsync(Dictionary<string, Credential> known, SessionsDb db, DateTimeOffset now, CancellationToken token)
    {
        var customers = known.Values.Select(credential => credential.Customer).OfType<Guid>().Distinct().ToArray();
        var limits = (await db.Limits.AsNoTracking().Include(limit => limit.Raises)
                .Where(limit => customers.Contains(limit.CustomerId)).ToListAsync(token))
            .ToLookup(limit => limit.CustomerId);
        var plans = await db.CustomerPlans.AsNoTracking()
            .Where(had => customers.Contains(had.CustomerId))
            .Join(db.Plans, had => new { had.ProjectId, Id = had.PlanId }, plan => new { plan.ProjectId, plan.Id },
                (had, plan) => new { Had = had, Plan = plan })
            .ToDictionaryAsync(one => one.Had.CustomerId, one => (one.Had, one.Plan), token);
        var credits = (await db.CustomerCredits.AsNoTracking().Where(has => customers.Contains(has.CustomerId))
            .OrderBy(has => has.QueryType).ToListAsync(token)).ToLookup(has => has.CustomerId);
        foreach (var (fingerprint, credential) in known.ToList())
        {
            if (credential.Customer is not { } customer || (credential.Claim is null && !limits.Contains(customer)
                && !plans.ContainsKey(customer) && !credits.Contains(customer)))
                continue;
            (CustomerPlan Had, Plan Plan)? plan = plans.TryGetValue(customer, out var found) ? found : null;
            known[fingerprint] = credential with
            {
                Claim = new(
                    [
                        .. limits[customer].OrderBy(limit => limit.Position).Select(limit => Terms.LineOf(limit, now)),
                        .. credential.Claim?.Limits ?? [],
                    ],
                    [.. Sources(credential, plan, credits[customer], now)]),
                Rates = plan?.Plan.TokensPerMinute is { } perMinute && credential.Rates?.TokensPerMinute is null
                    ? new(credential.Rates?.RequestsPerMinute, perMinute)
                    : credential.Rates,
            };
        }
    }

    /// <summary>
    /// A plan's quota pays first, then call credits: a call asks those of its provider's type. What neither covers, the wallet pays, by the
    /// plan's overage where there is a plan. A plan that has ended, or has not begun, has no term for now, so nothing is served: without
    /// its quota the calls would be nobody's to pay. When it has ended, the proxy says so.
    /// </summary>
    static IEnumerable<PaySource> Sources(
        Credential credential, (CustomerPlan Had, Plan Plan)? plan, IEnumerable<CustomerCredits> credits, DateTimeOffset now)
    {
        if (plan is { } one)
            yield return new(
                AccountKind.Quota, Unit.Tokens, null, null, Terms.QuotaOf(one.Had, one.Plan, now), Overage: null)
            {
                Plan = new(one.Plan.Name, one.Had.EndsAt) { Id = one.Plan.Id },
            };
        foreach (var has in credits)
            yield return PaySource.OfCredits(credential.Project, has.CustomerId, has.QueryType);
        Rate? overage = plan?.Plan.OveragePicos is { } picos ? new(picos) : null;
        if (credential.Wallet is { } wallet && (plan is null || overage is not null))
            yield return new(AccountKind.Wallet, Unit.Usd, null, wallet, null, overage);
    }

    static Credential Read(NpgsqlDataReader row, DateTimeOffset now)
    {
        var expiresAt = Value<DateTimeOffset>(row, 5);
        CustomerStatus? status = row.IsDBNull(11) ? null : Enum.Parse<CustomerStatus>(row.GetString(11));
        var (wallet, requests, tokens, family) = (Value<Guid>(row, 12), Value<int>(row, 13), Value<int>(row, 14), Value<Guid>(row, 15));
        List<RegisterRef> registers = wallet is { } account ? [new(account, AccountKind.Wallet, Unit.Usd)] : [];
        var own = new List<LimitLine>();
        if (Value<int>(row, 18) is { } ofCustomer)
            own.Add(Terms.SlotsOf(row.GetGuid(10), LimitLine.Customer, ofCustomer));
        if (Value<int>(row, 19) is { } ofKey)
            own.Add(Terms.SlotsOf(row.GetGuid(2), LimitLine.Key, ofKey));
        if (Value<long>(row, 16) is { } cap)
        {
            if (row.GetBoolean(17))
                own.Add(Terms.CapOf(family!.Value, cap, expiresAt));
            else
                registers.Add(new(family!.Value, AccountKind.SessionCap, Unit.UsdLimit));
        }
        return new(
            row.GetGuid(2), Enum.Parse<CredentialKind>(row.GetString(1)), row.GetBoolean(3),
            CredentialStatuses.Of(Value<DateTimeOffset>(row, 4), expiresAt, status, row.GetBoolean(9), now),
            row.GetGuid(8), row.GetGuid(7), Value<Guid>(row, 10), family, wallet, expiresAt,
            row.IsDBNull(6) ? null : row.GetFieldValue<string[]>(6), registers,
            (requests, tokens) is (null, null) ? null : new(requests, tokens))
        {
            Claim = own.Count == 0 ? null : new(own, []),
            InPath = row.GetBoolean(22),
            Permissions = !row.IsDBNull(24) ? Roles.PermissionsOf(row.GetString(24))
                : row.IsDBNull(23) ? null
                : row.GetFieldValue<string[]>(23),
            MemberToken = Value<Guid>(row, 25),
            LowMark = Value<long>(row, 20) is { } nanos ? new Money(nanos) : null,
            Thresholds = row.IsDBNull(21) ? null : Array.ConvertAll(row.GetFieldValue<int[]>(21), percent => (byte)percent),
        };
    }

    static T? Value<T>(NpgsqlDataReader row, int column) where T : struct =>
        row.IsDBNull(column) ? null : row.GetFieldValue<T>(column);
}
