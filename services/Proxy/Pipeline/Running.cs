using System.Collections.Concurrent;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// Requests that are running now, by credential, so that a revocation ends their streams too. Pushed revocations act at once; with pushes lost, a
/// periodic look at each credential acts within <see cref="Credential.MaxAge"/>.
/// </summary>
public sealed class Running(Identity identity, TimeProvider time, ILogger<Running> log) : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1), LookForSilenceEvery = TimeSpan.FromMilliseconds(250);

    /// <summary>Answers that are read to their end for callers who have left, at most, and for how long; beyond it they are cancelled like any other.</summary>
    const int MaxDrains = 256;
    static readonly TimeSpan MaxDrain = TimeSpan.FromMinutes(2);

    readonly ConcurrentDictionary<Request, bool> _requests = new();
    int _drains;

    public int Count => _requests.Count;

    /// <summary>Registers a request; dispose to end its registration.</summary>
    public Request Start(Caller caller, Upstream upstream, CancellationToken callerGone)
    {
        var request = new Request(this, caller.Fingerprint, upstream.Provider.OnAbort == "drain");
        _requests[request] = true;
        request.Watch(callerGone);
        return request;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(LookForSilenceEvery);
        for (var looked = time.GetTimestamp(); await timer.WaitForNextTickAsync(stoppingToken);)
        {
            // One look at all of them instead of a timer for each: timers would be a part of every request's cost, and of every event's.
            var now = time.GetTimestamp();
            foreach (var (request, _) in _requests)
                request.EndIfSilent(now);
            if (time.GetElapsedTime(looked, now) < LookEvery)
                continue;
            looked = now;
            await EndRevokedAsync();
        }
    }

    /// <summary>Looks at every credential that has requests running; called after a push, too.</summary>
    public async Task EndRevokedAsync()
    {
        foreach (var group in _requests.Keys.GroupBy(request => request.Fingerprint))
        {
            try
            {
                // Expiry does not cut a stream, only revocation does.
                var current = await identity.CurrentAsync(group.Key);
                if (current is null or { Status: CredentialStatus.Revoked or CredentialStatus.CustomerDeleted or CredentialStatus.CustomerBlocked })
                    foreach (var request in group)
                        request.Revoke();
            }
            catch (Exception e)
            {
                log.LogDebug("running requests could not be checked: {Message}", e.Message);
            }
        }
    }

    public sealed class Request : IDisposable
    {
        readonly Running _owner;
        readonly bool _mayDrain;
        readonly CancellationTokenSource _ended = new();
        CancellationTokenRegistration _watch;
        long _silentAt = long.MaxValue, _drainEnds = long.MaxValue;

        internal Request(Running owner, string fingerprint, bool mayDrain) => (_owner, Fingerprint, _mayDrain) = (owner, fingerprint, mayDrain);

        public string Fingerprint { get; }

        /// <summary>Fires when the caller has left and nobody drains the answer, the credential was revoked, or the provider has been silent for too long.</summary>
        public CancellationToken Ended => _ended.Token;

        public bool Revoked { get; private set; }

        /// <summary>The caller has left, and the answer is read to its end all the same: its provider bills it anyway, and now says how much.</summary>
        public bool Draining { get; private set; }

        /// <summary>It is the caller who is waited for, to take what it was sent.</summary>
        public bool CallerStalls { get; set; }

        /// <summary>Fires <see cref="Ended"/> when the provider says nothing for so long from now on, or a little longer.</summary>
        public void LimitSilence(TimeSpan silence) => Volatile.Write(ref _silentAt, _owner.After(silence));

        internal void EndIfSilent(long now)
        {
            if (now > Volatile.Read(ref _silentAt) || now > Volatile.Read(ref _drainEnds))
                Cancel();
        }

        internal void Watch(CancellationToken callerGone) => _watch = callerGone.UnsafeRegister(static request => ((Request)request!).LeaveAlone(), this);

        internal void Revoke()
        {
            Revoked = true;
            Cancel();
        }

        public void Dispose()
        {
            _watch.Dispose();
            _owner._requests.TryRemove(this, out _);
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
