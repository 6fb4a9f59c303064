using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmGateway.Proxy;

/// <summary>
/// Whether this proxy takes requests. A request is checked before its caller is identified. While the gate is closed, <c>/health</c>
/// answers 503, so a load balancer sends callers elsewhere. <c>/alive</c> still answers 200: a restart would cut running requests.
/// </summary>
public sealed class RequestGate : IHealthCheck
{
    volatile bool _closed;
    int _inside;

    public bool IsOpen => !_closed;

    /// <summary>Requests that were let in and whose answers are not complete. While the gate is closed, it only falls.</summary>
    public int Inside => Volatile.Read(ref _inside);

    public void Open() => _closed = false;

    public void Close()
    {
        _closed = true;
        // Inside is read after this. Without a barrier, that read could miss a request that has still seen the gate open.
        Interlocked.MemoryBarrier();
    }

    /// <summary>Lets a request in, if the gate is open. It is inside until its answer is complete or its connection is gone.</summary>
    public bool TryEnter(HttpContext http)
    {
        if (_closed)
            return false;
        Interlocked.Increment(ref _inside);
        if (_closed)
        {
            Interlocked.Decrement(ref _inside);
            return false;
        }
        http.Response.OnCompleted(Leave, this);
        return true;
    }

    static Task Leave(object gate)
    {
        Interlocked.Decrement(ref ((RequestGate)gate)._inside);
        return Task.CompletedTask;
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(IsOpen ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("draining"));
}
