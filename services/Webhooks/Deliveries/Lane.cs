using System.Collections.Concurrent;
using System.Diagnostics;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Webhooks;

/// <summary>An endpoint that this worker holds: no other one sends to it meanwhile.</summary>
/// <param name="Holder">Of this hold alone.</param>
/// <param name="IsFailing">Its last attempt has failed.</param>
/// <param name="BeginsAnew">Its owner has made it active: what was tried before is due as if for the first time.</param>
public sealed record Held(Guid Id, Guid Organization, Guid Holder, bool IsFailing, bool BeginsAnew);

/// <summary>A delivery whose time has come.</summary>
/// <param name="Attempts">That it has had.</param>
public sealed record Due(Guid Delivery, Guid Subject, int Attempts, int Tries);

/// <summary>
/// Sends to one endpoint what is due for it, until nothing is, or its turn is over. Events of one customer go one after the other, in their
/// order; one that fails lets the next one pass. Customers go side by side, as wide as the endpoint and its owner may.
/// </summary>
public sealed class Lane(Held endpoint, Attempts attempts, Receiver receiver, OwnerSlots slots, ILogger log)
{
    /// <summary>Requests to one endpoint at a time.</summary>
    public const int MaxWidth = 8;

    /// <summary>So long an endpoint is held without a sign of life from its worker.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(5);

    /// <summary>Then others get its place.</summary>
    static readonly TimeSpan Turn = TimeSpan.FromSeconds(10);

    /// <summary>The last answer may come when another worker could have the endpoint; that one then sends it, too.</summary>
    static readonly TimeSpan BeginsWithin = Lease - TimeSpan.FromSeconds(1);

    readonly long _begun = Stopwatch.GetTimestamp();
    long _renewed = Stopwatch.GetTimestamp();
    volatile bool _over;
    volatile bool _failing = endpoint.IsFailing;

    public Held Endpoint => endpoint;

    /// <summary>The worker has just told the database that it lives.</summary>
    /// <param name="asked">When it began to.</param>
    public void Renewed(long asked) => Interlocked.Exchange(ref _renewed, asked);

    bool MayBegin => !_over
        && Stopwatch.GetElapsedTime(_begun) < Turn
        && Stopwatch.GetElapsedTime(Interlocked.Read(ref _renewed)) < BeginsWithin;

    public async Task RunAsync(Func<CancellationToken, Task<List<Due>>> nextPage, CancellationToken token)
    {
        while (MayBegin && await nextPage(token) is { Count: > 0 } page)
            await SendAsync(page, token);
    }

    async Task SendAsync(List<Due> page, CancellationToken token)
    {
        var customers = new ConcurrentQueue<List<Due>>(page.GroupBy(due => due.Subject, (_, ofOne) => ofOne.ToList()));
        // What fails is probed with one request.
        var more = _failing ? 0 : slots.Take(endpoint.Organization, Math.Min(MaxWidth, customers.Count) - 1);
        try
        {
            await Task.WhenAll(Enumerable.Range(0, 1 + more).Select(_ => SendEachAsync(customers, token)));
        }
        finally
        {
            slots.GiveBack(endpoint.Organization, more);
        }
    }

    async Task SendEachAsync(ConcurrentQueue<List<Due>> customers, CancellationToken token)
    {
        while (MayBegin && customers.TryDequeue(out var ofOne))
            foreach (var due in ofOne)
                if (MayBegin)
                    await TryAsync(due, token);
    }

    async Task TryAsync(Due due, CancellationToken token)
    {
        if (await attempts.BeginAsync(endpoint, due, token) is not { } told)
            return;
        Failpoint.Hit("webhooks.attempt.begun");
        var outcome = await receiver.SendAsync(told, token);
        Failpoint.Hit("webhooks.attempt.answered");
        // Also when the lane ends meanwhile: the receiver was asked.
        var health = await attempts.RecordAsync(endpoint, due, outcome, CancellationToken.None);
        Failpoint.Hit("webhooks.attempt.recorded");
        if (health is null)
            return;
        _failing = health.Failures > 0;
        _over |= health.Paused || health.WasDisabled;
        if (health.WasDisabled)
            log.LogWarning(
                "endpoint {Endpoint} was disabled after {Failures} failures; what is for it waits", endpoint.Id, health.Failures);
    }
}
