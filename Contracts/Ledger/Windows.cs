namespace LlmGateway.Contracts;

/// <summary>
/// <c>POST /internal/windows</c>: a message of a client session is about to be served. Windows that are closed are opened, and each takes
/// one unit of every counter that counts it: all of them, or none. What is open takes nothing, so the call may be repeated.
/// </summary>
public sealed record WindowsRequest(CounterScope Scope, IReadOnlyList<WindowDemand> Windows)
{
    /// <summary>A window closes so long after the last message.</summary>
    public static readonly TimeSpan OpenFor = TimeSpan.FromHours(24);
}

/// <param name="Window">See <see cref="Counters.Window"/>.</param>
/// <param name="Lines">The counters that count it, several where it is counted in several cycles.</param>
public sealed record WindowDemand(Guid Window, IReadOnlyList<WindowLine> Lines);

public sealed record WindowLine(Guid Register, CounterTerm Counter);

/// <summary>Until when all of them are open at least, or the counter that has no unit left.</summary>
public sealed record WindowsAnswer(DateTimeOffset? ClosesAt, LeaseRefusal? Refusal)
{
    /// <summary>The ledger's clock.</summary>
    public DateTimeOffset Now { get; init; }
}
