using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// One request on its way through the stages, with what was decided about it. A request that has begun is ended by exactly one call of
/// <see cref="End"/>, before the caller sees the last byte. <see cref="End"/> turns the hold into a settlement and spools it. From
/// <see cref="TryBegin"/> on, <see cref="CrashJournal"/> has the settlement that the request would get if this process died.
/// </summary>
/// <param name="clock">Tells which cycle, month and quarter of an hour the request belongs to, whatever the proxy's own clock says.</param>
/// <param name="time">Measures.</param>
public sealed class ModelCall(HttpContext http, string endpoint, LedgerClock clock, TimeProvider time)
{
    /// <summary>A running stream is written to the journal after this time or this many tokens, whichever comes first.</summary>
    static readonly TimeSpan CheckpointEvery = TimeSpan.FromSeconds(2);
    const long CheckpointTokens = 256;

    /// <summary>The reason of a settlement whose process died before it could end the request.</summary>
    const string Crashed = "crashed";

    /// <summary>The reason of a settlement that is worth more than was held for it.</summary>
    public const string Capped = "capped";

    /// <summary>The type of the call credit that the caller pays with.</summary>
    const string QueryTypeHeader = "X-Query-Type";

    /// <summary>What was taken of quota and credits.</summary>
    const string UsedHeader = "X-LLMGateway-Used";

    readonly long _started = time.GetTimestamp();
    readonly DateTimeOffset _startedAt = clock.Now;
    int? _firstByteMs;
    CrashJournal.Slot? _slot;
    long _checkpointAt, _checkpointTokens;
    bool _hasTold;
    IReadOnlyList<Guid> _windows = [];

    public HttpContext Http => http;
    public Guid Id { get; } = Ids.New(clock.Now);
    public Caller Caller { get; set; } = null!;
    public Route Route { get; set; } = null!;
    public Hold? Hold { get; set; }
    public bool Stream { get; set; }
    public DateTimeOffset StartedAt => _startedAt;

    /// <summary>What was asked. Null for a batch.</summary>
    public ModelRequest? Request { get; set; }

    /// <summary>What limits of requests count.</summary>
    public long Requests { get; set; } = 1;

    /// <summary>Tokens that the request has taken of its customer's minute.</summary>
    public long RatedTokens { get; set; }

    /// <summary>Null without an <c>Idempotency-Key</c>.</summary>
    public KeyedCall? Keyed { get; set; }

    /// <summary>The provider has taken the request and begins to answer.</summary>
    public bool Answered { get; set; }

    public bool Ended { get; private set; }

    /// <summary>The request has begun and not ended.</summary>
    public bool IsOpen => !Ended && (Hold is not null || _slot is not null);

    public void FirstByte() => _firstByteMs ??= (int)time.GetElapsedTime(_started).TotalMilliseconds;

    /// <summary>Writes the request to the journal as one that has delivered nothing. False when there is no room.</summary>
    public bool TryBegin(CrashJournal journal)
    {
        _slot = journal.Take();
        if (_slot is null)
            return false;
        _checkpointAt = time.GetTimestamp();
        Put(RequestOutcome.Failed, null);
        Failpoint.Hit("proxy.journal.begun");
        return true;
    }

    /// <summary>The windows of the client session are open, and this message keeps them open, whatever becomes of it.</summary>
    public void KeepOpen(IReadOnlyList<Guid> windows)
    {
        if (windows.Count == 0)
            return;
        _windows = windows;
        Put(RequestOutcome.Failed, null);
    }

    /// <summary>Takes back what a request holds that is refused after it was written down. It has no settlement.</summary>
    public void Withdraw()
    {
        _slot?.Free();
        Hold?.Void();
        (_slot, Hold) = (null, null);
    }

    /// <param name="delivered">Output tokens that were delivered so far.</param>
    public bool IsCheckpointDue(long delivered) =>
        delivered - _checkpointTokens >= CheckpointTokens
            || (delivered > _checkpointTokens && time.GetElapsedTime(_checkpointAt) >= CheckpointEvery);

    /// <summary>By time alone.</summary>
    public bool IsCheckpointDue() => time.GetElapsedTime(_checkpointAt) >= CheckpointEvery;

    /// <summary>Writes to the journal what has been delivered so far.</summary>
    /// <param name="reading">Usage by our own count, in tokens.</param>
    public void Checkpoint(long delivered, MeterReading reading)
    {
        (_checkpointAt, _checkpointTokens) = (time.GetTimestamp(), delivered);
        Put(RequestOutcome.Interrupted, reading with { Reason = Crashed });
        Failpoint.Hit("proxy.journal.checkpoint");
    }

