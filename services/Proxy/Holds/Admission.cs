using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// The rules of stage 5 as pure functions. They give the hold that a request needs, the output that its hold pays for, and the problem for
/// a refusal.
/// </summary>
public static class Admission
{
    /// <summary>
    /// A wallet that cannot pay for the whole output limits it to what it can pay. It must be able to pay for this many tokens, or for all
    /// that were asked for if those are fewer, because an answer of three words helps nobody.
    /// </summary>
    public const long MinOutput = 16;

    /// <summary>
    /// The least that each line must give, and what it should give. Of a source: what it would pay if it paid everything alone.
    /// </summary>
    /// <exception cref="ProblemException">The request cannot be measured in the unit of a line.</exception>
    public static (long[] Minimum, long[] Full) Demand(Claim claim, UpperBound bound, long outputLimit)
    {
        var (minimum, full) = (new long[claim.Lines.Count], new long[claim.Lines.Count]);
        for (var i = 0; i < full.Length; i++)
        {
            minimum[i] = MostOf(claim.Lines[i], bound, Math.Min(outputLimit, MinOutput));
            full[i] = MostOf(claim.Lines[i], bound, outputLimit);
        }
        return (minimum, full);
    }

    static long MostOf(ClaimLine line, UpperBound bound, long outputLimit) => line switch
    {
        { AsksNothing: true } => 0,
        { Overage: { } rate } => PriceOf(TokensOf(bound, outputLimit), rate),
        { Unit: Unit.Usd or Unit.UsdLimit } => bound.Cost(outputLimit),
        { Unit: Unit.Tokens } => TokensOf(bound, outputLimit),
        { Unit: Unit.Requests } => bound.Requests,
        { Unit: Unit.Slots } => 1,
        { Unit: Unit.Credits } => bound.IsBatch ? throw new ProblemException(Problems.NoCreditsForBatches) : 1,
        _ => throw new InvalidOperationException($"register {line.Register:N} has unit {line.Unit}, which requests are not charged in"),
    };

    static long TokensOf(UpperBound bound, long outputLimit) =>
        bound.Tokens(outputLimit) ?? throw new ProblemException(Problems.NotMeasurable("tokens"));

    /// <summary>In nano-dollars, rounded up.</summary>
    static long PriceOf(long tokens, Rate rate) =>
        (long)Int128.Min(Money.NanosOf((Int128)tokens * rate.Picos), long.MaxValue);

    /// <summary>The output that the hold can pay for: every limit line by itself, and the sources together.</summary>
    public static long AffordableOutput(Claim claim, long[] amounts, UpperBound bound, long outputLimit)
    {
        for (var i = 0; i < claim.FirstSource || (i == claim.FirstSource && claim.Sources == 1); i++)
            outputLimit = Math.Min(outputLimit, claim.Lines[i] switch
            {
                { AsksNothing: true } => outputLimit,
                { Overage: { } rate } => bound.AffordableTokens(TokensFor(amounts[i], rate)),
                { Unit: Unit.Usd or Unit.UsdLimit } => bound.AffordableOutput(amounts[i]),
                { Unit: Unit.Tokens } => bound.AffordableTokens(amounts[i]),
                _ => outputLimit,
            });
        return claim.Sources <= 1 ? outputLimit : AffordableTogether(claim, amounts, bound, outputLimit);
    }

    /// <summary>The most tokens whose price is at most so much.</summary>
    static long TokensFor(long nanos, Rate rate) =>
        rate.Picos == 0 ? long.MaxValue : (long)Int128.Min((Int128)nanos * Money.AttosPerNano / rate.Picos, long.MaxValue);

    /// <summary>What sources pay together has no closed form, because each is rounded up.</summary>
    static long AffordableTogether(Claim claim, long[] amounts, UpperBound bound, long outputLimit)
    {
        Span<long> take = stackalloc long[claim.Sources];
        if (Covers(outputLimit, take))
            return outputLimit;
        var (least, beyond) = (0L, outputLimit);
        while (beyond - least > 1)
        {
            var middle = least + ((beyond - least) / 2);
            (least, beyond) = Covers(middle, take) ? (middle, beyond) : (least, middle);
        }
        return least;

        bool Covers(long limit, Span<long> take)
        {
            Span<long> full = stackalloc long[take.Length];
            for (var k = 0; k < full.Length; k++)
                full[k] = MostOf(claim.Lines[claim.FirstSource + k], bound, limit);
            return Waterfall.Take(amounts.AsSpan(claim.FirstSource), full, claim.Whole, take);
        }
    }

