using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>
/// The service's own database. Tables, indexes and constraints are in <c>Migrations/*.sql</c>; the classes in Tables.cs map onto them.
/// </summary>
public sealed class SessionsDb(DbContextOptions<SessionsDb> options) : DbContext(options)
{
    /// <summary>Any number that nobody else locks in this database.</summary>
    const long WriterLock = 4011;

    /// <summary>With this seed a host's hash is a number that nobody else locks.</summary>
    const long HostSeed = 4012;

    public DbSet<Organization> Organizations => Set<Organization>();
    public DbSet<Project> Projects => Set<Project>();
    public DbSet<SecretKey> SecretKeys => Set<SecretKey>();
    public DbSet<Member> Members => Set<Member>();
    public DbSet<MemberToken> MemberTokens => Set<MemberToken>();
    public DbSet<Customer> Customers => Set<Customer>();
    public DbSet<SessionFamily> Families => Set<SessionFamily>();
    public DbSet<Session> Sessions => Set<Session>();
    public DbSet<CustomerKey> CustomerKeys => Set<CustomerKey>();
    public DbSet<RetiredSecret> RetiredSecrets => Set<RetiredSecret>();
    public DbSet<CustomerLimit> Limits => Set<CustomerLimit>();
    public DbSet<Plan> Plans => Set<Plan>();
    public DbSet<CustomerPlan> CustomerPlans => Set<CustomerPlan>();
    public DbSet<CustomerCredits> CustomerCredits => Set<CustomerCredits>();
    public DbSet<Provider> Providers => Set<Provider>();
    public DbSet<ProjectRoute> ProjectRoutes => Set<ProjectRoute>();
    public DbSet<Model> Models => Set<Model>();
    public DbSet<PriceVersion> PriceVersions => Set<PriceVersion>();
    public DbSet<CatalogueModel> CatalogueModels => Set<CatalogueModel>();
    public DbSet<CataloguePrice> CataloguePrices => Set<CataloguePrice>();
    public DbSet<AuditEntry> AuditEntries => Set<AuditEntry>();

    /// <summary>Who changes what is saved. It is said anew for each request, because contexts are used again.</summary>
    public Author? Author { get; set; }

