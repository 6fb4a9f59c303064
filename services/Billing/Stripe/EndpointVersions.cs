using Stripe;

namespace LlmGateway.Billing;

/// <summary>
/// Looks once, at the start, whether Stripe's endpoints are pinned to the version that this build was made with, and says so where they are
/// not. Events of any version are read; but what a newer one renames would only be noticed when it is parked.
/// </summary>
public sealed class EndpointVersions(StripeModes modes, ILogger<EndpointVersions> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (var mode in modes.All.Where(mode => !mode.IsSandbox))
            try
            {
                var found = await StripeErrors.CallAsync(
                    () => mode.Client.V1.WebhookEndpoints.ListAsync(
                        new() { Limit = StripeCalls.PageSize }, cancellationToken: stoppingToken),
                    log);
                foreach (var warning in Warnings(mode.Name, found.Data.Select(one => (one.Url, (string?)one.ApiVersion))))
                    log.LogWarning("{Warning}", warning);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // A key may be restricted, and Stripe may be away.
                log.LogWarning("the endpoints of Stripe's {Mode} mode cannot be looked at: {Message}", mode.Name, e.Message);
            }
    }

    /// <param name="endpoints">Null stands for the version of the account.</param>
    public static IEnumerable<string> Warnings(string mode, IEnumerable<(string Url, string? Version)> endpoints)
    {
        var ours = endpoints.Where(one => Array.Exists(
            ReceiveEvent.Paths, path => one.Url.TrimEnd('/').EndsWith(path, StringComparison.Ordinal))).ToList();
        if (ours.Count == 0)
            return [$"no endpoint of Stripe's {mode} mode leads here: payments are noticed by the reconciler alone"];
        var own = StripeConfiguration.ApiVersion;
        return ours.Where(one => one.Version != own).Select(one =>
            $"Stripe's endpoint {one.Url} has the version {one.Version ?? "of the account"}, and this build {own}");
    }
}