    /// <summary>What a request that has ended used of each line.</summary>
    /// <param name="cost">Nano-dollars.</param>
    /// <param name="tokens">All tokens of the question and the answer.</param>
    /// <param name="answered">A provider has begun to answer. Otherwise a call credit goes back, and nobody pays for it.</param>
    /// <param name="used">Receives the amounts.</param>
    /// <param name="requests">What it is for limits of requests: a batch is as many as it has lines.</param>
    /// <returns>
    /// What money pays, and what it owed. They differ when the provider exceeded what the request held. Both are the cost where nothing
    /// pays.
    /// </returns>
    public static (long Paid, long Due) Used(
        Claim claim, long[] held, long cost, long tokens, bool answered, Span<long> used, long requests = 1)
    {
        used.Clear();
        if (cost == 0 && tokens == 0 && !answered)
            return (0, 0);
        var sources = used.Slice(claim.FirstSource, claim.Sources);
        var beyond = PayFrom(claim, held.AsSpan(claim.FirstSource), cost, tokens, sources);
        if (!answered && claim.Credits >= 0)
            used[claim.Credits] = 0;
        long paid = 0;
        for (var k = 0; k < sources.Length; k++)
            paid += claim.Lines[claim.FirstSource + k].Unit == Unit.Usd ? sources[k] : 0;
        // A customer for whom something pays owes what money pays of it. Without any source, the cost is what there is to limit. The ledger
        // counts the same for a limit that is added afterwards.
        var hasWallet = claim.Sources > 0 && claim.Lines[^1].Unit == Unit.Usd;
        for (var i = 0; i < claim.FirstSource; i++)
            used[i] = OfLimit(
                claim.Lines[i], held[i], claim.Lines[i] switch
                {
                    { Unit: Unit.Requests } => requests,
                    { IsMoney: true } => claim.Sources > 0 ? paid : cost,
                    var line => ActualOf(line, cost, tokens),
                });
        return claim.Sources == 0 ? (cost, cost) : (paid, hasWallet ? paid + beyond : 0);
    }

    /// <summary>A counter counts what was used, even beyond the hold. A balance gives what was held of it.</summary>
    static long OfLimit(ClaimLine line, long held, long actual) => line.Counter is null ? Math.Min(actual, held) : actual;

    /// <summary>
    /// Shares the cost among the sources. A provider may exceed what it was asked for, and then the hold does not suffice: a quota that
    /// pays last counts all of it, and money pays what it holds.
    /// </summary>
    /// <returns>What the last source owes beyond its hold.</returns>
    static long PayFrom(Claim claim, ReadOnlySpan<long> held, long cost, long tokens, Span<long> sources)
    {
        Span<long> alone = stackalloc long[sources.Length];
        for (var k = 0; k < alone.Length; k++)
            alone[k] = ActualOf(claim.Lines[claim.FirstSource + k], cost, tokens);
        if (alone.Length == 0 || Waterfall.Take(held, alone, claim.Whole, sources))
        {
            // Behind a quota, money owes what the quota left unpaid, rounded up once and not for each of the two.
            if (sources.Length > 1 && sources[^1] > 0 && claim.Lines[claim.FirstSource].Kind == AccountKind.Quota
                && claim.Lines[^1].Unit == Unit.Usd)
                sources[^1] = Waterfall.Due(AttosOf(claim.Lines[^1], cost, tokens), tokens, sources[0]);
            return 0;
        }
        Span<long> enough = stackalloc long[sources.Length];
        held.CopyTo(enough);
        enough[^1] = long.MaxValue;
        Span<long> owed = stackalloc long[sources.Length];
        Waterfall.Take(enough, alone, claim.Whole, owed);
        if (claim.Lines[^1].Counter is null)
            return owed[^1] - sources[^1];
        sources[^1] = owed[^1];
        return 0;
    }

    static Int128 AttosOf(ClaimLine wallet, long cost, long tokens) =>
        wallet.Overage is { } rate ? (Int128)tokens * rate.Picos : (Int128)cost * Money.AttosPerNano;

    static long ActualOf(ClaimLine line, long cost, long tokens) => line switch
    {
        { Overage: { } rate } => PriceOf(tokens, rate),
        { Unit: Unit.Usd or Unit.UsdLimit } => cost,
        { Unit: Unit.Tokens } => tokens,
        { Unit: Unit.Requests or Unit.Credits } => 1,
        // A slot is held while the request runs and never spent.
        _ => 0,
    };

    /// <summary>
    /// What a request took of quota and credits, as <c>tokens=1523, query:standard=1</c>. Null where it took none.
    /// </summary>
    public static string? Told(Claim claim, ReadOnlySpan<long> used)
    {
        string? told = null;
        for (var i = claim.FirstSource; i < claim.Lines.Count; i++)
            if (claim.Lines[i].Unit != Unit.Usd && used[i] > 0)
                told = $"{(told is null ? "" : told + ", ")}{UnitOf(claim.Lines[i])}={used[i]}";
        return told;
    }

    /// <param name="now">The ledger's clock.</param>
    public static Problem ProblemOf(LeaseRefusal refusal, Claim claim, long[] minimum, DateTimeOffset now)
    {
        var index = claim.Lines.Select((line, i) => (line.Register, i)).First(pair => pair.Register == refusal.Register).i;
        var (line, needed) = (claim.Lines[index], minimum[index]);
        return refusal.Reason switch
        {
            RefusalReason.Frozen => Problems.WalletFrozen,
            RefusalReason.Exhausted or RefusalReason.Unknown when line.QueryType is { } type =>
                NoCreditsLeft(line, type, refusal),
            RefusalReason.Exhausted when line is { Kind: AccountKind.Slots, Counter: { } slots } =>
                Problems.TooManyRunning(StateOf(line, slots, needed, refusal)),
            RefusalReason.Exhausted when line is { Kind: not AccountKind.Cap, Counter: { } counter } =>
                LimitReached(line, counter, needed, refusal, now),
            RefusalReason.Exhausted => NotCovered(line, needed, refusal),
            _ => Problems.Unavailable,
        };
    }

