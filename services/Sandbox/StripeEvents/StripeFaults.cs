namespace LlmGateway.Sandbox.Stripe;

enum FaultKind
{
    /// <summary>Waits before the call is executed, with its idempotency key taken.</summary>
    Latency,

    /// <summary>429, nothing executed.</summary>
    RateLimit,

    /// <summary>429 with the code <c>lock_timeout</c>, nothing executed.</summary>
    LockTimeout,

    /// <summary>500, nothing executed, nothing kept.</summary>
    ErrorBefore,

    /// <summary>500 after the effect. It is kept: a repeated call with the same key gets it again.</summary>
    ErrorAfter,

    /// <summary>The connection ends, nothing executed.</summary>
    CutBefore,

    /// <summary>The connection ends after the effect. A repeated call with the same key gets the true answer.</summary>
    CutAfter,

    /// <summary>A list does not show what is younger than the milliseconds.</summary>
    StaleLists,
}

/// <param name="Match">Method and the beginning of the path, for example <c>POST /v1/transfers</c>. Null is every call.</param>
/// <param name="Count">How many calls it strikes.</param>
sealed record StripeFault(FaultKind Kind, string? Match, int Count, long Milliseconds);

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

    public void Clear() => ordered.Clear();

    public StripeFault? Take(string method, string path)
    {
        var call = $"{method} {path}";
        var place = ordered.FindIndex(fault => fault.Match is null || call.StartsWith(fault.Match, StringComparison.Ordinal));
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
