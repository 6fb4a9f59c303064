using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// Applies the catalogue that comes with the gateway, and then the seed files, at start. The service is not ready before that is done. A
/// mistake in a file ends the process with one line and exit code 1. A dependency that is not there yet is waited for.
/// </summary>
public sealed class Seeding(
    IServiceProvider services,
    DatabaseReady database,
    SeedApplied applied,
    IConfiguration configuration,
    IHostApplicationLifetime host,
    ILogger<Seeding> log)
    : BackgroundService
{
    static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(200), MaxDelay = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            var files = SeedReader.ReadAll(configuration[Configuration.SeedSetting] ?? "", Environment.GetEnvironmentVariable);
            await database.Task.WaitAsync(stoppingToken);
            await ApplyAsync(files, stoppingToken);
            applied.Set();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            log.LogCritical(e is SeedException ? null : e, "{Message}", e.Message);
            Environment.ExitCode = 1;
            host.StopApplication();
        }
    }

    async Task ApplyAsync(IReadOnlyList<(string Path, SeedFile File)> files, CancellationToken token)
    {
        for (var delay = FirstDelay; ; delay = delay * 2 < MaxDelay ? delay * 2 : MaxDelay)
        {
            try
            {
                await using var scope = services.CreateAsyncScope();
                foreach (var key in await ActivatorUtilities.CreateInstance<SeedWriter>(scope.ServiceProvider).ApplyAsync(files, token))
                    log.LogInformation("made the key '{Name}' of {Owner}, shown only now: {Secret}", key.Name, key.Owner, key.Secret);
                return;
            }
            catch (Exception e) when (Problems.IsOutage(e) && !token.IsCancellationRequested)
            {
                log.LogWarning("the seed waits ({Message}); trying again in {Delay} ms", e.Message, delay.TotalMilliseconds);
                await Task.Delay(delay, token);
            }
        }
    }
}

/// <summary>Set when every seed file has been applied.</summary>
public sealed class SeedApplied
{
    volatile bool _done;

    public bool IsDone => _done;

    public void Set() => _done = true;
}

public static class SeedRegistration
{
    public static void AddSeed(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<SeedApplied>();
        builder.Services.AddHostedService<Seeding>();
        builder.Services.AddReadiness("seed", (services, _) => Task.FromResult(services.GetRequiredService<SeedApplied>().IsDone));
    }
}