    /// <summary>It is refused only because of what running requests hold, so it may fit when some of them have ended.</summary>
    static bool FitsLater(LeaseRefusal refusal, long needed, long ceiling) =>
        refusal.Busy || Math.Min(refusal.Available - refusal.Over + (refusal.Held ?? 0), ceiling) >= needed;

    /// <summary>
    /// A wallet or a session's cap. Who adds credit because of a hold pays for nothing, so what is only held is 429 and not 402.
    /// </summary>
    static Problem NotCovered(ClaimLine line, long needed, LeaseRefusal refusal)
    {
        var isCap = line.Kind is AccountKind.SessionCap or AccountKind.Cap;
        var (available, held) = (refusal.Available, refusal.Held ?? 0);
        var limit = (line.Counter, refusal.Held) switch
        {
            ({ } counter, _) => State(counter.Ceiling - available + refusal.Over, counter.Ceiling),
            // What a cap was opened with is not known here.
            (null, { }) when !isCap => State(held, available + held),
            _ => State(null, null),
        };
        var message = $"This request may cost {new Money(needed)} USD and "
            + (isCap ? $"the session may still spend {new Money(available)} USD" : $"the wallet has {new Money(available)} USD available");
        return FitsLater(refusal, needed, line.Counter?.Ceiling ?? long.MaxValue)
            ? Problems.BalanceHeld($"{message}, while requests that run hold {new Money(held)} USD. Try again when one has ended.", limit)
            : isCap ? Problems.SessionCap($"{message}.", limit) : Problems.WalletExhausted($"{message}.", limit);

        LimitState State(long? used, long? most) => new(
            isCap ? LimitLine.Session : "wallet", "usd", Show(used), Show(most), Show(Math.Max(0, needed - available)), null);

        static string? Show(long? amount) => amount is { } nanos ? $"{new Money(nanos)}" : null;
    }

    /// <summary>No money helps, only credits of this type. A customer whose last ones are in use may come again.</summary>
    static Problem NoCreditsLeft(ClaimLine line, string type, LeaseRefusal refusal)
    {
        var (available, held) = (refusal.Available, refusal.Held ?? 0);
        var limit = new LimitState("credits", UnitOf(line), $"{held}", $"{available + held}", $"{Math.Max(0, 1 - available)}", null);
        return FitsLater(refusal, 1, long.MaxValue)
            ? Problems.BalanceHeld(
                $"What is left of the call credits of the type '{type}' is in use by requests that run. Try again when one has ended.",
                limit)
            : Problems.NotEnoughCredits(
                $"There are no call credits of the type '{type}' left.",
                CreditState.Of(type, [new(type, available + held)])) with
            {
                Limit = limit,
            };
    }

    static Problem LimitReached(ClaimLine line, CounterTerm counter, long needed, LeaseRefusal refusal, DateTimeOffset now)
    {
        var left = Math.Max(0, refusal.Available - refusal.Over);
        var state = StateOf(line, counter, needed, refusal);
        var message = $"This request may use {Show(line, needed)} {state.Unit}, and the {state.Level}'s limit of {state.Limit} "
            + $"{state.Unit} has {Show(line, left)} left until {counter.Resets.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}";
        return FitsLater(refusal, needed, counter.Ceiling)
            ? Problems.LimitHeld(
                $"{message}, while requests that run hold {Show(line, refusal.Held ?? 0)}. Try again when one has ended.", state)
            : Problems.LimitReached(
                $"{message}.", state, (int)Math.Clamp(Math.Ceiling((counter.Resets - now).TotalSeconds), 1, int.MaxValue));
    }

    /// <summary>With what was used as it is, also where the limit was lowered below it.</summary>
    static LimitState StateOf(ClaimLine line, CounterTerm counter, long needed, LeaseRefusal refusal)
    {
        var used = counter.Ceiling - refusal.Available + refusal.Over;
        return new(
            line.Level ?? "plan", UnitOf(line), Show(line, used), Show(line, counter.Ceiling), Show(line, used + needed - counter.Ceiling),
            counter.Resets == Term.Ever ? null : counter.Resets)
        {
            Id = counter.Name,
        };
    }

    /// <summary>As where the limit is set.</summary>
    static string UnitOf(ClaimLine line) => line switch
    {
        { IsMoney: true } => "usd",
        { Kind: AccountKind.Slots } => "concurrent",
        { QueryType: { } type } => CallCredits.Name(type),
        _ => line.Unit.ToString().ToLowerInvariant(),
    };

    static string Show(ClaimLine line, long amount) => line.IsMoney ? $"{new Money(amount)}" : $"{amount}";
}