    public override Task<int> SaveChangesAsync(bool acceptAllChangesOnSuccess, CancellationToken cancellationToken = default)
    {
        AuditTrail.Write(this);
        return base.SaveChangesAsync(acceptAllChangesOnSuccess, cancellationToken);
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        // Whoever has read a customer that was deleted meanwhile must not write back who it was, or that it is there.
        modelBuilder.Entity<Customer>().Property(customer => customer.Status).HasConversion<string>().IsConcurrencyToken();
        modelBuilder.Entity<Customer>().Ignore(customer => customer.ShownExternalId);
        modelBuilder.Entity<Provider>().HasKey(provider => new { provider.ProjectId, provider.Id });
        modelBuilder.Entity<ProviderKey>().HasKey(key => new { key.ProjectId, key.ProviderId, key.Position });
        modelBuilder
            .Entity<Provider>()
            .HasMany(provider => provider.Keys)
            .WithOne()
            .HasForeignKey(key => new { key.ProjectId, key.ProviderId });
        modelBuilder.Entity<ProjectRoute>().HasKey(route => new { route.ProjectId, route.Id });
        modelBuilder.Entity<ProjectRoute>().HasOne<Project>().WithMany().HasForeignKey(route => route.ProjectId);
        modelBuilder.Entity<Model>().HasKey(model => new { model.ProjectId, model.Id });
        modelBuilder.Entity<ModelProvider>().HasKey(offer => new { offer.ProjectId, offer.ModelId, offer.ProviderId });
        modelBuilder
            .Entity<Model>()
            .HasMany(model => model.Providers)
            .WithOne()
            .HasForeignKey(offer => new { offer.ProjectId, offer.ModelId });
        modelBuilder.Entity<CatalogueModel>().HasKey(model => new { model.Vendor, model.Id });
        modelBuilder
            .Entity<CataloguePrice>()
            .HasOne<CatalogueModel>()
            .WithMany()
            .HasForeignKey(price => new { price.Vendor, price.ModelId });
        modelBuilder.Entity<CataloguePrice>().Property(price => price.Prices).HasColumnType("jsonb");
        modelBuilder.Entity<PriceVersion>().Property(version => version.Prices).HasColumnType("jsonb");
        modelBuilder.Entity<CustomerLimit>().HasKey(limit => new { limit.CustomerId, limit.Id });
        modelBuilder.Entity<CustomerLimit>().Property(limit => limit.Anchor).HasColumnType("timestamp");
        modelBuilder
            .Entity<CustomerLimit>()
            .HasMany(limit => limit.Raises)
            .WithOne()
            .HasForeignKey(raise => new { raise.CustomerId, raise.LimitId });
        modelBuilder.Entity<AuditEntry>().Property(entry => entry.Before).HasColumnType("jsonb");
        modelBuilder.Entity<AuditEntry>().Property(entry => entry.After).HasColumnType("jsonb");
        modelBuilder.Entity<Plan>().HasKey(plan => new { plan.ProjectId, plan.Id });
        modelBuilder.Entity<CustomerPlan>().HasKey(plan => plan.CustomerId);
        modelBuilder.Entity<CustomerCredits>().HasKey(credits => new { credits.CustomerId, credits.QueryType });
        // References without a navigation: EF must know them to write rows in the right order.
        modelBuilder.Entity<Project>().HasOne<Organization>().WithMany().HasForeignKey(project => project.OrganizationId);
        modelBuilder.Entity<Member>().HasOne<Organization>().WithMany().HasForeignKey(member => member.OrganizationId);
        modelBuilder.Entity<Member>().HasOne<Project>().WithMany().HasForeignKey(member => member.ProjectId);
        modelBuilder.Entity<Member>().HasOne<Customer>().WithMany().HasForeignKey(member => member.CustomerId);
        modelBuilder.Entity<MemberToken>().HasOne<Member>().WithMany().HasForeignKey(one => one.MemberId);
        modelBuilder.Entity<MemberToken>().HasOne<Project>().WithMany().HasForeignKey(one => one.ProjectId);
        modelBuilder.Entity<Project>().Property(project => project.Branding).HasColumnType("jsonb");
        modelBuilder.Entity<AuditEntry>().HasOne<Project>().WithMany().HasForeignKey(entry => entry.ProjectId);
        modelBuilder.Entity<CustomerLimit>().HasOne<Customer>().WithMany().HasForeignKey(limit => limit.CustomerId);
        modelBuilder.Entity<RetiredSecret>().HasOne<CustomerKey>().WithMany().HasForeignKey(secret => secret.KeyId);
        modelBuilder.Entity<Plan>().HasOne<Project>().WithMany().HasForeignKey(plan => plan.ProjectId);
        modelBuilder.Entity<CustomerPlan>().HasOne<Customer>().WithOne().HasForeignKey<CustomerPlan>(plan => plan.CustomerId);
        modelBuilder.Entity<CustomerCredits>().HasOne<Customer>().WithMany().HasForeignKey(credits => credits.CustomerId);
        modelBuilder.Entity<CustomerPlan>().HasOne<Plan>().WithMany().HasForeignKey(plan => new { plan.ProjectId, plan.PlanId });
        modelBuilder.Entity<Provider>().HasOne<Project>().WithMany().HasForeignKey(provider => provider.ProjectId);
        modelBuilder
            .Entity<ModelProvider>()
            .HasOne<Provider>()
            .WithMany()
            .HasForeignKey(offer => new { offer.ProjectId, offer.ProviderId });
        modelBuilder.Entity<Model>().HasOne<Project>().WithMany().HasForeignKey(model => model.ProjectId);
        modelBuilder.Entity<PriceVersion>().HasOne<Model>().WithMany().HasForeignKey(version => new { version.ProjectId, version.ModelId });
        foreach (var entity in modelBuilder.Model.GetEntityTypes())
            foreach (var id in entity.GetProperties().Where(property => property.Name == "Id"))
                id.ValueGenerated = ValueGenerated.Never; // ids are ours, never the database's
        OutboxMessage.Configure(modelBuilder);
        modelBuilder.UseSnakeCase();
    }

    /// <summary>Adds an event to the transaction that <c>SaveChanges</c> will commit.</summary>
    public void Tell<TEvent>(TEvent message, DateTimeOffset now)
        where TEvent : class => Add(OutboxMessage.Of(message, now));

