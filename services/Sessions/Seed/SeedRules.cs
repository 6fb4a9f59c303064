using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// The rules of a seed file. Each broken one is a line that begins with the JSON path. Pure: no database, no environment.
/// </summary>
public static partial class SeedRules
{
    const int MaxTimeoutSeconds = 600, MaxRetries = 5, MaxProviderKeys = 100, MaxWeight = 1000, MaxModelProviders = 10, MaxTrialDays = 730,
        MaxThresholds = 8, MaxRawPaths = 100, MaxOrigins = 200, MaxOrigin = 255, MaxTiers = 16, MaxSecret = 4096, MaxUrl = 2048,
        MaxHeaderName = 100;

    /// <summary>Providers, models or plans that a project may have by calls. A seed file, which is the operator's, may have more.</summary>
    public const int MaxEntries = 1000;

    /// <summary>$0.1 per token. What is more is a price by the million.</summary>
    const long MaxOverage = 100_000_000_000_000_000;

    static readonly string[] AuthTypes = ["bearer", "header", "query", "basic", "none"];
    static readonly string[] Wires = [.. ProviderWire.All, ProviderWire.Http];
    static readonly string[] Kinds = ["chat", "embedding", "image", "audio", "moderation"];

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    private static partial Regex PlainId { get; }

    [GeneratedRegex(@"^[a-z][a-z0-9+.-]*://[a-z0-9._\-\[\]:]+$")]
    private static partial Regex Origin { get; }

    [GeneratedRegex("^#[0-9a-f]{6}$")]
    private static partial Regex Color { get; }

