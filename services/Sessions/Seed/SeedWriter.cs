using System.Text.Json;
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
    /// <summary>Customers whose plan is another one now, or has ended.</summary>
    readonly List<Guid> _otherPlans = [];

    /// <summary>Throws <see cref="SeedException"/> when a file contradicts what is stored.</summary>
    public async Task ApplyAsync(IReadOnlyList<(string Path, SeedFile File)> files, CancellationToken token)
    {
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
        var customers = _otherPlans.ConvertAll(customer => copies.CustomerChanging(customer, db));
        try
        {
            await using (copies.CatalogueChanging(_projects))
                await transaction.CommitAsync(CancellationToken.None);
        }
        finally
        {
            foreach (var customer in customers)
                await customer.DisposeAsync();
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
        var project = await db.Projects.SingleOrDefaultAsync(p => p.OrganizationId == organization.Id && p.Name == seed.Name, token);
        if (project is null)
            db.Add(project = NewProject(organization, seed.Name));
        project.Test = seed.Mode is null ? project.Test : seed.Mode == "test";
        project.MarkupPpm = seed.MarkupPercent?.Ppm ?? project.MarkupPpm;
        project.PlatformFeePpm = seed.PlatformFeePercent?.Ppm ?? project.PlatformFeePpm;
        project.EndUserSessions = seed.EndUserSessions ?? project.EndUserSessions;
        project.KeysInQuery = seed.KeysInQuery ?? project.KeysInQuery;
        project.AllowedOrigins = seed.AllowedOrigins?.ToList() ?? project.AllowedOrigins;
        project.LowBalanceNanos = seed.LowBalance?.Nanos ?? project.LowBalanceNanos;
        project.LimitThresholds = seed.LimitThresholds?.ToList() ?? project.LimitThresholds;
        project.TopUpLimits = seed.TopUpLimits is { } limits ? JsonSerializer.Serialize(limits, Defaults.Json) : project.TopUpLimits;
        _projects.Add(project.Id);

        foreach (var (i, key) in (seed.SecretKeys ?? []).Index())
            await SecretKeyAsync(project, key, $"{path}.secretKeys[{i}]", token);
        var providers = await ProvidersAsync(project.Id, seed.Providers ?? [], token);
        await ModelsAsync(project.Id, seed.Models ?? [], providers, path, token);
        await MustHaveOneTypeAsync(project.Id, seed, providers, path, token);
        if (await RouteWriter.WriteAsync(db, project.Id, seed.Routes ?? [], token) is { } mistake)
            throw new SeedException($"{path}.routes: {mistake}");
        var plans = await PlansAsync(project.Id, seed.Plans ?? [], token);
        foreach (var (i, customer) in (seed.Customers ?? []).Index())
            await CustomerAsync(project, customer, plans, $"{path}.customers[{i}]", token);
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
            if (await db.SecretKeys.AnyAsync(key => key.ProjectId == project.Id && key.Name == seed.Name, token))
                return;
            secret = Token.New(project.Test ? Token.TestSecret : Token.LiveSecret);
            _made.Add(new($"{project.Name}/{seed.Name}", secret));
        }
        Token.TryRead(secret, out _, out var test);
        if (project.Test && !test)
            throw new SeedException($"{path}.key must begin with {Token.TestSecret}: the project is a test project");

        var fingerprint = Token.Fingerprint(secret);
        var hashes = seal.Hashes(fingerprint);
        if (await db.SecretKeys.SingleOrDefaultAsync(key => hashes.Contains(key.Hash), token) is { } known)
        {
            if (known.ProjectId != project.Id)
                throw new SeedException($"{path}.key belongs to another project");
            return;
        }
        var id = Ids.New();
        db.Add(new SecretKey
        {
            Id = id, ProjectId = project.Id, Test = test, Name = seed.Name, Hash = seal.Hash(fingerprint),
            SealedFingerprint = seal.Seal(fingerprint, id), Last4 = CredentialSeal.Last4(secret), CreatedAt = _now,
        });
    }

    async Task<Dictionary<string, Provider>> ProvidersAsync(Guid project, IReadOnlyList<SeedProvider> seeds, CancellationToken token)
    {
        var known = await db.Providers
            .Include(provider => provider.Keys)
            .Where(provider => provider.ProjectId == project)
            .ToDictionaryAsync(provider => provider.Id, token);
        foreach (var seed in seeds)
        {
            BaseUrls.TryRead(seed.Wire, seed.BaseUrl, out var baseUrl);
            if (!known.TryGetValue(seed.Id, out var provider))
            {
                db.Add(known[seed.Id] = provider = new()
                {
                    ProjectId = project,
                    Id = seed.Id,
                    Wire = "",
                    BaseUrl = "",
                    AuthType = "",
                    TimeoutSeconds = 0,
                    Retries = 0,
                    OnAbort = "",
                });
            }
            provider.Wire = seed.Wire;
            provider.BaseUrl = baseUrl;
            (provider.AuthType, provider.AuthName) = seed.Authentication;
            provider.TimeoutSeconds = seed.TimeoutSeconds;
            provider.Retries = seed.Retries;
            provider.OnAbort = seed.OnAbort;
            provider.QueryType = seed.QueryType;
            provider.RawPaths = seed.RawPaths?.ToList();
            WriteKeys(provider, seed.Secrets);
        }
        return known;
    }

    void WriteKeys(Provider provider, IReadOnlyList<SeedProviderKey> seeds)
    {
        var owner = ProviderConnection.SecretOwner(provider.ProjectId, provider.Id);
        var known = provider.Keys.ToDictionary(key => key.Position);
        provider.Keys.RemoveAll(key => key.Position >= seeds.Count);
        foreach (var (i, seed) in seeds.Index())
        {
            if (!known.TryGetValue(i, out var key))
                provider.Keys.Add(
                    key = new() { ProjectId = provider.ProjectId, ProviderId = provider.Id, Position = i, SealedSecret = "", Weight = 0 });
            key.Weight = seed.Weight;
            // A secret that was sealed by another master key counts as different, because it cannot be opened any more.
            if (envelope.TryOpen(key.SealedSecret, owner) != seed.Value)
                key.SealedSecret = envelope.Seal(seed.Value, owner);
        }
    }

    async Task ModelsAsync(
        Guid project,
        IReadOnlyList<SeedModel> seeds,
        Dictionary<string, Provider> providers,
        string path,
        CancellationToken token)
    {
        var known = await db.Models
            .Include(model => model.Providers)
            .Where(model => model.ProjectId == project)
            .ToDictionaryAsync(model => model.Id, token);
        var prices = ReadProject.ByOffer(await db.CurrentPricesAsync([project], _now, token));
        var catalogue = await Catalogue.ReadAsync(
            db,
            [.. seeds.SelectMany(seed => seed.Offers).Select(offer => offer.UpstreamModel!)],
            _now,
            token);
        foreach (var (i, seed) in seeds.Index())
        {
            if (!known.TryGetValue(seed.Id, out var model))
                db.Add(model = new() { ProjectId = project, Id = seed.Id });
            model.Kind = seed.Kind;
            model.ContextTokens = seed.ContextTokens;
            model.MaxOutputTokens = seed.MaxOutputTokens;
            WriteProviders(model, seed.Offers);
            WritePrice(model, null, seed.Prices, prices);
            foreach (var offer in seed.Offers)
                WritePrice(model, offer.Id, offer.Prices, prices);
            if (ModelLimits.Of(model, providers, catalogue) is (_, var missing) && missing is not null)
                throw new SeedException(
                    $"{path}.models[{i}].{missing} is required: the catalogue does not know '{model.Providers[0].UpstreamModel}' of "
                        + $"{providers[model.Providers[0].ProviderId].Id}");
        }
    }

    /// <summary>A provider's type may have changed under a model that only the database has.</summary>
    async Task MustHaveOneTypeAsync(
        Guid project, SeedProject seed, Dictionary<string, Provider> providers, string path, CancellationToken token)
    {
        foreach (var model in await db.Models.Include(model => model.Providers).Where(model => model.ProjectId == project)
            .ToListAsync(token))
            if (model.Providers.Select(offer => providers[offer.ProviderId].QueryType).Distinct().Count() > 1
                && (seed.Providers ?? []).Index().FirstOrDefault(one => model.Providers.Exists(offer => offer.ProviderId == one.Item.Id))
                    is { Item: not null } changed)
                throw new SeedException(
                    $"{path}.providers[{changed.Index}].queryType must be that of all providers of the model '{model.Id}'");
    }

    static void WriteProviders(Model model, IReadOnlyList<SeedModelProvider> seeds)
    {
        var known = model.Providers.ToDictionary(offer => offer.ProviderId);
        model.Providers.RemoveAll(offer => seeds.All(seed => seed.Id != offer.ProviderId));
        foreach (var (i, seed) in seeds.Index())
        {
            if (!known.TryGetValue(seed.Id, out var offer))
                model.Providers.Add(offer = new()
                {
                    ProjectId = model.ProjectId,
                    ModelId = model.Id,
                    ProviderId = seed.Id,
                    Position = i,
                    UpstreamModel = "",
                    OwnPrices = false,
                });
            offer.Position = i;
            offer.UpstreamModel = seed.UpstreamModel!;
            offer.OwnPrices = seed.Prices is not null;
        }
    }

    /// <param name="provider">Null for the model's own price.</param>
    void WritePrice(Model model, string? provider, Prices? price, Dictionary<(string Model, string? Provider), PriceVersion> current)
    {
        if (price is not null && !StoredPrices.IsSame(price, current.GetValueOrDefault((model.Id, provider))?.Prices))
            db.Add(new PriceVersion
            {
                Id = Ids.New(),
                ProjectId = model.ProjectId,
                ModelId = model.Id,
                ProviderId = provider,
                Prices = StoredPrices.Text(price),
                ValidFrom = _now,
            });
    }

    async Task<Dictionary<string, Plan>> PlansAsync(Guid project, IReadOnlyList<SeedPlan> seeds, CancellationToken token)
    {
        var known = await db.Plans.Where(plan => plan.ProjectId == project).ToDictionaryAsync(plan => plan.Id, token);
        foreach (var seed in seeds)
        {
            if (!known.TryGetValue(seed.Id, out var plan))
                db.Add(known[seed.Id] = plan = new()
                {
                    ProjectId = project, Id = seed.Id, Name = "", PriceNanos = 0, TrialDays = 0, LastTermFull = false,
                });
            plan.Name = seed.Name;
            plan.PriceNanos = seed.Price.Nanos;
            plan.Tokens = seed.Tokens;
            plan.TokensPerMinute = seed.TokensPerMinute;
            plan.OveragePicos = seed.Overage?.Picos;
            plan.TrialDays = seed.TrialDays;
            plan.LastTermFull = seed.LastTerm == "full";
            plan.StripePrice = seed.StripePrice;
        }
        return known;
    }

    async Task CustomerAsync(Project project, SeedCustomer seed, Dictionary<string, Plan> plans, string path, CancellationToken token)
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
        else if (seed.SaysPlan && await db.CustomerPlans.FindAsync([customer.Id], token) is { } had && !(had.EndsAt <= _now))
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