    /// <summary>
    /// Tells the owner's systems with the transaction that <c>SaveChanges</c> will commit. What happens to one thing once has its number by
    /// what it is, and its id, too: whoever decides it a second time tells the same event.
    /// </summary>
    /// <param name="subject">What it happens to.</param>
    /// <param name="sequence">Its number among all that can happen to the subject.</param>
    public void TellOwner(
        string type, Guid subject, long sequence, Guid organization, Guid project, bool test, object data, DateTimeOffset now) =>
        Tell(
            new PublicEvent(
                Ids.Derive(subject, type), type, now, subject, sequence, organization, project, test,
                JsonSerializer.Serialize(data, Defaults.Json)),
            now);

    /// <summary>Until the transaction ends, no other instance writes seeds or the catalogue.</summary>
    public Task LockAsync(CancellationToken token) => Database.ExecuteSqlAsync($"select pg_advisory_xact_lock({WriterLock})", token);

    /// <summary>Until the transaction ends, nobody else changes what the project is and sells, or its secret keys.</summary>
    public Task LockProjectAsync(Guid project, CancellationToken token) =>
        Database.ExecuteSqlAsync($"select 1 from project where id = {project} for no key update", token);

    /// <summary>Until the transaction ends, nobody else changes who is a member of the organization. It comes before other locks.</summary>
    public Task LockOrganizationAsync(Guid organization, CancellationToken token) =>
        Database.ExecuteSqlAsync($"select 1 from organization where id = {organization} for no key update", token);

    /// <summary>
    /// Until the transaction ends, no other project gets routes for everybody at one of these hosts. Each host has a lock of its own, so
    /// that nobody waits for a host that he does not want.
    /// </summary>
    public async Task LockHostsAsync(IEnumerable<string> hosts, CancellationToken token)
    {
        // In one order, so that two who want the same hosts do not wait for each other.
        foreach (var host in hosts.Order(StringComparer.Ordinal))
            await Database.ExecuteSqlAsync($"select pg_advisory_xact_lock(hashtextextended({host}, {HostSeed}))", token);
    }

    /// <summary>
    /// Until the transaction ends, nobody else changes the customer, its limits or its types of call credits. It is read again.
    /// </summary>
    public async Task LockAsync(Customer customer, CancellationToken token)
    {
        await Database.ExecuteSqlAsync($"select 1 from customer where id = {customer.Id} for no key update", token);
        await Entry(customer).ReloadAsync(token);
    }

    /// <summary>True when a row with the same unique value came first.</summary>
    public static bool IsDuplicate(DbUpdateException e) =>
        e.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation };

    [DbContext(typeof(SessionsDb)), Migration("0001_sessions")]
    sealed class Sessions0001 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0002_provider_keys")]
    sealed class ProviderKeys0002 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0003_model_providers")]
    sealed class ModelProviders0003 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0004_catalogue")]
    sealed class Catalogue0004 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0005_keys_in_query")]
    sealed class KeysInQuery0005 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0006_provider_objects")]
    sealed class ProviderObjects0006 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0007_retention")]
    sealed class Retention0007 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0008_origins")]
    sealed class Origins0008 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0009_refreshes")]
    sealed class Refreshes0009 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0010_key_check")]
    sealed class KeyCheck0010 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0011_kept_responses")]
    sealed class KeptResponses0011 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0012_kept_response_counts")]
    sealed class KeptResponseCounts0012 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0013_limits")]
    sealed class Limits0013 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0014_plans")]
    sealed class Plans0014 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0015_caps")]
    sealed class Caps0015 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0016_events")]
    sealed class Events0016 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0017_credits")]
    sealed class Credits0017 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0018_erased_customers")]
    sealed class ErasedCustomers0018 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0019_retired_secrets")]
    sealed class RetiredSecrets0019 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0020_path_keys")]
    sealed class PathKeys0020 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0021_top_up_limits")]
    sealed class TopUpLimits0021 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0022_scoped_keys")]
    sealed class ScopedKeys0022 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0023_audit")]
    sealed class Audit0023 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0024_branding")]
    sealed class Branding0024 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0030_routes")]
    sealed class Routes0030 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0031_seeded")]
    sealed class Seeded0031 : SqlMigration;

    [DbContext(typeof(SessionsDb)), Migration("0035_members")]
    sealed class Members0035 : SqlMigration;
}
