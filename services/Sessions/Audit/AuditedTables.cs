using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// What of each table the audit shows. Every column is either shown or not, and every table is either here or in <see cref="Not"/>: a unit
/// test compares both with the tables, so that nothing new is left out and no secret gets in.
/// </summary>
public static class AuditedTables
{
    /// <param name="Kind">First part of the action.</param>
    /// <param name="Subject">What callers name it by.</param>
    /// <param name="Project">Null: its customer's.</param>
    /// <param name="Shown">Columns whose values are shown.</param>
    /// <param name="Hidden">Columns whose values nobody is shown. That a secret is another one now is said.</param>
    /// <param name="Left">Columns that are left out: the subject or the time says them, or they follow from others.</param>
    public sealed record Rule(
        string Kind, Func<object, string> Subject, Func<object, Guid?> Project, Func<object, Guid?> Customer, Func<object, bool?> Test,
        string[] Shown, string[] Hidden, string[] Left)
    {
        /// <summary>Second part of the action, by the column that differs. Else it is created, changed or deleted.</summary>
        public IReadOnlyDictionary<string, string> Verbs { get; init; } = new Dictionary<string, string>();
    }

    public static readonly IReadOnlyDictionary<Type, Rule> All = new Dictionary<Type, Rule>
    {
        [typeof(Project)] = OfProject<Project>(
            "project", project => Ids.Show(Ids.Project, project.Id), project => project.Id,
            ["Name", "Test", "Active", "MarkupPpm", "PlatformFeePpm", "EndUserSessions", "KeysInQuery", "AllowedOrigins", "LowBalanceNanos",
                "LimitThresholds", "TopUpLimits", "Branding"],
            ["Id", "OrganizationId", "PublishableKey", "CreatedAt", "SealedSeed"]),
        [typeof(SecretKey)] = OfProject<SecretKey>(
            "secret_key", key => Ids.Show(Ids.SecretKey, key.Id), key => key.ProjectId,
            ["Test", "Name", "Last4", "Permissions", "ExpiresAt", "RevokedAt"], ["Id", "ProjectId", "CreatedAt", "LastUsedAt", "SeedName"],
            key => key.Test, ["Hash", "SealedFingerprint"]) with
        {
            Verbs = new Dictionary<string, string> { ["RevokedAt"] = "revoked" },
        },
        [typeof(Member)] = new(
            "member", row => Ids.Show(Ids.Member, ((Member)row).Id), row => ((Member)row).ProjectId, row => ((Member)row).CustomerId,
            _ => null, ["ProjectId", "CustomerId", "Role", "Email", "Name", "RemovedAt"], [],
            ["Id", "OrganizationId", "CreatedAt", "LastUsedAt"])
        {
            Verbs = new Dictionary<string, string> { ["RemovedAt"] = "removed" },
        },
        [typeof(MemberToken)] = OfProject<MemberToken>(
            "member_token", one => $"{Ids.Show(Ids.Member, one.MemberId)}/tokens/{Ids.Show(Ids.MemberToken, one.Id)}", one => one.ProjectId,
            ["Test", "ExpiresAt", "RevokedAt"], ["Id", "MemberId", "ProjectId", "CreatedAt"], one => one.Test,
            ["Hash", "SealedFingerprint"]) with
        {
            Verbs = new Dictionary<string, string> { ["RevokedAt"] = "revoked" },
        },
        [typeof(Customer)] = new(
            "customer", row => Ids.Show(Ids.Customer, ((Customer)row).Id), row => ((Customer)row).ProjectId, row => ((Customer)row).Id,
            row => ((Customer)row).Test,
            ["ExternalId", "Email", "Name", "Company", "Phone", "Status", "WalletId", "LowBalanceNanos", "RequestsPerMinute",
                "TokensPerMinute", "Concurrent"],
            [], ["Id", "ProjectId", "Test", "CreatedAt"]),
        [typeof(CustomerKey)] = OfCustomer<CustomerKey>(
            "key", key => key.CustomerId, key => $"keys/{Ids.Show(Ids.Key, key.Id)}",
            ["Name", "Last4", "Models", "Concurrent", "InPath", "ExpiresAt", "RevokedAt"],
            ["Id", "CustomerId", "CreatedAt", "LastUsedAt"], ["Hash", "SealedFingerprint"]) with
        {
            Verbs = new Dictionary<string, string> { ["RevokedAt"] = "revoked", ["Last4"] = "rotated" },
        },
        [typeof(CustomerLimit)] = OfCustomer<CustomerLimit>(
            "limit", limit => limit.CustomerId, limit => $"limits/{limit.Id}",
            ["Unit", "Amount", "Cycle", "Anchor", "TimeZone", "Models", "Keys"], ["CustomerId", "Id", "Position"]),
        [typeof(LimitRaise)] = OfCustomer<LimitRaise>(
            "limit_raise", raise => raise.CustomerId, raise => $"limits/{raise.LimitId}", ["Amount", "StartsAt", "EndsAt"],
            ["Id", "CustomerId", "LimitId"]),
        [typeof(CustomerPlan)] = OfCustomer<CustomerPlan>(
            "customer_plan", plan => plan.CustomerId, _ => "plan", ["PlanId", "StartsAt", "EndsAt"], ["CustomerId", "Id", "ProjectId"]),
        [typeof(Plan)] = OfProject<Plan>(
            "plan", plan => $"plans/{plan.Id}", plan => plan.ProjectId,
            ["Name", "PriceNanos", "Tokens", "TokensPerMinute", "OveragePicos", "TrialDays", "LastTermFull", "StripePrice"],
            ["ProjectId", "Id"]),
        [typeof(Provider)] = OfProject<Provider>(
            "provider", provider => $"providers/{provider.Id}", provider => provider.ProjectId,
            ["Wire", "BaseUrl", "AuthType", "AuthName", "TimeoutSeconds", "Retries", "OnAbort", "QueryType", "RawPaths",
                "Tenant"],
            ["ProjectId", "Id"]),
        [typeof(ProviderKey)] = OfProject<ProviderKey>(
            "provider_key", key => $"providers/{key.ProviderId}/keys/{key.Position}", key => key.ProjectId, ["Weight"],
            ["ProjectId", "ProviderId", "Position"], hidden: ["SealedSecret"]),
        [typeof(ProjectRoute)] = OfProject<ProjectRoute>(
            "route", route => $"routes/{route.Id}", route => route.ProjectId, ["Definition"], ["ProjectId", "Id", "PublicHost"]),
        [typeof(Model)] = OfProject<Model>(
            "model", model => $"models/{model.Id}", model => model.ProjectId, ["Kind", "ContextTokens", "MaxOutputTokens"],
            ["ProjectId", "Id"]),
        [typeof(ModelProvider)] = OfProject<ModelProvider>(
            "model_provider", offer => $"models/{offer.ModelId}/providers/{offer.ProviderId}", offer => offer.ProjectId,
            ["Position", "UpstreamModel", "OwnPrices"], ["ProjectId", "ModelId", "ProviderId"]),
        [typeof(PriceVersion)] = OfProject<PriceVersion>(
            "price", version => $"models/{version.ModelId}/prices", version => version.ProjectId, ["ProviderId", "Prices", "ValidFrom"],
            ["Id", "ProjectId", "ModelId"]),
    };