    [GeneratedRegex("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
    private static partial Regex HeaderName { get; }

    /// <summary>The first broken rule, or null.</summary>
    public static string? FirstError(SeedFile file) => Each(file.Organizations, "organizations", Organization)
        .Concat(Duplicates(file.Organizations, "organizations", organization => organization.Name, "name"))
        .Concat(KeysAreUsedOnce(file))
        .FirstOrDefault();

    static IEnumerable<string> Organization(SeedOrganization organization, string path) =>
    [
        .. Text(organization.Name, $"{path}.name"),
        .. Each(organization.Projects, $"{path}.projects", Project),
        .. Duplicates(organization.Projects, $"{path}.projects", project => project.Name, "name"),
    ];

    static bool AreThresholds(IReadOnlyList<int> percentages) =>
        percentages.Count is >= 1 and <= MaxThresholds && percentages.All(percent => percent is >= 1 and <= 100)
        && percentages.Zip(percentages.Skip(1)).All(pair => pair.First < pair.Second);

    static IEnumerable<string> Project(SeedProject project, string path)
    {
        var providers = (project.Providers ?? []).Select(provider => provider.Id).ToHashSet();
        var apis = (project.Providers ?? []).Where(provider => provider.Wire == ProviderWire.Http).Select(provider => provider.Id)
            .ToHashSet();
        return
        [
            .. NotYet(project.Webhooks?.Count, $"{path}.webhooks"),
            .. Settings(project, path),
            .. Each(project.SecretKeys, $"{path}.secretKeys", (key, at) => SecretKey(key, at, project.Mode)),
            .. Duplicates(project.SecretKeys, $"{path}.secretKeys", key => key.Name, "name"),
            .. Each(project.Providers, $"{path}.providers", Provider),
            .. Duplicates(project.Providers, $"{path}.providers", provider => provider.Id, "id"),
            .. Each(project.Models, $"{path}.models", (model, at) => Model(model, at, providers, apis)),
            .. Each(project.Models, $"{path}.models", (model, at) => OneQueryType(model, at, project.Providers ?? [])),
            .. Duplicates(project.Models, $"{path}.models", model => model.Id, "id"),
            .. Each(project.Routes, $"{path}.routes", (route, at) => RouteRules.Errors(route, at, providers)),
            .. Duplicates(project.Routes, $"{path}.routes", route => route.Id, "id"),
            .. Each(project.Plans, $"{path}.plans", Plan),
            .. Duplicates(project.Plans, $"{path}.plans", plan => plan.Id, "id"),
            .. Each(project.Customers, $"{path}.customers", Customer),
            .. Duplicates(project.Customers, $"{path}.customers", customer => customer.ExternalId, "externalId"),
        ];
    }

    /// <summary>Of the project itself, without what it has lists of.</summary>
    public static IEnumerable<string> Settings(SeedProject project, string path) =>
    [
        .. Text(project.Name, $"{path}.name"),
        .. Must(project.Mode is null or "live" or "test", $"{path}.mode", "must be live or test"),
        .. Must(project.LowBalance is null or { Nanos: >= 0 }, $"{path}.lowBalance", "must not be negative"),
        .. Must(
            project.LimitThresholds is null || AreThresholds(project.LimitThresholds),
            $"{path}.limitThresholds",
            $"must be 1 to {MaxThresholds} percentages from 1 to 100, each above the one before"),
        .. TopUps(project.TopUpLimits, $"{path}.topUpLimits"),
        .. project.Branding is { } branding ? Branding(branding, $"{path}.branding") : [],
        .. Must(project.AllowedOrigins is not { Count: > MaxOrigins }, $"{path}.allowedOrigins", $"may have at most {MaxOrigins} origins"),
        .. Each(project.AllowedOrigins, $"{path}.allowedOrigins", (origin, at) => Must(
            origin.Length <= MaxOrigin && Origin.IsMatch(origin),
            at,
            "must be an exact origin in lower case, such as https://app.example.com, without path")),
    ];

    public static IEnumerable<string> Branding(Branding branding, string path) =>
    [
        .. Optional(branding.Name, $"{path}.name"),
        .. Must(branding.Color is null || Color.IsMatch(branding.Color), $"{path}.color", "must be a color such as #1a2b3c"),
        .. PageUrl(branding.LogoUrl, $"{path}.logoUrl"),
        .. PageUrl(branding.SupportUrl, $"{path}.supportUrl"),
        .. PageUrl(branding.TermsUrl, $"{path}.termsUrl"),
    ];

    /// <summary>A browser loads it. Another scheme might be a script.</summary>
    static IEnumerable<string> PageUrl(string? url, string path) => url is null
        ? []
        : PublicUrl.Mistake(url, PrivateHosts.None) is { } mistake ? [$"{path} {mistake}"] : [];

    static IEnumerable<string> TopUps(TopUpAllowance? limits, string path) =>
        limits?.Mistake() is var (member, must) ? [$"{path}.{member} {must}"] : [];

    static IEnumerable<string> SecretKey(SeedSecretKey key, string path, string? mode) =>
    [
        .. Text(key.Name, $"{path}.name"),
        .. LiteralKey(key.Key, $"{path}.key", mode == "test" ? [Token.TestSecret] : [Token.LiveSecret, Token.TestSecret]),
        .. key.Permissions is not null && SecretKeys.Mistake(key.Permissions) is var (i, reason)
            ? [$"{path}.permissions[{i}] {reason}"]
            : (string[])[],
    ];

    public static IEnumerable<string> Provider(SeedProvider provider, string path) =>
    [
        .. Must(PlainId.IsMatch(provider.Id), $"{path}.id", "must be 1 to 64 letters, digits, dots, dashes or underscores"),
        .. Must(Wires.Contains(provider.Wire), $"{path}.wire", $"must be one of {string.Join(", ", Wires)}"),
        .. Must(
            provider.BaseUrl.Length <= MaxUrl && BaseUrls.TryRead(provider.Wire, provider.BaseUrl, out _),
            $"{path}.baseUrl",
            "must be an http or https address without user, query and fragment"),
        .. Must(
            provider.TimeoutSeconds is > 0 and <= MaxTimeoutSeconds,
            $"{path}.timeoutSeconds",
            $"must be from 1 to {MaxTimeoutSeconds}"),
        .. Must(provider.Retries is >= 0 and <= MaxRetries, $"{path}.retries", $"must be from 0 to {MaxRetries}"),
        .. Must(provider.OnAbort is "cancel" or "drain", $"{path}.onAbort", "must be cancel or drain"),
        .. Must(provider.QueryType is null || CallCredits.IsType(provider.QueryType), $"{path}.queryType", CallCredits.TypeRule),
        .. Must(provider.RawPaths is not { Count: > MaxRawPaths }, $"{path}.rawPaths", $"may have at most {MaxRawPaths} paths"),
        .. Must(provider.RawPaths is null || provider.QueryType is not null, $"{path}.rawPaths", "is not used without queryType"),
        .. Each(provider.RawPaths, $"{path}.rawPaths", (raw, at) => Must(
            RoutePattern.TryRead(RoutePattern.Exact, raw, out _, out _),
            at,
            "must be a plain path that begins with a slash, such as /v1/forecast")),
        .. Authentication(provider, path),
    ];

    static IEnumerable<string> Authentication(SeedProvider provider, string path)
    {
        var (type, name) = provider.Authentication;
        var named = type is "header" or "query";
        return
        [
            .. Must(AuthTypes.Contains(type), $"{path}.auth.type", $"must be one of {string.Join(", ", AuthTypes)}"),
            .. Must(named == name is not null, $"{path}.auth.name", named ? "is required" : $"is not used by the type {type}"),
            .. Must(
                name is null || (name.Length <= MaxHeaderName && HeaderName.IsMatch(name)),
                $"{path}.auth.name",
                "must be a plain name"),
            .. Must(provider.Keys is null || provider.Auth?.Value is null, $"{path}.keys", "stands instead of auth.value, not beside it"),
            .. Must(provider.Keys is not { Count: 0 or > MaxProviderKeys }, $"{path}.keys", $"must have from 1 to {MaxProviderKeys} keys"),
            .. Must(
                type != "none" || provider.Secrets.Count == 0,
                provider.Keys is null ? $"{path}.auth.value" : $"{path}.keys",
                "is not used by the type none"),
            .. Must(type == "none" || provider.Secrets.Count > 0, $"{path}.auth.value", "is required"),
            .. provider.Keys is null
                ? Each(provider.Secrets, "", (key, _) => ProviderKey(key, type, $"{path}.auth"))
                : Each(provider.Secrets, $"{path}.keys", (key, at) => ProviderKey(key, type, at)),
            .. Must(provider.Secrets.DistinctBy(key => key.Value).Count() == provider.Secrets.Count, $"{path}.keys", "has one key twice"),
        ];
    }

    static IEnumerable<string> ProviderKey(SeedProviderKey key, string authType, string path) =>
    [
        .. Must(key.Value is not null, $"{path}.value", "is required"),
        .. Must(
            key.Value is not "" && key.Value?.Any(char.IsControl) != true,
            $"{path}.value",
            "must not be empty and must not have control characters"),
        .. Must(key.Value is not { Length: > MaxSecret }, $"{path}.value", $"may have at most {MaxSecret} characters"),
        .. Must(
            authType != "basic" || key.Value is null || key.Value.Contains(':', StringComparison.Ordinal),
            $"{path}.value",
            "must be user:password"),
        .. Must(key.Weight is > 0 and <= MaxWeight, $"{path}.weight", $"must be from 1 to {MaxWeight}"),
    ];

    public static IEnumerable<string> Model(SeedModel model, string path, HashSet<string> providers, HashSet<string> apis) =>
    [
        .. Text(model.Id, $"{path}.id"),
        .. Optional(model.UpstreamModel, $"{path}.upstreamModel"),
        .. Must(
            model.Provider is null != model.Providers is null,
            $"{path}.provider",
            model.Provider is null ? "is required" : "stands instead of providers, not beside it"),
        .. Must(model.Provider is null || providers.Contains(model.Provider), $"{path}.provider", NotThere(model.Provider)),
        .. Must(
            !(model.Providers?.Select(offer => offer.Id) ?? [model.Provider ?? ""]).Any(apis.Contains),
            $"{path}.provider",
            $"must speak a wire of models: one of the wire {ProviderWire.Http} has none"),
        .. Must(
            model.Providers is not { Count: 0 or > MaxModelProviders },
            $"{path}.providers",
            $"must have from 1 to {MaxModelProviders} providers"),
        .. Each(model.Providers, $"{path}.providers", (offer, at) => ModelProvider(offer, at, providers)),
        .. Duplicates(model.Providers, $"{path}.providers", offer => offer.Id, "id"),
        .. Must(model.Kind is null || Kinds.Contains(model.Kind), $"{path}.kind", $"must be one of {string.Join(", ", Kinds)}"),
        .. Must(model.ContextTokens is null or > 0, $"{path}.contextTokens", "must be above 0"),
        .. Must(model.MaxOutputTokens is null or >= 0, $"{path}.maxOutputTokens", "must not be negative"),
        .. Must(model.Kind is not (null or "chat") || model.MaxOutputTokens != 0, $"{path}.maxOutputTokens", "must be above 0 for chat"),
        .. Prices(model.Prices, $"{path}.prices"),
    ];

    /// <summary>Whoever answers a call, it costs a credit of the same type.</summary>
    public static IEnumerable<string> OneQueryType(SeedModel model, string path, IReadOnlyList<SeedProvider> providers)
    {
        var types = (model.Providers ?? []).Select(offer => providers.FirstOrDefault(provider => provider.Id == offer.Id))
            .OfType<SeedProvider>().Select(provider => provider.QueryType).ToList();
        return Must(types.Distinct().Count() <= 1, $"{path}.providers", "must all have the same queryType, or none");
    }

    static IEnumerable<string> ModelProvider(SeedModelProvider offer, string path, HashSet<string> providers) =>
    [
        .. Must(providers.Contains(offer.Id), $"{path}.id", NotThere(offer.Id)),
        .. Optional(offer.UpstreamModel, $"{path}.upstreamModel"),
        .. Prices(offer.Prices, $"{path}.prices"),
    ];

    static string NotThere(string? provider) => $"names '{provider}', which is not among the project's providers";

    static IEnumerable<string> Prices(Prices? prices, string path) =>
    [
        .. Form(prices, path),
        .. prices is null ? [] : PriceBounds.Outside(prices, path).Select(outside => $"{outside} {PriceBounds.Rule}"),
    ];

    static IEnumerable<string> Form(Prices? prices, string path) =>
    [
        .. Must(prices?.Batch?.Batch is null, $"{path}.batch.batch", "must not be nested"),
        .. Must(prices?.Tiers is not { Count: > MaxTiers }, $"{path}.tiers", $"may have at most {MaxTiers} tiers"),
        .. prices?.Batch is { } batch ? Form(batch, $"{path}.batch") : [],
        .. Each(
            prices?.Tiers,
            $"{path}.tiers",
            (tier, at) => Must(tier.Prices.Batch is null, $"{at}.prices.batch", "stands beside the tiers, and has its own")),
        .. Each(prices?.Tiers, $"{path}.tiers", (tier, at) => Must(tier.AboveInput > 0, $"{at}.aboveInput", "must be above 0")),
        .. Each(prices?.Tiers, $"{path}.tiers", (tier, at) => Must(tier.Prices.Tiers is null, $"{at}.prices.tiers", "must not be nested")),
        .. Duplicates(prices?.Tiers, $"{path}.tiers", tier => $"{tier.AboveInput}", "aboveInput"),
    ];

    public static IEnumerable<string> Plan(SeedPlan plan, string path) =>
    [
        .. Must(PlainId.IsMatch(plan.Id), $"{path}.id", "must be 1 to 64 letters, digits, dots, dashes or underscores"),
        .. Text(plan.Name, $"{path}.name"),
        .. Must(plan.Price.Nanos >= 0, $"{path}.price", "must not be negative"),
        .. Must(plan.Tokens is null or (>= 0 and <= LimitRules.MaxAmount), $"{path}.tokens", $"must be from 0 to {LimitRules.MaxAmount}"),
        .. Must(plan.TokensPerMinute is null or > 0, $"{path}.tokensPerMinute", "must be above 0"),
        .. Overage(plan.OveragePerToken, $"{path}.overagePerToken"),
        .. Must(plan.OveragePerToken is null || plan.Tokens is not null, $"{path}.overagePerToken", "is not used without tokens"),
        .. Must(plan.TrialDays is >= 0 and <= MaxTrialDays, $"{path}.trialDays", $"must be from 0 to {MaxTrialDays}"),
        .. Must(plan.LastTerm is "prorated" or "full", $"{path}.lastTerm", "must be prorated or full"),
        .. Optional(plan.StripePrice, $"{path}.stripePrice"),
    ];

    static IEnumerable<string> Overage(DecimalAmount? each, string path) => each is not { } written
        ? []
        : DecimalText.TryParse(written.Text, SeedPlan.OverageDecimals, out var picos, out var reason)
            ? [.. Must(picos >= 0, path, "must not be negative"), .. Must(picos <= MaxOverage, path, "must be at most 0.1 USD per token")]
            : [$"{path} {reason}"];

    static IEnumerable<string> Customer(SeedCustomer customer, string path) =>
    [
        .. Text(customer.ExternalId, $"{path}.externalId"),
        .. Optional(customer.Name, $"{path}.name"),
        .. Optional(customer.Company, $"{path}.company"),
        .. Optional(customer.Phone, $"{path}.phone"),
        .. Must(customer.Email is null || Fields.IsEmail(customer.Email), $"{path}.email", "must be an e-mail address"),
        .. Optional(customer.Plan, $"{path}.plan"),
        .. Must(
            customer.Balances is not { Count: > CallCredits.MaxTypes },
            $"{path}.balances",
            $"may have at most {CallCredits.MaxTypes} types"),
        .. (customer.Balances?.AsEnumerable() ?? []).SelectMany(one => Balance(one.Key, one.Value, $"{path}.balances.{one.Key}")),
        .. LimitRules.Errors(customer.Limits, $"{path}.limits").Select(error => $"{error.Path} {error.Reason}"),
        .. Must(customer.Wallet is null or { Credit.Nanos: >= 0 }, $"{path}.wallet.credit", "must not be negative"),
        .. Must(customer.Wallet?.LowBalance is null or { Nanos: >= 0 }, $"{path}.wallet.lowBalance", "must not be negative"),
        .. Must(customer.Rates?.RequestsPerMinute is null or > 0, $"{path}.rates.requestsPerMinute", "must be above 0"),
        .. Must(customer.Rates?.TokensPerMinute is null or > 0, $"{path}.rates.tokensPerMinute", "must be above 0"),
        .. Must(customer.Rates?.Concurrent is null or > 0, $"{path}.rates.concurrent", "must be above 0"),
        .. Each(customer.Keys, $"{path}.keys", CustomerKey),
        .. Duplicates(customer.Keys, $"{path}.keys", key => key.Name, "name"),
    ];

    static IEnumerable<string> Balance(string type, long amount, string path) =>
    [
        .. CreditTypes.Error(type) is { } reason ? [$"{path}: a type {reason}"] : (string[])[],
        .. Must(amount is >= 0 and <= CallCredits.MaxAmount, path, $"must be from 0 to {CallCredits.MaxAmount}"),
    ];

    static IEnumerable<string> CustomerKey(SeedCustomerKey key, string path) =>
    [
        .. Text(key.Name, $"{path}.name"),
        .. LiteralKey(key.Key, $"{path}.key", [Token.CustomerKey]),
        .. Must(key.Models is not { Count: > Fields.MaxModels }, $"{path}.models", $"may have at most {Fields.MaxModels} models"),
        .. Each(key.Models, $"{path}.models", Text),
        .. Must(key.Concurrent is null or > 0, $"{path}.concurrent", "must be above 0"),
    ];

    /// <summary>The mistake in a key that the operator brought. The message never repeats the key.</summary>
    static IEnumerable<string> LiteralKey(string? key, string path, string[] prefixes)
    {
        if (key is null)
            yield break;
        if (prefixes.FirstOrDefault(p => key.StartsWith(p, StringComparison.Ordinal)) is not { } prefix)
            yield return $"{path} must begin with {string.Join(" or ", prefixes)}";
        else if (key.Length < prefix.Length + Token.MinSecret)
            yield return $"{path} must have at least {Token.MinSecret} characters after {prefix}";
        else if (key.Length > Token.MaxLength)
            yield return $"{path} may have at most {Token.MaxLength} characters";
        else if (key.AsSpan().ContainsAnyExceptInRange('!', '~'))
            yield return $"{path} may have only visible ASCII characters, no spaces";
        else if (!Token.TryRead(key, out _, out _))
            yield return $"{path} has the length of a generated key but not its checksum: it was mistyped, or use another length";
    }

    /// <summary>A secret in two places would have two owners.</summary>
    static IEnumerable<string> KeysAreUsedOnce(SeedFile file)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return Keys(file)
            .Where(key => key.Literal is not null && !seen.Add(key.Literal))
            .Select(key => $"{key.Path} is used a second time");
    }

    static IEnumerable<(string? Literal, string Path)> Keys(SeedFile file)
    {
        foreach (var (o, organization) in file.Organizations.Index())
            foreach (var (p, project) in (organization.Projects ?? []).Index())
            {
                var path = $"organizations[{o}].projects[{p}]";
                foreach (var (k, key) in (project.SecretKeys ?? []).Index())
                    yield return (key.Key, $"{path}.secretKeys[{k}].key");
                foreach (var (c, customer) in (project.Customers ?? []).Index())
                    foreach (var (k, key) in (customer.Keys ?? []).Index())
                        yield return (key.Key, $"{path}.customers[{c}].keys[{k}].key");
            }
    }

    static IEnumerable<string> Each<T>(IReadOnlyList<T>? items, string path, Func<T, string, IEnumerable<string>> rule) =>
        (items ?? []).Index().SelectMany(item => rule(item.Item, $"{path}[{item.Index}]"));

    static IEnumerable<string> Duplicates<T>(IReadOnlyList<T>? items, string path, Func<T, string> identity, string member)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return (items ?? []).Index().Where(item => !seen.Add(identity(item.Item)))
            .Select(item => $"{path}[{item.Index}].{member} '{identity(item.Item)}' is there twice");
    }

    static IEnumerable<string> Text(string value, string path) => Fields.TextError(value) is { } reason ? [$"{path} {reason}"] : [];

    static IEnumerable<string> Optional(string? value, string path) => value is null ? [] : Text(value, path);

    static IEnumerable<string> Must(bool holds, string path, string reason) => holds ? [] : [$"{path} {reason}"];

    static IEnumerable<string> NotYet(int? entries, string path) => Must(entries is null or 0, path, "is not supported yet");
}
