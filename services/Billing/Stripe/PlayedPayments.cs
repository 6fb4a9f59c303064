using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Payments that the sandbox has played are in wallets and margins as if money had come. With a real key they would be spent and paid out
/// as money, so a database that has some is refused then.
/// </summary>
public sealed class PlayedPayments(
    NpgsqlDataSource database, DatabaseReady ready, StripeModes modes, IHostApplicationLifetime host, ILogger<PlayedPayments> log)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (modes.Of(test: false) is null or { IsSandbox: true })
            return;
        await ready.Task.WaitAsync(stoppingToken);
        var has = false;
        await Backoff.UntilDoneAsync(
            async () => has = await HasAnyAsync(stoppingToken), Problems.IsOutage,
            (e, _) => log.LogWarning("whether the sandbox has played payments is not known yet: {Message}", e.Message), stoppingToken);
        if (!has)
            return;
        log.LogCritical(
            "Stripe:Live:SecretKey is set, and this database has live payments that the sandbox has played. They would be paid out as "
                + "money. Take new databases for all services");
        Environment.ExitCode = 1;
        host.StopApplication();
    }

    async Task<bool> HasAnyAsync(CancellationToken token)
    {
        await using var query = database.Sql("""
            select exists (select from payment where not test and not livemode and status = 'succeeded') or exists (
                select from plan_payment p join subscription s on s.id = p.subscription where not s.test and not s.livemode)
            """);
        return await query.ExecuteScalarAsync(token) is true;
    }
}
