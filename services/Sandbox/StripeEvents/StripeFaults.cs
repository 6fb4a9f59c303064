namespace LlmGateway.Sandbox.Stripe;

enum FaultKind
{
    /// <summary>Waits before the call is executed, with its idempotency key taken.</summary>
    Latency,

    /// <summary>429, nothing executed.</summary>
    RateLimit,

    /// <summary>429 with the code <c>lock_timeout</c>, nothing executed.</summary>
    LockTimeout,

    /// <summary>400 with the code <c>balance_insufficient</c>, nothing executed.</summary>
    Refusal,

    /// <summary>500, nothing executed, nothing kept.</summary>
    ErrorBefore,

    /// <summary>500 after the effect. It is kept: a repeated call with the same key gets it again.</summary>
    ErrorAfter,

    /// <summary>The connection ends, nothing executed.</summary>
    CutBefore,

    /// <summary>The connection ends after the effect. A repeated call with the same key gets the true answer.</summary>
    CutAfter,

    /// <summary>The connection ends, and the effect comes the milliseconds later. Until then the key is in use.</summary>
    Late,

    /// <summary>A list does not show what is younger than the milliseconds.</summary>
    StaleLists,
}

/// <param name="Match">Method and the beginning of the path, for example <c>POST /v1/transfers</c>. Null is every call.</param>
/// <param name="About">Only calls whose account, path or parameters have this text. Null is every call.</param>
/// <param name="Count">How many calls it strikes.</param>
sealed record StripeFault(FaultKind Kind, string? Match, string? About, int Count, long Milliseconds);

/// <summary>Ordered faults, in the order in which they were ordered. One call suffers one of them.</summary>
sealed class StripeFaults
{
    const int Most = 1_000;

    readonly List<StripeFault> ordered = [];

    public IReadOnlyList<StripeFault> Ordered => ordered;

    public bool TryAdd(StripeFault fault)
    {
        if (ordered.Count >= Most)
        {
            return false;
        }
        ordered.Add(fault);
        return true;
    }

    /// <param name="about">Those that were ordered about this alone. Null is all.</param>
    public void Clear(string? about) => ordered.RemoveAll(fault => about is null || fault.About == about);

    /// <param name="call">Method and path.</param>
    /// <param name="more">Its account and what was sent.</param>
    public StripeFault? Take(string call, string more)
    {
        var place = ordered.FindIndex(fault =>
            (fault.Match is null || call.StartsWith(fault.Match, StringComparison.Ordinal))
            && (fault.About is null || $"{call} {more}".Contains(fault.About, StringComparison.Ordinal)));
        if (place < 0)
        {
            return null;
        }
        var fault = ordered[place];
        if (fault.Count > 1)
        {
            ordered[place] = fault with { Count = fault.Count - 1 };
        }
        else
        {
            ordered.RemoveAt(place);
        }
        return fault;
    }
}
