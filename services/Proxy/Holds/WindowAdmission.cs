using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Stage 5 for customers whose client sessions are counted. A client session takes one unit when its window opens, and none while it is
/// open. The ledger decides; what it said is remembered here, so that it is asked once per client session and day. What is remembered is
/// only ever too early, because each message moves the close further away.
/// </summary>
public sealed class WindowAdmission(IWindowLedger ledger, LedgerClock clock)
{
    /// <summary>A window that is about to close may be closed when the message's settlement would have kept it open.</summary>
    static readonly TimeSpan AskAhead = TimeSpan.FromHours(1);

    /// <summary>Windows that are remembered. What is forgotten costs a question.</summary>
    const int MaxKnown = 200_000;

    /// <summary>A cycle turns once while the ledger is asked.</summary>
    const int MaxQuestions = 2;

    readonly ConcurrentDictionary<Guid, DateTimeOffset> _closesAt = new();

    /// <summary>Questions that are under way: a thousand messages of one client session ask once.</summary>
    readonly ConcurrentDictionary<Guid, Lazy<Task<WindowsAnswer>>> _asked = new();

    /// <summary>
    /// The windows of a client session, which are open now, or why the request is refused. Neither when the copy of the credential does not
    /// know which cycle it is; it must be read again.
    /// </summary>
    /// <param name="session">The client session's name. Null where it named none.</param>
    public async ValueTask<(IReadOnlyList<Guid>? Windows, Problem? Problem)> EnterAsync(
        Credential credential, Route route, string? session, CancellationToken token)
    {
        for (var question = 1; ; question++)
        {
            if (!Claims.TryGetWindows(credential, route, clock.Now, out var counted))
                return default;
            if (counted.Count == 0)
                return ([], null);
            if (session is null)
                return (null, Problems.NoClientSession);
            var windows = counted.Select(set => Counters.Window(set.Set, session)).ToArray();
            if (Array.TrueForAll(windows, IsOpen))
                return (windows, null);
            var answer = await AskAsync(credential, counted, windows).WaitAsync(token);
            if (answer.ClosesAt is { } closesAt)
            {
                Remember(windows, closesAt);
                return (windows, null);
            }
            var refusal = answer.Refusal!;
            if (refusal.Reason == RefusalReason.CycleOver && question < MaxQuestions)
                continue;
            return (null, Refused(refusal, counted));
        }
    }

    bool IsOpen(Guid window) => _closesAt.TryGetValue(window, out var closesAt) && clock.Now < closesAt - AskAhead;

    void Remember(Guid[] windows, DateTimeOffset closesAt)
    {
        if (_closesAt.Count >= MaxKnown)
            _closesAt.Clear();
        foreach (var window in windows)
            _closesAt[window] = closesAt;
    }

    /// <summary>One question at a time for the first of the windows. Others ask after it, and find it open.</summary>
    async Task<WindowsAnswer> AskAsync(Credential credential, IReadOnlyList<WindowSet> counted, Guid[] windows)
    {
        var request = new WindowsRequest(
            new(credential.Organization, credential.Project, credential.Customer!.Value, credential.Test),
            [.. counted.Select((set, i) => new WindowDemand(
                windows[i], [.. set.Lines.Select(line => new WindowLine(line.Register, line.Counter!))]))]);
        if (windows.Length > 1)
            return await ledger.OpenAsync(request);
        var asked = _asked.GetOrAdd(windows[0], _ => new(() => ledger.OpenAsync(request)));
        try
        {
            return await asked.Value;
        }
        finally
        {
            _asked.TryRemove(new(windows[0], asked));
        }
    }

    Problem Refused(LeaseRefusal refusal, IReadOnlyList<WindowSet> counted)
    {
        ClaimLine[] lines = [.. counted.SelectMany(set => set.Lines)];
        return Admission.ProblemOf(refusal, new(lines, lines.Length, null), [.. lines.Select(_ => 1L)], clock.Now);
    }
}

/// <summary>The client sessions that limits with one selector count, and the counters that count them in the running cycles.</summary>
public sealed record WindowSet(Guid Set, IReadOnlyList<ClaimLine> Lines);

/// <summary>What client sessions ask of the ledger. A question may be repeated.</summary>
public interface IWindowLedger
{
    Task<WindowsAnswer> OpenAsync(WindowsRequest request);
}
