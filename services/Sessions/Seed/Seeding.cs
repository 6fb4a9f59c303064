using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// Applies the catalogue that comes with the gateway, and then the seed files, at start. The service is not ready before that is done. A
/// mistake in a file, or a key that is not the database's, ends the process with one line and exit code 1. A dependency that is not there
/// yet is waited for.
/// </summary>
public sealed class Seeding(
    IServiceProvider services, DatabaseReady database, KeyCheck keys, SeedApplied applied, SeedSettings settings,
    IHostApplicationLifetime host, ILogger<Seeding> log)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            var files = SeedReader.ReadAll(settings.Paths, Environment.GetEnvironmentVariable);
            await database.Task.WaitAsync(stoppingToken);
            await PatientlyAsync(() => keys.RunAsync(stoppingToken), stoppingToken); // what is written below is sealed with them
            await ApplyAsync(files, stoppingToken);
            applied.Set();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            log.LogCritical(e is SeedException or WrongKeyException ? null : e, "{Message}", e.Message);
            Environment.ExitCode = 1;
            host.StopApplication();
        }
    }

    Task ApplyAsync(IReadOnlyList<SeedSource> files, CancellationToken token) => PatientlyAsync(
        async () =>
        {
            await using var scope = services.CreateAsyncScope();
            await ActivatorUtilities.CreateInstance<SeedWriter>(scope.ServiceProvider).ApplyAsync(files, settings.Run, token);
        },
        token);

    Task PatientlyAsync(Func<Task> work, CancellationToken token) => Backoff.UntilDoneAsync(
        work,
        Problems.IsOutage,
        (e, pause) => log.LogWarning("the seed waits ({Message}); trying again in {Delay} ms", e.Message, pause.TotalMilliseconds),
        token);
}

/// <summary>Which seed files are applied.</summary>
/// <param name="Paths">As <see cref="SeedRegistration.Setting"/> has them.</param>
/// <param name="Run">As <see cref="SeedRegistration.RunSetting"/> has it.</param>
public sealed record SeedSettings(string Paths, string Run);

/// <summary>Set when every seed file has been applied.</summary>
public sealed class SeedApplied
{
    volatile bool _done;

    public bool IsDone => _done;

    public void Set() => _done = true;
}

public static class SeedRegistration
{
    /// <summary>Paths of seed files, separated by colons. A file may ask for other settings by <c>${NAME}</c>.</summary>
    public const string Setting = "LLMGATEWAY_SEED";

    /// <summary>
    /// Names a start that was told by hand to apply the files. What they said the last time, under the same name, is not applied again.
    /// </summary>
    public const string RunSetting = "LLMGATEWAY_SEED_RUN";

    public static void AddSeed(this WebApplicationBuilder builder)
    {
        var keyFile = builder.Configuration[MadeKeys.Setting] is { Length: > 0 } file ? file : null;
        builder.Services.AddSingleton(new MadeKeys(keyFile, Console.Out));
        builder.Services.AddSingleton<SeedApplied>();
        builder.Services.AddSingleton(
            new SeedSettings(builder.Configuration[Setting] ?? "", builder.Configuration[RunSetting] ?? ""));
        builder.Services.AddHostedService<Seeding>();
        builder.Services.AddReadiness("seed", (services, _) => Task.FromResult(services.GetRequiredService<SeedApplied>().IsDone));
    }
}
