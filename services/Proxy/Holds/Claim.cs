using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// What the requests of one kind ask of the ledger, as lines: first the limits, each of which must be given whole, then the sources of the
/// payment line in the order in which they pay. Slices belong to claims: two with equal lines share one. Terms and prices must be equal,
/// too, because a slice asks and charges by those of the claim that it was made for.
/// </summary>
public sealed class Claim(IReadOnlyList<ClaimLine> lines, int firstSource, CounterScope? scope) : IEquatable<Claim>
{
    readonly ulong _whole = WholeOf(lines, firstSource);

    public IReadOnlyList<ClaimLine> Lines => lines;

    /// <summary>Lines from here on are sources.</summary>
    public int FirstSource => firstSource;

    public int Sources => lines.Count - firstSource;

    /// <summary>Whose counters the lines are. Null where there is none.</summary>
    public CounterScope? Scope => scope;

    /// <summary>Sources that pay everything or nothing, one bit for each.</summary>
    public ulong Whole => _whole;

    /// <summary>The line of call credits, or -1.</summary>
    public int Credits { get; } = IndexOfCredits(lines);

    /// <summary>Requests that run are counted.</summary>
    public bool HasSlots { get; } = lines.Any(line => line.Kind == AccountKind.Slots);

    /// <summary>The limit lines are covered, and the sources together cover the payment line.</summary>
    /// <param name="passable">Sources that may be passed, one bit for each.</param>
    /// <param name="take">Receives what each line gives. Untouched with one source, which gives what is needed.</param>
    public bool Covers(long[] idle, long[] needed, ulong passable, Span<long> take)
    {
        for (var i = 0; i < firstSource; i++)
            if (idle[i] < needed[i])
                return false;
        if (Sources <= 1)
            return Sources == 0 || idle[firstSource] >= needed[firstSource];
        if (!Waterfall.Take(idle.AsSpan(firstSource), needed.AsSpan(firstSource), _whole, take[firstSource..]))
            return false;
        var last = Math.Max(0, take[firstSource..].LastIndexOfAnyExcept(0));
        return (~passable & ((1UL << last) - 1)) == 0;
    }

    public bool Equals(Claim? other)
    {
        if (ReferenceEquals(this, other))
            return true;
        if (other is null || lines.Count != other.Lines.Count || firstSource != other.FirstSource)
            return false;
        for (var i = 0; i < lines.Count; i++)
            if (!IsSame(lines[i], other.Lines[i]))
                return false;
        return true;
    }

    /// <summary>A counter's name and thresholds are only told.</summary>
    static bool IsSame(ClaimLine a, ClaimLine b) =>
        (a.Register, a.Counter?.Ceiling, a.Counter?.To, a.Overage, a.LowMark)
            == (b.Register, b.Counter?.Ceiling, b.Counter?.To, b.Overage, b.LowMark);

    public override bool Equals(object? obj) => Equals(obj as Claim);

    public override int GetHashCode() => lines[^1].Register.GetHashCode();

    static int IndexOfCredits(IReadOnlyList<ClaimLine> lines)
    {
        for (var i = 0; i < lines.Count; i++)
            if (lines[i].Kind == AccountKind.Credits)
                return i;
        return -1;
    }

    static ulong WholeOf(IReadOnlyList<ClaimLine> lines, int firstSource)
    {
        ulong whole = 0;
        for (var i = firstSource; i < lines.Count; i++)
            whole |= lines[i].Unit == Unit.Credits ? 1UL << (i - firstSource) : 0;
        return whole;
    }
}

/// <summary>One register of a claim.</summary>
public sealed record ClaimLine(Guid Register, AccountKind Kind, Unit Unit)
{
    /// <summary>Of a counter. Null for a balance.</summary>
    public CounterTerm? Counter { get; init; }

    /// <summary>Whose limit it is, for people. Null for a source.</summary>
    public string? Level { get; init; }

    /// <summary>Amounts are nano-dollars.</summary>
    public bool IsMoney => Unit is Unit.Usd or Unit.UsdLimit;

    /// <summary>Nothing is asked of it but that it is not frozen.</summary>
    public bool AsksNothing { get; init; }

    /// <summary>Of call credits: their type, and how accounts name it.</summary>
    public string? QueryType { get; init; }

    /// <inheritdoc cref="QueryType"/>
    public Guid? Denomination { get; init; }

    /// <inheritdoc cref="LeaseDemand.LowMark"/>
    public long? LowMark { get; init; }

    /// <summary>
    /// The plan's price of a token: of the wallet that pays it, and of what limits the money that is paid. Null where the request's cost is
    /// paid.
    /// </summary>
    public Rate? Overage { get; init; }
}
