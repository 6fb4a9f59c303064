using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// Writes valid seed files in one transaction. Ids follow from names, so that a file that is applied again, also after a crash half-way,
/// means the same rows and balances. Balances are opened just before the commit. Only one instance writes at a time; an object of this
/// class serves one attempt.
/// </summary>
public sealed class SeedWriter(
    SessionsDb db, WalletClient wallet, CredentialSeal seal, CustomerKeys customerKeys, Envelope envelope, HotCopies copies,
    OutboxSignal outbox, MadeKeys madeKeys, TimeProvider time)
{
    readonly DateTimeOffset _now = time.GetUtcNow();
    readonly List<OpenRegister> _registers = [];
    readonly List<OpenCounters> _counters = [];
    readonly List<Guid> _projects = [];
    readonly List<MadeKey> _made = [];
    /// <summary>Secret keys that may do something else now, or end at another time.</summary>
    readonly List<KnownCredential> _otherKeys = [];
    /// <summary>Customers whose plan is another one now, or has ended.</summary>
    readonly List<Guid> _otherPlans = [];

    /// <summary>Throws <see cref="SeedException"/> when a file contradicts what is stored.</summary>
    public async Task ApplyAsync(IReadOnlyList<(string Path, SeedFile File)> files, CancellationToken token)
    {
        db.Author = new(Author.Seed, null, _now);
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await CatalogueWriter.WriteAsync(db, CuratedModels.Read(), imported: false, _now, token);
        foreach (var (path, file) in files)
        {
            foreach (var (i, seed) in file.Organizations.Index())
                await OrganizationAsync(seed, $"seed file {path}: organizations[{i}]", token);
            await db.SaveChangesAsync(token); // the next file may go on with what this one made
        }
        await wallet.OpenAsync(_registers, token);
        foreach (var counters in _counters)
            await wallet.OpenCountersAsync(counters with { Later = true }, token);
        madeKeys.Tell(_made);
        var changes = _otherPlans.Select(customer => copies.CustomerChanging(customer, db))
            .Concat(_otherKeys.Select(copies.CredentialChanging)).ToList();
        try
        {
            await using (copies.CatalogueChanging(_projects))
                await transaction.CommitAsync(CancellationToken.None);
        }
        finally
        {
            foreach (var change in changes)
                await change.DisposeAsync();
        }
        outbox.Raise();
        foreach (var counters in _counters)
            await wallet.TryOpenCountersAsync(counters, token);
    }

    async Task OrganizationAsync(SeedOrganization seed, string path, CancellationToken token)
    {
        var organization = await db.Organizations.SingleOrDefaultAsync(o => o.Name == seed.Name, token);
        if (organization is null)
            db.Add(organization = new() { Id = Ids.Derive(Guid.Empty, $"organization:{seed.Name}"), Name = seed.Name, CreatedAt = _now });
        foreach (var (i, project) in (seed.Projects ?? []).Index())
            await ProjectAsync(organization, project, $"{path}.projects[{i}]", token);
    }

    async Task ProjectAsync(Organization organization, SeedProject seed, string path, CancellationToken token)
    {
        var known = await db.Projects.Where(p => p.OrganizationId == organization.Id && p.Name == seed.Name).Select(p => p.Id)
            .SingleOrDefaultAsync(token);
        await db.LockProjectAsync(known, token); // where there is one, calls may be changing it
        var project = await db.Projects.SingleOrDefaultAsync(p => p.Id == known, token);
        if (project is null)
            db.Add(project = NewProject(organization, seed.Name));
        ProjectWriter.Write(project, seed);
        _projects.Add(project.Id);

        foreach (var (i, key) in (seed.SecretKeys ?? []).Index())
            await SecretKeyAsync(project, key, $"{path}.secretKeys[{i}]", token);
        var providers = await ProviderWriter.ReadAsync(db, envelope, project.Id, token);
        foreach (var provider in seed.Providers ?? [])
            providers.Write(provider, tenant: false);
        var models = await ModelWriter.ReadAsync(db, project.Id, seed.Models ?? [], providers.All, _now, token);
        foreach (var (i, model) in (seed.Models ?? []).Index())
            models.Write(model, $"{path}.models[{i}]");
        foreach (var (i, provider) in (seed.Providers ?? []).Index())
            models.MustHaveOneType(provider, $"{path}.providers[{i}]");
        if (await RouteWriter.WriteAsync(db, project.Id, seed.Routes ?? [], token) is { } mistake)
            throw new SeedException($"{path}.routes: {mistake}");
        var plans = await PlanWriter.ReadAsync(db, project.Id, token);
        foreach (var plan in seed.Plans ?? [])
            plans.Write(plan);
        foreach (var (i, customer) in (seed.Customers ?? []).Index())
            await CustomerAsync(project, customer, plans.All, $"{path}.customers[{i}]", token);
    }

    Project NewProject(Organization organization, string name) => new()
    {
        Id = Ids.Derive(organization.Id, $"project:{name}"),
        OrganizationId = organization.Id,
        Name = name,
        CreatedAt = _now,
        Test = false,
        Active = true,
        MarkupPpm = 0,
        PlatformFeePpm = 50_000,
        EndUserSessions = false,
        KeysInQuery = false,
        PublishableKey = Token.New(Token.Publishable),
    };

    async Task SecretKeyAsync(Project project, SeedSecretKey seed, string path, CancellationToken token)
    {
        var secret = seed.Key;
        if (secret is null)
        {
            if (await db.SecretKeys.Where(key => key.ProjectId == project.Id && key.Name == seed.Name).ToListAsync(token)
                is { Count: > 0 } named)
            {
                named.ForEach(key => Narrow(key, seed));
                return;
            }
            secret = Token.New(SecretKeys.Prefix(project.Test));
            _made.Add(new($"{project.Name}/{seed.Name}", secret));
        }
        Token.TryRead(secret, out _, out var test);
        if (project.Test && !test)
            throw new SeedException($"{path}.key must begin with {Token.TestSecret}: the project is a test project");

        var hashes = seal.Hashes(Token.Fingerprint(secret));
        if (await db.SecretKeys.SingleOrDefaultAsync(key => hashes.Contains(key.Hash), token) is { } known)
        {
            if (known.ProjectId != project.Id)
                throw new SeedException($"{path}.key belongs to another project");
            Narrow(known, seed);
            return;
        }
        var added = SecretKeys.New(project.Id, test, seed.Name, secret, seal, _now);
        db.Add(added);
        Narrow(added, seed);
    }

    void Narrow(SecretKey key, SeedSecretKey seed)
    {
        key.Permissions = seed.Permissions?.Distinct().Order(StringComparer.Ordinal).ToList() ?? key.Permissions;
        key.ExpiresAt = seed.ExpiresAt?.ToUniversalTime() ?? key.ExpiresAt;
        if (db.Entry(key).State == EntityState.Modified)
            _otherKeys.Add(new(key.Id, key.SealedFingerprint));
    }

    async Task CustomerAsync(
        Project project, SeedCustomer seed, IReadOnlyDictionary<string, Plan> plans, string path, CancellationToken token)
    {
        var customer = await CustomerCreation.FindAsync(db, project.Id, project.Test, seed.ExternalId, token);
        if (customer is not null)
            await db.LockAsync(customer, token);
        if (customer?.Status == CustomerStatus.Deleted)
            return; // a seed does not bring back what was deleted
        customer ??= CustomerCreation.Add(db, project, project.Test, seed.ExternalId, _now);
        customer.Name = seed.Name ?? customer.Name;
        customer.Email = seed.Email ?? customer.Email;
        customer.Company = seed.Company ?? customer.Company;
        customer.Phone = seed.Phone ?? customer.Phone;
        if (seed.Rates is { } rates)
        {
            (customer.RequestsPerMinute, customer.TokensPerMinute) = (rates.RequestsPerMinute, rates.TokensPerMinute);
            customer.Concurrent = rates.Concurrent;
        }
        if (seed.Wallet is { Credit: var credit, LowBalance: var lowBalance })
        {
            customer.LowBalanceNanos = lowBalance?.Nanos ?? customer.LowBalanceNanos;
            _registers.Add(CustomerCreation.Wallet(customer.Id, project, project.Test, credit, customer.LowBalanceNanos));
            customer.WalletId = Ids.WalletOf(customer.Id);
        }
        await BalancesAsync(project, customer, seed.Balances, path, token);
        foreach (var (i, key) in (seed.Keys ?? []).Index())
            await CustomerKeyAsync(project, customer, key, $"{path}.keys[{i}]", token);
        if (seed.Plan is { } plan)
        {
            if (!plans.ContainsKey(plan))
                throw new SeedException($"{path}.plan names '{plan}', which is not among the project's plans");
            await PlanAsync(customer, plan, token);
        }
        else if (seed.SaysPlan && await db.CustomerPlans.FindAsync([customer.Id], token) is { } had && !(had.EndsAt <= _now)
            && !Subscribed.Is(had, _now))
        {
            had.EndsAt = _now;
            _otherPlans.Add(customer.Id);
        }
        if (seed.Limits is { } limits)
            await LimitsAsync(new(project.OrganizationId, project.Id, customer.Id, project.Test), limits, $"{path}.limits", token);
    }

    async Task BalancesAsync(
        Project project, Customer customer, IReadOnlyDictionary<string, long>? balances, string path, CancellationToken token)
    {
        if (balances is null)
            return;
        var known = await CreditTypes.OfAsync(db, customer.Id, token);
        if (known.Union(balances.Keys).Count() > CallCredits.MaxTypes)
            throw new SeedException($"{path}.balances: the customer would have more than {CallCredits.MaxTypes} types");
        foreach (var (type, amount) in balances)
        {
            _registers.Add(CreditTypes.Balance(customer, project, type, amount));
            if (!known.Contains(type))
                db.Add(new CustomerCredits { CustomerId = customer.Id, QueryType = type });
        }
    }

    /// <summary>
    /// A customer that has a plan gets another one in its place, also where that has ended: what it used of its quota stays used. What a
    /// subscription gives is the subscription's, as long as it is in force.
    /// </summary>
    async Task PlanAsync(Customer customer, string plan, CancellationToken token)
    {
        if (await db.CustomerPlans.FindAsync([customer.Id], token) is { } known)
        {
            if (Subscribed.Is(known, _now))
                return;
            if ((known.PlanId, known.EndsAt) != (plan, null))
                _otherPlans.Add(customer.Id);
            if (known.Subscription is not null)
                known.StartsAt = _now;
            (known.PlanId, known.EndsAt) = (plan, null);
            (known.Subscription, known.Anchor, known.PaidTo) = (null, null, null);
            (known.ChangedMonth, known.ChangedTokens) = (null, null);
        }
        else
            db.Add(new CustomerPlan
            {
                CustomerId = customer.Id, Id = Ids.New(), ProjectId = customer.ProjectId, PlanId = plan, StartsAt = _now,
            });
    }

    async Task LimitsAsync(CounterScope scope, IReadOnlyList<LimitRequest> limits, string path, CancellationToken token)
    {
        var customer = scope.Customer;
        if (limits.Any(limit => limit.Selector?.Keys is not null))
            await db.SaveChangesAsync(token); // the keys may be this file's
        var added = new List<CustomerLimit>();
        if (await LimitWriter.WriteAsync(db, customer, limits, path, added, token) is var (where, reason))
            throw new SeedException($"{where} {reason}");
        _counters.Add(LimitOpenings.Of(scope, added, _now));
    }

    async Task CustomerKeyAsync(Project project, Customer customer, SeedCustomerKey seed, string path, CancellationToken token)
    {
        var secret = seed.Key;
        if (secret is null)
        {
            if (await db.CustomerKeys.AnyAsync(key => key.CustomerId == customer.Id && key.Name == seed.Name, token))
                return;
            secret = Token.New(Token.CustomerKey);
            _made.Add(new($"{project.Name}/{customer.ExternalId}/{seed.Name}", secret));
        }
        var hashes = seal.Hashes(Token.Fingerprint(secret));
        // A key that was rotated does not come back with the secret that the file still has.
        if (await db.RetiredSecrets.AnyAsync(retired => hashes.Contains(retired.Hash), token))
            return;
        if (await db.CustomerKeys.SingleOrDefaultAsync(key => hashes.Contains(key.Hash), token) is not { } known)
            customerKeys.Add(
                db, customer, project, seed.Name, secret, seed.Models?.ToList(), seed.Concurrent, seed.KeyInPath, seed.ExpiresAt, _now);
        else if (known.CustomerId != customer.Id)
            throw new SeedException($"{path}.key belongs to another customer");
    }
}
