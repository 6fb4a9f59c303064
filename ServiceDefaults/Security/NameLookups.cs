using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace LlmGateway.ServiceDefaults;

/// <summary>A name was not looked up, because others' look-ups had all the places until the caller's time was over.</summary>
public sealed class NoPlaceException() : TimeoutException("too many names are being looked up");

/// <summary>
/// Looks up names that tenants choose, a bounded number at a time. A resolver takes as long as it likes, whatever the caller's limit is: a
/// look-up keeps its place until the resolver returns, and not only until nobody waits for it. One owner has a few places, so that names
/// for which nobody answers delay no others' names.
/// </summary>
/// <param name="resolve">Null asks the system's resolver.</param>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore without a wait handle holds nothing that must be given back.")]
public sealed class NameLookups(Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null)
{
    public const int AtOnce = 32, PerOwner = 4;

    readonly Func<string, CancellationToken, Task<IPAddress[]>> _resolve = resolve ?? ResolveAsync;
    readonly SemaphoreSlim _places = new(AtOnce);

    /// <summary>Of owners that look something up or wait to. Callers bound how many wait: each has a limit.</summary>
    readonly Dictionary<string, (SemaphoreSlim Places, int Users)> _owners = new(StringComparer.Ordinal);

    /// <summary>
    /// Throws <see cref="OperationCanceledException"/> when <paramref name="token"/> ends before the resolver has answered, and
    /// <see cref="NoPlaceException"/> when it ends before the resolver was asked.
    /// </summary>
    public async Task<IPAddress[]> FindAsync(string host, string owner, CancellationToken token)
    {
        var own = Join(owner);
        try
        {
            await own.WaitAsync(token);
        }
        catch (OperationCanceledException)
        {
            Leave(owner);
            throw new NoPlaceException();
        }
        try
        {
            await _places.WaitAsync(token);
        }
        catch (OperationCanceledException)
        {
            own.Release();
            Leave(owner);
            throw new NoPlaceException();
        }
        var lookup = LookUpAsync(host, owner, own, token);
        // Nobody may be there to see how a late one has failed.
        _ = lookup.ContinueWith(
            late => late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        return await lookup.WaitAsync(token);
    }

    async Task<IPAddress[]> LookUpAsync(string host, string owner, SemaphoreSlim own, CancellationToken token)
    {
        try
        {
            return await _resolve(host, token);
        }
        finally
        {
            _places.Release();
            own.Release();
            Leave(owner);
        }
    }

    SemaphoreSlim Join(string owner)
    {
        lock (_owners)
        {
            var (places, users) = _owners.TryGetValue(owner, out var known) ? known : (new(PerOwner), 0);
            _owners[owner] = (places, users + 1);
            return places;
        }
    }

    void Leave(string owner)
    {
        lock (_owners)
        {
            var (places, users) = _owners[owner];
            if (users == 1)
                _owners.Remove(owner);
            else
                _owners[owner] = (places, users - 1);
        }
    }

    /// <summary>On a thread of its own: the resolver blocks it, and the pool's threads serve everybody.</summary>
    static Task<IPAddress[]> ResolveAsync(string host, CancellationToken token) => Task.Factory.StartNew(
        () => Dns.GetHostAddresses(host), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