    /// <summary>
    /// The caller can reach what it has bought, so that it pays whatever becomes of this process, and its key is used: a repetition would
    /// buy once more.
    /// </summary>
    public void Owe(MeterReading reading)
    {
        if (Keyed is not null)
            Keyed.IsWhole = true;
        Put(RequestOutcome.Completed, reading, StatusCodes.Status200OK);
    }

    void Put(RequestOutcome outcome, MeterReading? metered, int status = StatusCodes.Status500InternalServerError)
    {
        Span<long> used = stackalloc long[LeaseRequest.MaxLines];
        var (settlement, _, _) = Settle(outcome, status, metered, metered is null ? Crashed : null, used);
        _slot!.Put(SettlementRecord.Encode(settlement, Spans.ContextOf(http)));
    }

    /// <summary>
    /// Settles the request and returns what it costs the caller. A hold bounds that cost, and what is left of the hold is free again. A
    /// caller without registers to charge has no hold and pays nothing. The result is then the whole cost.
    /// </summary>
    /// <param name="metered">Null when nothing is charged: the provider failed before the first content.</param>
    public Money End(
        SpoolPublisher spool, RateLimits rateLimits, RequestOutcome outcome, int status, MeterReading? metered, string? reason = null)
    {
        if (Ended)
            throw new InvalidOperationException("a request was ended twice");
        Span<long> used = stackalloc long[LeaseRequest.MaxLines];
        var (settlement, paid, tokens) = Settle(outcome, status, metered, reason, used);
        Failpoint.Hit("proxy.end.priced");
        Ended = true;
        try
        {
            Hold?.Settle(used);
            Failpoint.Hit("proxy.end.released");
        }
        finally
        {
            // An ended request is not ended again. Without its settlement the charge would be lost, and its idempotency key taken, for as
            // long as this process lives.
            spool.Add(SettlementRecord.Encode(settlement, Spans.ContextOf(http)), Hold, _slot);
        }
        Failpoint.Hit("proxy.end.spooled");
        Spans.Settled(settlement.Usage, new(paid));
        EdgeMetrics.Ended(settlement.Usage, new(paid));
        rateLimits.Correct(Caller.Credential, tokens - RatedTokens);
        // Last, because an answer's head may refuse what is set.
        TellUsed(used);
        return new Money(paid);
    }

    /// <summary>
    /// <see cref="End"/> after something has failed. When this fails too, what the request holds is free again and nobody pays for it:
    /// otherwise hold and idempotency key would be kept for as long as this process lives.
    /// </summary>
    public void EndAtLast(
        SpoolPublisher spool, RateLimits rateLimits, RequestOutcome outcome, int status, MeterReading? metered, string? reason = null)
    {
        try
        {
            End(spool, rateLimits, outcome, status, metered, reason);
        }
        catch (Exception) when (IsOpen)
        {
            Withdraw();
            throw;
        }
    }

    /// <summary>What <see cref="End"/> would write and return now. The call goes on.</summary>
    public (byte[] Record, Money Paid) Foresee(RequestOutcome outcome, int status, MeterReading metered, string? reason)
    {
        Span<long> used = stackalloc long[LeaseRequest.MaxLines];
        var (settlement, paid, _) = Settle(outcome, status, metered, reason, used);
        TellUsed(used);
        return (SettlementRecord.Encode(settlement, Spans.ContextOf(http)).ToArray(), new(paid));
    }

    /// <summary>
    /// Says what the request has taken of quota and credits, where the answer's head is not sent yet. What was said before and is not so
    /// any more is taken back: the answer may have become an error.
    /// </summary>
    void TellUsed(ReadOnlySpan<long> used)
    {
        if (Hold is null || http.Response.HasStarted)
            return;
        var told = Admission.Told(Hold.Claim, used);
        if (told is null && !_hasTold)
            return;
        http.Response.Headers[UsedHeader] = told;
        if (Hold.Claim.Credits is >= 0 and var credits)
            http.Response.Headers[QueryTypeHeader] = used[credits] > 0 ? Hold.Claim.Lines[credits].QueryType : null;
        _hasTold = told is not null;
    }

