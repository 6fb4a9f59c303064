using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// Writes valid seed files in one transaction. Ids follow from names, so that a file that is applied again, also after a crash half-way,
/// means the same rows and balances. Balances are opened just before the commit. Only one instance writes at a time; an object of this
/// class serves one attempt. A project of which the files say what they said the last time is left as it is: calls may have changed it
/// since.
/// </summary>
public sealed class SeedWriter(
    SessionsDb db, WalletClient wallet, CredentialSeal seal, CustomerKeys customerKeys, Envelope envelope, HotCopies copies,
    OutboxSignal outbox, MadeKeys madeKeys, TimeProvider time, ILogger<SeedWriter> log)
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
    /// <summary>By the project's id.</summary>
    readonly Dictionary<Guid, bool> _unchanged = [];

    /// <summary>
    /// Throws <see cref="SeedException"/> when the files contradict each other by way of what is stored. Where calls have changed something
    /// that a file speaks of otherwise, it is told in the log and left as it is: no tenant may keep the service from starting.
    /// </summary>
    /// <param name="run">As in <see cref="SeedSettings"/>.</param>
    public async Task ApplyAsync(IReadOnlyList<SeedSource> files, string run, CancellationToken token)
    {
        db.Author = new(Author.Seed, null, _now);
        var hashes = SeedHashes.Of(files.Select(file => file.Json), run);
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await CatalogueWriter.WriteAsync(db, CuratedModels.Read(), imported: false, _now, token);
        foreach (var file in files)
        {
            foreach (var (i, seed) in file.File.Organizations.Index())
                await OrganizationAsync(seed, hashes, $"seed file {file.Path}: organizations[{i}]", token);
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

    async Task OrganizationAsync(
        SeedOrganization seed, IReadOnlyDictionary<(string, string), string> hashes, string path, CancellationToken token)
    {
        var organization = await db.Organizations.SingleOrDefaultAsync(o => o.Name == seed.Name, token);
        if (organization is null)
            db.Add(organization = new() { Id = Ids.Derive(Guid.Empty, $"organization:{seed.Name}"), Name = seed.Name, CreatedAt = _now });
        foreach (var (i, project) in (seed.Projects ?? []).Index())
            await ProjectAsync(organization, project, hashes[(seed.Name, project.Name)], $"{path}.projects[{i}]", token);
    }

    /// <param name="said">What all files say of it.</param>
    async Task ProjectAsync(Organization organization, SeedProject seed, string said, string path, CancellationToken token)
    {
        var known = await db.Projects.Where(p => p.OrganizationId == organization.Id && p.Name == seed.Name).Select(p => p.Id)
            .SingleOrDefaultAsync(token);
        await db.LockProjectAsync(known, token); // where there is one, calls may be changing it
        var project = await db.Projects.SingleOrDefaultAsync(p => p.Id == known, token);
        if (project is null)
            db.Add(project = NewProject(organization, seed.Name));
        if (IsUnchanged(project, said))
            return;
        ProjectWriter.Write(project, seed);
        _projects.Add(project.Id);

        foreach (var (i, key) in (seed.SecretKeys ?? []).Index())
            await SecretKeyAsync(project, key, $"{path}.secretKeys[{i}]", token);
        var providers = await ProviderWriter.ReadAsync(db, envelope, project.Id, token);
        foreach (var provider in seed.Providers ?? [])
            providers.Write(provider, tenant: false);
        // A price that a call has set while this waited is older than the file's.
        var models = await ModelWriter.ReadAsync(db, project.Id, seed.Models ?? [], providers.All, time.GetUtcNow(), token);
        foreach (var (i, model) in (seed.Models ?? []).Index())
            models.Write(model, $"{path}.models[{i}]");
        foreach (var (i, provider) in (seed.Providers ?? []).Index())
            if (models.OfOtherType(provider.Id) is { } mixed)
                Tell($"{path}.providers[{i}].queryType is not that of all providers of the model '{mixed}', which a call has given others");
        await RoutesAsync(project, seed, path, token);
        var plans = await PlanWriter.ReadAsync(db, project.Id, token);
        foreach (var plan in seed.Plans ?? [])
            plans.Write(plan);
        foreach (var (i, customer) in (seed.Customers ?? []).Index())
            await CustomerAsync(project, customer, plans.All, $"{path}.customers[{i}]", token);
    }

    /// <summary>A route that a call has made stops no start: the one of the file that ties with it is left out.</summary>
    async Task RoutesAsync(Project project, SeedProject seed, string path, CancellationToken token)
    {
        if (seed.Routes is not { Count: > 0 } routes)
            return;
        if (RouteRules.Tie(routes) is { } own)
            throw new SeedException($"{path}.routes: {own}");
        var stored = await db.ProjectRoutes.AsNoTracking().Where(one => one.ProjectId == project.Id).ToListAsync(token);
        routes = RouteRules.Fitting(routes, stored.ConvertAll(RouteWriter.Read), tie => Tell($"{path}.routes: {tie}"));
        // Where two still tie, both were stored before there was the rule.
        if (await RouteWriter.WriteAsync(db, project.Id, routes, tenant: false, token) is (not "routes_tie", var mistake))
            throw new SeedException($"{path}.routes: {mistake}");
        await db.SaveChangesAsync(token); // another project of the file must not have the same host
    }

    /// <summary>Decided once, for all files together.</summary>
    bool IsUnchanged(Project project, string said)
    {
        if (_unchanged.TryGetValue(project.Id, out var unchanged))
            return unchanged;
        var owner = SeedHashes.Owner(project.Id);
        unchanged = project.SealedSeed is { } before && envelope.TryOpen(before, owner) == said;
        if (!unchanged)
            project.SealedSeed = envelope.Seal(said, owner);
        return _unchanged[project.Id] = unchanged;
    }

    void Tell(string contradiction) => log.LogError("{Contradiction}. It is left as it is", contradiction);

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
            // Its own, which others may have namesakes of. One that was revoked stays so, and none is made in its place.
            if (await db.SecretKeys.SingleOrDefaultAsync(key => key.ProjectId == project.Id && key.SeedName == seed.Name, token) is { } own)
            {
                Narrow(own, seed);
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
        var added = SecretKeys.New(project.Id, test, seed.Name, secret, seal, _now, ofSeed: seed.Key is null);
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
        var isNew = customer is null;
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
            if (plans.ContainsKey(plan))
                await PlanAsync(customer, plan, token);
            else
                Contradict(isNew, $"{path}.plan names '{plan}', which is not among the project's plans");
        }
        else if (seed.SaysPlan && await db.CustomerPlans.FindAsync([customer.Id], token) is { } had && !(had.EndsAt <= _now))
        {
            had.EndsAt = _now;
            _otherPlans.Add(customer.Id);
        }
        if (seed.Limits is { } limits)
            await LimitsAsync(new(project.OrganizationId, project.Id, customer.Id, project.Test), limits, isNew, $"{path}.limits", token);
    }

    /// <summary>
    /// A customer that was there before may have become other than the file says it. One that the file makes has what the file says, or the
    /// file is wrong.
    /// </summary>
    void Contradict(bool isNew, string mistake)
    {
        if (isNew)
            throw new SeedException(mistake);
        Tell(mistake);
    }

    async Task BalancesAsync(
        Project project, Customer customer, IReadOnlyDictionary<string, long>? balances, string path, CancellationToken token)
    {
        if (balances is null)
            return;
        var known = await CreditTypes.OfAsync(db, customer.Id, token);
        if (known.Union(balances.Keys).Count() > CallCredits.MaxTypes)
        {
            Tell($"{path}.balances: the customer would have more than {CallCredits.MaxTypes} types");
            return;
        }
        foreach (var (type, amount) in balances)
        {
            _registers.Add(CreditTypes.Balance(customer, project, type, amount));
            if (!known.Contains(type))
                db.Add(new CustomerCredits { CustomerId = customer.Id, QueryType = type });
        }
    }

    /// <summary>
    /// A customer that has a plan gets another one in its place, also where that has ended: what it used of its quota stays used.
    /// </summary>
    async Task PlanAsync(Customer customer, string plan, CancellationToken token)
    {
        if (await db.CustomerPlans.FindAsync([customer.Id], token) is { } known)
        {
            if ((known.PlanId, known.EndsAt) != (plan, null))
                _otherPlans.Add(customer.Id);
            (known.PlanId, known.EndsAt) = (plan, null);
        }
        else
            db.Add(new CustomerPlan
            {
                CustomerId = customer.Id, Id = Ids.New(), ProjectId = customer.ProjectId, PlanId = plan, StartsAt = _now,
            });
    }

    async Task LimitsAsync(CounterScope scope, IReadOnlyList<LimitRequest> limits, bool isNew, string path, CancellationToken token)
    {
        var customer = scope.Customer;
        if (limits.Any(limit => limit.Selector?.Keys is not null))
            await db.SaveChangesAsync(token); // the keys may be this file's
        var added = new List<CustomerLimit>();
        if (await LimitWriter.WriteAsync(db, customer, limits, path, added, ofSeed: true, token) is var (where, reason))
        {
            Contradict(isNew, $"{where} {reason}");
            return;
        }
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
