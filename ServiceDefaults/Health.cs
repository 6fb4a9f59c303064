using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// <c>/alive</c>: the process answers. <c>/health</c>: everything that it needs is available; 503 otherwise. Reasons name hosts and users,
/// so only a signed call is told them. Everybody else gets the status, in one word.
/// </summary>
public static class Health
{
    static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    public static void AddHealth(this IServiceCollection services) => services.AddHealthChecks();

    /// <summary>Adds a condition of readiness. The probe throws or returns false when it does not hold.</summary>
    public static void AddReadiness(
        this IServiceCollection services, string name, Func<IServiceProvider, CancellationToken, Task<bool>> probe) =>
        services.AddHealthChecks().Add(
            new HealthCheckRegistration(name, provider => new Probe(provider, probe), HealthStatus.Unhealthy, [], Timeout));

    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/alive", () => Results.Text("alive"));
        app.MapHealthChecks("/health", new HealthCheckOptions
        {
            ResponseWriter = (http, report) => http.Response.WriteAsJsonAsync(new Answer(
                report.Status.ToString(),
                http.RequestServices.GetService<CallSigning>()?.Read(http.Request) is not null
                    ? report.Entries.ToDictionary(
                        entry => entry.Key,
                        entry => entry.Value.Status == HealthStatus.Healthy ? "ok" : entry.Value.Description ?? "not ready")
                    : null)),
        });
    }

    sealed record Answer(
        string Status,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyDictionary<string, string>? Checks);

    sealed class Probe(IServiceProvider provider, Func<IServiceProvider, CancellationToken, Task<bool>> probe) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                return await probe(provider, cancellationToken) ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("not ready");
            }
            catch (Exception e)
            {
                return HealthCheckResult.Unhealthy(e.Message, e);
            }
        }
    }
}
