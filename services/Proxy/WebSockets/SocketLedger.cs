using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A WebSocket's way through the ledger: calls one after the other, each of which is held before and settled after, by all rules of any
/// other call. What would go beyond the hold of the one waits until it is settled and the next one has its own.
/// <code>
///   handshake: hold ─ messages ─ bound: settle, hold ─ messages ─ end: settle
///                                         └── refused: what waits does not pass, and both sides are told why
/// </code>
/// </summary>
/// <param name="first">The call that has begun the WebSocket.</param>
sealed class SocketLedger(
    HttpCall asked, string endpoint, SocketMeter meter, ModelCall first, Inference inference, Identity identity, RateLimits rateLimits,
    SpoolPublisher publisher, LedgerClock clock, TimeProvider time) : IDisposable
{
    readonly SemaphoreSlim _turn = new(1);
    ModelCall _call = first;
    SocketEnd? _stopped;
    string? _failure;

    // Units that earlier calls were settled with, and all that have passed.
    long _before, _units;

    /// <summary>Holds what a call may be worth.</summary>
    public static async ValueTask<Problem?> HoldAsync(ModelCall call, UpperBound bound, Inference inference, RateLimits rateLimits)
    {
        if (bound.Tokens(0) is { } tokens)
        {
            var taken = await rateLimits.TakeTokensAsync(
                call.Caller.Credential, RateLimits.Estimate(0, tokens), call.Http.RequestAborted);
            call.RatedTokens = taken.TakenTokens;
            if (taken.Problem is { } limited)
                return limited;
        }
        var (_, problem) = await inference.ReserveAsync(call, bound, 0);
        return problem;
    }

    /// <summary>The provider has taken it. The caller pays from here on, whatever becomes of this process.</summary>
    public void Open()
    {
        if (meter.SoFar().Units is { } units)
            _units = Math.Min(units, meter.Most);
        Checkpoint();
    }

    /// <summary>Counts a piece of a message before it passes.</summary>
    /// <returns>Why it may not pass. Null: it may.</returns>
    public async ValueTask<SocketEnd?> TakeAsync(bool isAnswer, ReadOnlyMemory<byte> piece, bool begins)
    {
        await _turn.WaitAsync();
        try
        {
            return _stopped ??= await CountAsync(isAnswer, piece, begins);
        }
        finally
        {
            _turn.Release();
        }
    }

    async ValueTask<SocketEnd?> CountAsync(bool isAnswer, ReadOnlyMemory<byte> piece, bool begins)
    {
        meter.Push(isAnswer, piece.Span, begins);
        var measured = meter.SoFar();
        if (measured.Units is not { } units)
        {
            _failure = measured.Failure!.Reason;
            return SocketEnd.Unmeasured;
        }
        if (units - _before > meter.Most)
        {
            if (units - _units > meter.Most)
                return SocketEnd.BeyondBound;
            Settle(RequestOutcome.Completed, StatusCodes.Status101SwitchingProtocols, null);
            _before = _units;
            if (await GoOnAsync() is { } problem)
                return SocketEnd.Refused(problem);
        }
        _units = Math.Max(_units, units);
        return null;
    }

    /// <summary>The next call, of the caller as it is now.</summary>
    async ValueTask<Problem?> GoOnAsync()
    {
        try
        {
            var (caller, problem) = await CallerNowAsync();
            if (problem is not null)
                return problem;
            var next = new ModelCall(_call.Http, endpoint, clock, time)
            {
                Caller = caller, Route = asked.Route, Stream = true, Answered = true,
            };
            if (caller.Fingerprint != Caller.Unnamed)
                problem = (await rateLimits.TakeRequestAsync(caller.Credential, _call.Http.RequestAborted)).Problem;
            problem ??= await HoldAsync(next, asked.Bound, inference, rateLimits);
            if (problem is null)
            {
                _call = next;
                Checkpoint();
            }
            else
                next.GiveBackTokens(rateLimits);
            return problem;
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            return Problems.Unavailable;
        }
    }

    async ValueTask<(Caller Caller, Problem? Problem)> CallerNowAsync()
    {
        var caller = _call.Caller;
        if (caller.Fingerprint == Caller.Unnamed)
            return (caller, null);
        return await identity.CurrentAsync(caller.Fingerprint) is { } current
            ? (caller with { Credential = current }, Permit.Check(current, time.GetUtcNow()))
            : (caller, Problems.RevokedCredential);
    }

    /// <summary>Why it must end, where that is the caller's: its status, its expiry. Null: it may go on, or nobody can say.</summary>
    public async ValueTask<SocketEnd?> LookAsync()
    {
        try
        {
            return (await CallerNowAsync()).Problem is { } problem ? SocketEnd.Refused(problem) : null;
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            return null;
        }
    }

    /// <summary>Writes to the journal what has passed, when some time has.</summary>
    public void Note()
    {
        // Who counts at this moment writes it down at the next.
        if (!_turn.Wait(0))
            return;
        try
        {
            if (_call.IsOpen && _call.IsCheckpointDue())
                Checkpoint();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Nothing passes any more.</summary>
    public async Task StopAsync(SocketEnd end)
    {
        await _turn.WaitAsync();
        _stopped ??= end;
        _turn.Release();
    }

    /// <summary>Nobody counts any more. The last call is settled, unless it was before a refusal.</summary>
    public void End(SocketEnd end)
    {
        if (!_call.Ended)
            Settle(end.Outcome, end.Status, end.Reason);
    }

    void Settle(RequestOutcome outcome, int status, string? reason)
    {
        var units = _failure is null ? _units - _before : meter.Unmeasured;
        _call.Requests = meter.Requests(units);
        _call.End(publisher, rateLimits, outcome, status, meter.Read(units, _failure), reason);
    }

    void Checkpoint()
    {
        var units = _units - _before;
        _call.Requests = meter.Requests(units);
        _call.Checkpoint(0, meter.Read(units));
    }

    public void Dispose() => _turn.Dispose();
}