    /// <summary>
    /// Says which call credit an answer costs that begins now and is settled later. Where a quota pays first, its end decides that.
    /// </summary>
    public void TellCredit()
    {
        if (Route.IsFree)
            http.Response.Headers[QueryTypeHeader] = CallCredits.Free;
        else if (Hold is { Claim: { Credits: >= 0 and var credits } claim } && credits == claim.FirstSource && Hold.Amounts[credits] > 0)
        {
            http.Response.Headers[QueryTypeHeader] = claim.Lines[credits].QueryType;
            http.Response.Headers[UsedHeader] = $"{CallCredits.Name(claim.Lines[credits].QueryType!)}=1";
            _hasTold = true;
        }
    }

    /// <summary>Gives back the tokens of a request that never began: it was refused, or its caller left while it waited.</summary>
    public void GiveBackTokens(RateLimits rateLimits)
    {
        if (Ended || RatedTokens == 0)
            return;
        rateLimits.Correct(Caller.Credential, -RatedTokens);
        RatedTokens = 0;
    }

    /// <summary>
    /// Records that a provider failed and another takes over. The attempt has a record of its own, and nobody pays for it.
    /// </summary>
    public void EndAttempt(SpoolPublisher spool, Problem problem)
    {
        var (settlement, _, _) = Settle(RequestOutcome.Failed, problem.Status, null, problem.Code, stackalloc long[LeaseRequest.MaxLines]);
        var attempt = settlement with
        {
            RequestId = Ids.New(clock.Now), Key = KeyEnd.None, Usage = settlement.Usage with { AttemptOf = Id },
        };
        spool.Add(SettlementRecord.Encode(attempt, Spans.ContextOf(http)), null, null);
        EdgeMetrics.Ended(attempt.Usage, Money.Zero);
        Answered = false;
    }

    /// <param name="used">Receives what the request used of each line of its claim.</param>
    (Settlement Settlement, long Paid, long Tokens) Settle(
        RequestOutcome outcome, int status, MeterReading? metered, string? reason, Span<long> used)
    {
        metered = metered?.OnPricedMeters(Route.Model.Prices!);
        var usage = metered?.Usage ?? Unused;
        var cost = metered is null ? 0 : metered.Bound ?? Cost.Of(usage, Route.Model.Prices!);
        var tokens = usage.InputTokens + usage.OutputTokens;
        var owed = Route.IsFree ? 0 : cost;
        var (paid, due) = Hold is null ? (owed, owed) : Admission.Used(
            Hold.Claim, Hold.Amounts, owed, tokens, answered: metered is not null && Answered, used, Requests);
        if (paid < due)
            reason = reason is null ? Capped : $"{reason}, {Capped}";

        var charges = Charges(used);
        var credential = Caller.Credential;
        return (new(Id, charges.Length > 0 ? Hold!.Lease : null, charges, new(
            credential.Organization, credential.Project, credential.Customer, credential.Id, credential.Family, credential.Test,
            endpoint, Route.Model.Id, Route.Model.Provider, Route.Model.UpstreamModel, Route.Model.PriceVersion, Stream,
            _startedAt, (int)time.GetElapsedTime(_started).TotalMilliseconds, _firstByteMs, status, outcome,
            usage.Units, new Money(cost), metered?.Estimated ?? false, Join(metered?.Reason, reason),
            metered?.RawUsage)) { Due = due == cost && !IsSold ? null : due, Windows = _windows, Key = KeyEndNow }, paid, tokens);
    }

    /// <summary>
    /// The customer does not pay the model's price. The ledger is told so also where that is zero, because it may be priced anew.
    /// </summary>
    bool IsSold => Route.IsFree || (Hold is { Claim: var claim } && (claim.Lines[^1].Overage is not null
        || (claim.Credits >= 0 && Hold.Amounts[claim.Credits] > 0)));

    KeyEnd KeyEndNow => Keyed is null ? KeyEnd.None : Keyed.IsWhole ? KeyEnd.Used : KeyEnd.Free;

    Charge[] Charges(ReadOnlySpan<long> used)
    {
        var count = used.Length - used.Count(0);
        if (Hold is null || count == 0)
            return [];
        var charges = new Charge[count];
        for (int line = 0, next = 0; next < count; line++)
            if (used[line] > 0)
                charges[next++] = new(
                    Hold.Claim.Lines[line].Register, used[line], Math.Max(0, used[line] - Hold.Amounts[line]))
                {
                    Denomination = Hold.Claim.Lines[line].Denomination,
                };
        return charges;
    }

    static readonly Usage Unused = new();

    static string? Join(string? a, string? b) => a is null || a == b ? b : b is null ? a : $"{a}, {b}";
}
