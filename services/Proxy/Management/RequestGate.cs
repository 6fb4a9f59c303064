using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmGateway.Proxy;

/// <summary>
/// Whether this proxy takes requests. Each request reads it once, before anything is known of its caller. While it is closed <c>/health</c>
/// says so, and a load balancer sends callers elsewhere; <c>/alive</c> stays as it is, because a restart would cut what runs.
/// </summary>
public sealed class RequestGate : IHealthCheck
{
    volatile bool _closed;

    public bool IsOpen => !_closed;

    public void Open() => _closed = false;

    public void Close() => _closed = true;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(IsOpen ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("draining"));
}
