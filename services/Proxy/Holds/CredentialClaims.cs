using System.Collections.Concurrent;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>What the requests of one credential ask of the ledger, by the model that they call.</summary>
sealed class CredentialClaims(Credential credential)
{
    /// <summary>More models have claims of their own only where a limit names models, and then are forgotten together.</summary>
    const int MaxModels = 1_000;

    readonly bool _hasSelectors = credential.Claim?.Limits.Any(limit => limit.Only is not null) ?? false;
    readonly bool _hasCredits = credential.Claim?.Sources.Any(source => source.QueryType is not null) ?? false;
    readonly ConcurrentDictionary<string, Valid> _byModel = new(StringComparer.Ordinal);

    // Most credentials have one claim, which every request finds here, but for calls that are free.
    Valid? _last;

    public bool TryGet(Route route, DateTimeOffset now, out Claim? claim)
    {
        var isUsual = !route.IsFree && route.PaidBy == Payers.All;
        if (!_hasSelectors && !_hasCredits && isUsual && _last is { } last && last.At(now))
        {
            claim = last.Claim;
            return true;
        }
        List<string> names = _hasSelectors ? Claims.NamesOf(route) : [];
        var type = _hasCredits || !isUsual ? $"{route.PaidBy:d}{route.QueryType}" : "";
        var model = _hasSelectors ? $"{type}\n{string.Join('\n', names)}" : type;
        if (!_byModel.TryGetValue(model, out var valid) || !valid.At(now))
        {
            if (_byModel.Count >= MaxModels)
                _byModel.Clear();
            _byModel[model] = valid = credential.Claim is { } rule ? Make(rule, route, names, now)
                : route.PaidBy == Payers.All ? Plain(route.IsFree)
                : Make(OfRegisters(), route, names, now);
        }
        claim = valid.Claim;
        if (isUsual)
            _last = valid;
        return valid.At(now);
    }

    /// <summary>A wallet alone, or with a cap that counts down.</summary>
    Valid Plain(bool isFree)
    {
        var lines = credential.Registers.Select(register => Balance(register.Id, register.Kind, register.Unit)).ToLookup(
            line => line.Kind == AccountKind.Wallet);
        ClaimLine[] limits = isFree ? [.. WalletsThatPayNothing()] : [.. lines[false]], sources = isFree ? [] : [.. lines[true]];
        var claim = limits.Length + sources.Length == 0 ? null : new Claim([.. limits, .. sources], limits.Length, scope: null);
        return new(claim, DateTimeOffset.MinValue, DateTimeOffset.MaxValue);
    }

    /// <summary>A wallet alone, as a rule.</summary>
    ClaimRule OfRegisters() => new(
        [],
        [
            .. credential.Registers.Where(register => register.Kind == AccountKind.Wallet)
                .Select(wallet => new PaySource(wallet.Kind, wallet.Unit, null, wallet.Id, Terms: null, Overage: null)),
        ]);

    /// <summary>The wallet of requests that something else pays, or nobody. If it is frozen, they are refused like all others.</summary>
    IEnumerable<ClaimLine> WalletsThatPayNothing() =>
        from register in credential.Registers
        where register.Kind == AccountKind.Wallet
        select Balance(register.Id, register.Kind, register.Unit) with { AsksNothing = true };