    /// <summary>What is not audited, and why.</summary>
    public static readonly IReadOnlyDictionary<Type, string> Not = new Dictionary<Type, string>
    {
        [typeof(Organization)] = "a seed makes it, once",
        [typeof(SessionFamily)] = "an end user's visit",
        [typeof(Session)] = "an end user's visit",
        [typeof(RetiredSecret)] = "the key's entry says that it was rotated",
        [typeof(CustomerCredits)] = "the ledger says who gave and took credits",
        [typeof(CatalogueModel)] = "the operator's, and no project's",
        [typeof(CataloguePrice)] = "the operator's, and no project's",
        [typeof(OutboxMessage)] = "an event on its way",
        [typeof(AuditEntry)] = "itself",
    };

    static Rule OfProject<T>(
        string kind, Func<T, string> subject, Func<T, Guid> project, string[] shown, string[] left, Func<T, bool>? test = null,
        string[]? hidden = null) => new(
            kind, row => subject((T)row), row => project((T)row), _ => null, row => test?.Invoke((T)row), shown, hidden ?? [], left);

    static Rule OfCustomer<T>(
        string kind, Func<T, Guid> customer, Func<T, string> rest, string[] shown, string[] left, string[]? hidden = null) => new(
            kind, row => $"{Ids.Show(Ids.Customer, customer((T)row))}/{rest((T)row)}", _ => null, row => customer((T)row), _ => null, shown,
            hidden ?? [], left);
}
