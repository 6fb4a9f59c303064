using System.Collections.Concurrent;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// Requests that are running now, by credential, so that a revocation ends their streams too. Pushed revocations act at once; with pushes lost, a
/// periodic look at each credential acts within <see cref="Credential.MaxAge"/>.
/// </summary>
public sealed class Running(Identity identity, ILogger<Running> log) : BackgroundService
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    readonly ConcurrentDictionary<Request, bool> _requests = new();

    /// <summary>Registers a request; dispose to end its registration.</summary>
    public Request Start(Credential credential, string fingerprint, CancellationToken callerGone)
    {
        var request = new Request(this, credential, fingerprint, callerGone);
        _requests[request] = true;
        return request;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(LookEvery);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            await EndRevokedAsync();
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
        readonly CancellationTokenSource _ended;

        internal Request(Running owner, Credential credential, string fingerprint, CancellationToken callerGone)
        {
            _owner = owner;
            Credential = credential;
            Fingerprint = fingerprint;
            _ended = CancellationTokenSource.CreateLinkedTokenSource(callerGone);
        }

        public Credential Credential { get; }
        public string Fingerprint { get; }

        /// <summary>Fires when the caller has left, the credential was revoked, or the provider has been silent for too long.</summary>
        public CancellationToken Ended => _ended.Token;

        public bool Revoked { get; private set; }

        /// <summary>Fires <see cref="Ended"/> when the provider says nothing for so long from now on.</summary>
        public void LimitSilence(TimeSpan silence) => _ended.CancelAfter(silence);

        internal void Revoke()
        {
            Revoked = true;
            try { _ended.Cancel(); }
            catch (ObjectDisposedException) { /* it has just ended by itself */ }
        }

        public void Dispose()
        {
            _owner._requests.TryRemove(this, out _);
            _ended.Dispose();
        }
    }
}
