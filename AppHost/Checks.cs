using LlmGateway.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmGateway.AppHost;

/// <summary>Health checks that wait for what is starting: the orchestrator would ask again only seconds later.</summary>
static class Checks
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(5), Pause = TimeSpan.FromMilliseconds(100);

    static readonly HttpClient Http = new();

    /// <param name="serves">Throws while the resource does not serve.</param>
    public static IResourceBuilder<T> WithCheck<T>(this IResourceBuilder<T> resource, Func<CancellationToken, Task> serves)
        where T : IResource
    {
        var name = $"{resource.Resource.Name}_serves";
        resource.ApplicationBuilder.Services.AddHealthChecks().AddAsyncCheck(name, token => CheckAsync(serves, token));
        return resource.WithHealthCheck(name);
    }

    /// <summary>A service that is degraded answers 200, because it serves; but a stack that starts degraded was set up wrongly.</summary>
    /// <param name="signature">An operator's, with which a service says why it is not healthy.</param>
    public static async Task RequireHealthyAsync(string url, string signature, CancellationToken token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url) { Headers = { { ServiceCall.Header, signature } } };
        using var response = await Http.SendAsync(request, token);
        var answer = await response.Content.ReadAsStringAsync(token);
        if (!response.IsSuccessStatusCode || answer.Contains(nameof(HealthStatus.Degraded), StringComparison.Ordinal))
            throw new DistributedApplicationException(answer);
    }

    static async Task<HealthCheckResult> CheckAsync(Func<CancellationToken, Task> serves, CancellationToken token)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(token);
        end.CancelAfter(Limit);
        var reason = "it does not answer";
        for (; ; await Task.Delay(Pause, token))
        {
            try
            {
                await serves(end.Token);
                return HealthCheckResult.Healthy();
            }
            catch (Exception e) when (!token.IsCancellationRequested)
            {
                if (end.IsCancellationRequested)
                    return HealthCheckResult.Unhealthy(reason);
                reason = e.Message;
            }
        }
    }
}