    Valid Make(ClaimRule rule, Route route, List<string> names, DateTimeOffset now)
    {
        var (from, to) = (DateTimeOffset.MinValue, DateTimeOffset.MaxValue);
        var overage = rule.Sources.Select(source => source.Overage).FirstOrDefault(rate => rate is not null);
        var limits = new List<ClaimLine>();
        foreach (var limit in rule.Limits)
            if (limit.Unit != Unit.Windows && !(route.IsFree && limit.Unit is Unit.Usd or Unit.UsdLimit)
                && limit.Only?.Matches(names, credential.Id) != false)
                limits.Add(Counting(limit.Terms, KindOf(limit), limit.Unit, limit.Denomination, NameOf(limit)) with
                {
                    Level = limit.Level, Overage = limit.Unit == Unit.UsdLimit ? overage : null,
                });
        limits.AddRange(credential.Registers.Where(register => register.Kind == AccountKind.SessionCap && !route.IsFree)
            .Select(register => new ClaimLine(register.Id, register.Kind, register.Unit) { Overage = overage }));
        var sources = route.IsFree ? [] : SourcesOf(rule, route).Select(source => source.Terms is { } terms
            ? Counting(terms, source.Kind, source.Unit, source.Denomination, name: null)
            : Balance(source.Register!.Value, source.Kind, source.Unit) with
            {
                Overage = source.Overage, QueryType = source.QueryType, Denomination = source.Denomination,
            }).ToList();
        // A plan that has ended refuses also what it would not have paid for.
        foreach (var plan in rule.Sources.Where(source => source.Terms is not null && !route.IsFree && !route.PaidBy.HasFlag(Payers.Quota)))
            Counting(plan.Terms!, plan.Kind, plan.Unit, plan.Denomination, name: null);
        if (!sources.Exists(source => source.Kind == AccountKind.Wallet))
            limits.AddRange(WalletsThatPayNothing());
        if (limits.Count + sources.Count == 0)
            return new(null, from, to);
        return new(
            new([.. limits, .. sources], limits.Count,
                new(credential.Organization, credential.Project, credential.Customer!.Value, credential.Test)),
            from, to);

        ClaimLine Counting(IReadOnlyList<Term> terms, AccountKind kind, Unit unit, Guid? denomination, string? name)
        {
            var term = terms.FirstOrDefault(term => term.From <= now && now < term.To);
            if (term is null)
            {
                (from, to) = (DateTimeOffset.MaxValue, DateTimeOffset.MaxValue); // never valid
                return new(Guid.Empty, kind, unit);
            }
            (from, to) = (from > term.From ? from : term.From, to < term.To ? to : term.To);
            return new(term.Register, kind, unit)
            {
                Counter = new(kind, unit, denomination, term.Ceiling, term.From, term.To)
                {
                    CycleTo = term.CycleTo, Name = name, Thresholds = credential.Thresholds,
                },
            };
        }
    }

    ClaimLine Balance(Guid register, AccountKind kind, Unit unit) => new(register, kind, unit)
    {
        LowMark = kind == AccountKind.Wallet ? credential.LowMark?.Nanos : null,
    };

    /// <summary>A cap is known by a session that it limits.</summary>
    string? NameOf(LimitLine limit) => limit.Level == LimitLine.Session ? Ids.Show(Ids.Session, credential.Id) : limit.Name;

    /// <summary>
    /// Of call credits those of the provider's type pay. A customer whom only credits pay for has none of a type that it never had, and
    /// no provider that has a type is free for it. Neither is it for one whom nothing pays for, where a call costs a credit.
    /// </summary>
    List<PaySource> SourcesOf(ClaimRule rule, Route route)
    {
        var sources = rule.Sources.Where(
            source => (source.QueryType is null || source.QueryType == route.QueryType) && route.PaidBy.HasFlag(PayerOf(source))).ToList();
        if (sources.Count == 0 && route.QueryType is { } type && (rule.Sources.Count > 0 || route.NeedsCredit)
            && credential.Customer is { } customer)
            sources.Add(PaySource.OfCredits(credential.Project, customer, type));
        return sources;
    }

    /// <summary>What a plan asks for tokens beyond its quota is a part of the plan.</summary>
    static Payers PayerOf(PaySource source) => source switch
    {
        { QueryType: not null } => Payers.Credits,
        { Terms: not null } or { Overage: not null } => Payers.Quota,
        _ => Payers.Wallet,
    };

    static AccountKind KindOf(LimitLine limit) => limit switch
    {
        { Level: LimitLine.Session } => AccountKind.Cap,
        { Unit: Unit.Slots } => AccountKind.Slots,
        _ => AccountKind.Limit,
    };

    /// <summary>A claim and the time in which it holds.</summary>
    sealed record Valid(Claim? Claim, DateTimeOffset From, DateTimeOffset To)
    {
        public bool At(DateTimeOffset now) => From <= now && now < To;
    }
}
