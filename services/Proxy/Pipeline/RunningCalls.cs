using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// The requests that are running now. A revocation ends those of its credential. A pushed revocation acts at once. If the push is lost, a
/// periodic check acts within <see cref="Credential.MaxAge"/>, as long as Sessions answers.
/// </summary>
public sealed class RunningCalls(Identity identity, TimeProvider time, ILogger<RunningCalls> log) : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1), LookForSilenceEvery = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// At most this many answers are drained at once for callers who have left, each for at most <see cref="MaxDrain"/>. Beyond these
    /// bounds they are cancelled like any other.
    /// </summary>
    const int MaxDrains = 256;
    static readonly TimeSpan MaxDrain = TimeSpan.FromMinutes(2);

    /// <summary>So many credentials are looked up at once, as many as one question to Sessions has room for.</summary>
    const int LookUpsAtOnce = CredentialQuestion.MaxAtOnce;

    readonly ConcurrentDictionary<Run, bool> _runs = new();
    readonly WakeSignal _revoked = new();
    int _drains;

    public int Count => _runs.Count;

    /// <summary>Registers a request. Disposing the result removes it.</summary>
    /// <param name="keyed">The request has an <c>Idempotency-Key</c>: its caller comes back for the answer, so it is drained.</param>
    public Run Start(Caller caller, Upstream upstream, CancellationToken callerGone, bool keyed = false)
    {
        var run = new Run(this, caller.Fingerprint, keyed || upstream.Provider.OnAbort == "drain");
        _runs[run] = true;
        run.Watch(callerGone);
        return run;
    }

    /// <summary>
    /// Two loops, because each has a duty that must not wait for the other: while Sessions does not answer, a provider that has fallen
    /// silent is cut off all the same.
    /// </summary>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        EdgeMetrics.Observe("gateway.requests.running", "{request}", "Requests that providers are answering", () => _runs.Count);
        await await Task.WhenAny(EndSilentAsync(stoppingToken), EndRevokedAsync(stoppingToken));
    }

    /// <summary>One periodic check of all requests. A timer for each would add to the cost of every request and every event.</summary>
    Task EndSilentAsync(CancellationToken stoppingToken) =>
        Loop.RunAsync("silent providers", LookForSilenceEvery, _ =>
        {
            var now = time.GetTimestamp();
            foreach (var (run, _) in _runs)
                run.EndIfSilent(now);
            return Task.CompletedTask;
        }, log, time, stoppingToken);

    /// <summary>Looks at once for requests whose credential is revoked, because a push says that one was.</summary>
    public void LookForRevoked() => _revoked.Raise();

    /// <summary>One pass after the other, never two at once: each checks every credential that has running requests.</summary>
    Task EndRevokedAsync(CancellationToken stoppingToken)
    {
        var bound = new ParallelOptions { MaxDegreeOfParallelism = LookUpsAtOnce, CancellationToken = stoppingToken };
        return Loop.RunAsync("revoked credentials", async token =>
        {
            await _revoked.WaitAsync(LookEvery, token);
            await Parallel.ForEachAsync(
                _runs.Keys.Where(run => run.Fingerprint != Caller.Unnamed).GroupBy(run => run.Fingerprint),
                bound,
                async (runs, _) => await EndIfRevokedAsync(runs.Key, runs));
        }, log, time, stoppingToken);
    }

    async ValueTask EndIfRevokedAsync(string fingerprint, IEnumerable<Run> runs)
    {
        try
        {
            // Only these states end what runs. A request may outlive the expiry of its credential.
            var current = await identity.CurrentAsync(fingerprint);
            if (current?.Status is null
                or CredentialStatus.Revoked or CredentialStatus.CustomerDeleted or CredentialStatus.CustomerBlocked)
                foreach (var run in runs)
                    run.Revoke();
        }
        catch (Exception e)
        {
            log.LogDebug("running requests could not be checked: {Message}", e.Message);
        }
    }

    public sealed class Run : IDisposable
    {
        readonly RunningCalls _owner;
        readonly bool _mayDrain;
        readonly CancellationTokenSource _ended = new();
        CancellationTokenRegistration _watch;
        long _silentAt = long.MaxValue, _drainEnds = long.MaxValue;

        internal Run(RunningCalls owner, string fingerprint, bool mayDrain) =>
            (_owner, Fingerprint, _mayDrain) = (owner, fingerprint, mayDrain);

        public string Fingerprint { get; }

        /// <summary>
        /// Fires when the caller has left and the answer is not drained, when the credential was revoked, when the provider was silent for
        /// too long, or when a drain has taken too long.
        /// </summary>
        public CancellationToken Ended => _ended.Token;

        public bool Revoked { get; private set; }

        /// <summary>
        /// The caller has left, and the answer is read to its end. The provider bills it anyway, and the usage at its end says how much.
        /// </summary>
        public bool Draining { get; private set; }

        /// <summary>The caller is not taking what it was sent.</summary>
        public bool CallerStalls { get; set; }

        /// <summary>Fires <see cref="Ended"/> when the provider is silent for this long from now on, or slightly longer.</summary>
        public void LimitSilence(TimeSpan silence) => Volatile.Write(ref _silentAt, _owner.After(silence));

        internal void EndIfSilent(long now)
        {
            if (now > Volatile.Read(ref _silentAt) || now > Volatile.Read(ref _drainEnds))
                Cancel();
        }

        internal void Watch(CancellationToken callerGone) =>
            _watch = callerGone.UnsafeRegister(static run => ((Run)run!).LeaveAlone(), this);

        internal void Revoke()
        {
            Revoked = true;
            Cancel();
        }

        public void Dispose()
        {
            _watch.Dispose();
            _owner._runs.TryRemove(this, out _);
            if (Draining)
                Interlocked.Decrement(ref _owner._drains);
            _ended.Dispose();
        }

        void LeaveAlone()
        {
            if (_mayDrain && Interlocked.Increment(ref _owner._drains) <= MaxDrains)
            {
                Volatile.Write(ref _drainEnds, _owner.After(MaxDrain));
                Draining = true;
                return;
            }
            if (_mayDrain)
                Interlocked.Decrement(ref _owner._drains);
            Cancel();
        }

        void Cancel()
        {
            try { _ended.Cancel(); }
            catch (ObjectDisposedException) { /* it has just ended by itself */ }
        }
    }

    long After(TimeSpan span) => time.GetTimestamp() + (long)(span.TotalSeconds * time.TimestampFrequency);
}
