using LlmGateway.ServiceDefaults;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>
/// Where the sandbox plays Stripe, it is told where to send its events, as a person would tell Stripe in its dashboard: once for those of
/// our own account, once for those of connected ones. It forgets that with its process, so it is asked again and again. The secrets are
/// kept, because they are told once and every instance must know them.
/// </summary>
public sealed class SandboxEndpoint(
    NpgsqlDataSource database, DatabaseReady ready, StripeModes modes, IConfiguration settings, TimeProvider time,
    ILogger<SandboxEndpoint> log)
    : BackgroundService
{
    /// <summary>Our address, as the sandbox reaches it. Without it nothing is told, and the reconciler reads the sandbox's list.</summary>
    public const string Url = "Stripe:SandboxWebhookUrl";

    static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    const long Lock = 0x4C47_5341_4E44_42;

    volatile bool _isTold;

    /// <summary>Whether events of the sandbox arrive, if it plays Stripe at all.</summary>
    public bool IsReady => _isTold || Sandbox is null || settings[Url] is not { Length: > 0 };

    StripeMode? Sandbox => modes.All.FirstOrDefault(mode => mode.IsSandbox);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (Sandbox is not { } sandbox || settings[Url] is not { Length: > 0 } url)
            return;
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("telling the sandbox where events go", async token =>
        {
            await TellAsync(sandbox, url, token);
            await Task.Delay(Pause, time, token);
        }, log, time, stoppingToken);
    }

    async Task TellAsync(StripeMode sandbox, string url, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync("select pg_advisory_xact_lock($1)", token, Lock);
        var secrets = new List<string>();
        foreach (var ofConnected in (bool[])[false, true])
            secrets.Add(
                await KnownAsync(connection, sandbox, url, ofConnected, token)
                    ?? await CreateAsync(connection, sandbox, url, ofConnected, token));
        await transaction.CommitAsync(token);
        foreach (var mode in modes.All)
            mode.WebhookSecrets = secrets;
        _isTold = true;
    }

    /// <summary>Null when the sandbox does not know it any more.</summary>
    async Task<string?> KnownAsync(
        NpgsqlConnection connection, StripeMode sandbox, string url, bool ofConnected, CancellationToken token)
    {
        string id, secret;
        await using (var query = connection.Sql(
            "select id, secret from sandbox_endpoint where url = $1 and connect = $2", url, ofConnected))
        await using (var row = await query.ExecuteReaderAsync(token))
        {
            if (!await row.ReadAsync(token))
                return null;
            (id, secret) = (row.GetString(0), row.GetString(1));
        }
        try
        {
            await StripeErrors.CallAsync(() => sandbox.Client.V1.WebhookEndpoints.GetAsync(id, cancellationToken: token), log);
            return secret;
        }
        catch (StripeRefusalException)
        {
            return null;
        }
    }

    async Task<string> CreateAsync(
        NpgsqlConnection connection, StripeMode sandbox, string url, bool ofConnected, CancellationToken token)
    {
        var options = new WebhookEndpointCreateOptions { Url = url, EnabledEvents = ["*"], Connect = ofConnected };
        var made = await StripeErrors.CallAsync(
            () => sandbox.Client.V1.WebhookEndpoints.CreateAsync(options, cancellationToken: token), log);
        await connection.ChangeAsync("""
            insert into sandbox_endpoint (url, connect, id, secret) values ($1, $2, $3, $4)
            on conflict (url, connect) do update set id = excluded.id, secret = excluded.secret
            """, token, url, ofConnected, made.Id, made.Secret);
        return made.Secret;
    }
}
