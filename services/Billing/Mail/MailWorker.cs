using LlmGateway.ServiceDefaults;
using MailKit.Net.Smtp;
using MimeKit;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Sends what waits, some mails over one connection. A mail is taken before it is sent, so two instances never send the same, and marked
/// when the server has it. Who dies between the two leaves a mail that is sent again after a minute, with the same <c>Message-ID</c>, by
/// which mail programs show it once. What the server refuses for good is not sent again; anything else is, with pauses that double.
/// </summary>
public sealed class MailWorker(
    NpgsqlDataSource database, DatabaseReady ready, MailSettings settings, SessionsClient sessions, TimeProvider time,
    ILogger<MailWorker> log)
    : BackgroundService
{
    const int AtOnce = 20;

    /// <summary>About three days, from pauses of 10 s that double up to an hour.</summary>
    public const int MaxAttempts = 80;

    /// <summary>More than reach the longest pause, and so few that there is such a time.</summary>
    const int Doublings = 20;

    static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(10), LongestPause = TimeSpan.FromHours(1);

    /// <summary>Nobody else takes a mail meanwhile. All that were taken with it are sent before, or put back.</summary>
    static readonly TimeSpan ClaimTime = TimeSpan.FromSeconds(60), SendingTimeout = TimeSpan.FromSeconds(50);

    static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    readonly WakeSignal _written = new();

    /// <param name="To">Null: to the customer.</param>
    sealed record Waiting(Guid Id, string? To, Guid? Customer, string Subject, string Body, int Attempts);

    /// <summary>A mail was written.</summary>
    public void Wake() => _written.Raise();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (settings.Server is not { } server)
        {
            log.LogWarning("no mail is sent, because Mail:Host is not set");
            return;
        }
        await ready.Task.WaitAsync(stoppingToken);
        await Loop.RunAsync("mail", async token =>
        {
            var waiting = await ClaimAsync(token);
            if (waiting.Count > 0)
                await SendAsync(server, waiting, token);
            if (waiting.Count < AtOnce)
                await _written.WaitAsync(PollInterval, token);
        }, log, time, stoppingToken);
    }

    async Task<List<Waiting>> ClaimAsync(CancellationToken token)
    {
        await using var claim = database.Sql("""
            update mail set next_at = now() + $2, attempts = attempts + 1 where id in (
                select id from mail where status = 'waiting' and next_at <= now() order by next_at limit $1 for update skip locked)
            returning id, recipient, customer, subject, body, attempts
            """, AtOnce, ClaimTime);
        await using var row = await claim.ExecuteReaderAsync(token);
        var waiting = new List<Waiting>();
        while (await row.ReadAsync(token))
            waiting.Add(new(
                row.GetGuid(0), row.IsDBNull(1) ? null : row.GetString(1), row.IsDBNull(2) ? null : row.GetGuid(2), row.GetString(3),
                row.GetString(4), row.GetInt32(5)));
        return waiting;
    }

    /// <summary>A connection that breaks puts back the mail that it broke at and those behind it.</summary>
    async Task SendAsync(MailServer server, List<Waiting> waiting, CancellationToken stopping)
    {
        var next = 0;
        try
        {
            using var limit = stopping.WithTimeout(SendingTimeout);
            using var smtp = new SmtpClient { Timeout = (int)SendingTimeout.TotalMilliseconds };
            await smtp.ConnectAsync(server.Host, server.Port, server.Tls, limit.Token);
            if (server.User is { } user)
                await smtp.AuthenticateAsync(user, server.Password!, limit.Token);
            for (; next < waiting.Count; next++)
            {
                await SendAsync(smtp, server, waiting[next], limit.Token, stopping);
                Failpoint.Hit("billing.mail.marked");
            }
            await smtp.DisconnectAsync(quit: true, limit.Token);
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            if (next < waiting.Count)
                log.LogWarning("{Count} mails wait: {Message}", waiting.Count - next, e.Message);
            foreach (var mail in waiting[next..])
                await PostponeAsync(mail, e.Message, stopping);
        }
    }

    async Task SendAsync(SmtpClient smtp, MailServer server, Waiting waiting, CancellationToken limit, CancellationToken stopping)
    {
        if (await AddressedAsync(waiting, limit, stopping) is not { } mail)
            return;
        try
        {
            using var message = MessageOf(mail, server.From);
            await smtp.SendAsync(message, limit);
        }
        catch (SmtpCommandException e) when (e.StatusCode < SmtpStatusCode.CommandUnrecognized)
        {
            await PostponeAsync(waiting, ReasonOf(waiting, e), stopping);
            return;
        }
        catch (Exception e) when (IsOfTheMail(e))
        {
            log.LogError("mail {Id} is refused for good: {Reason}", mail.Id, ReasonOf(waiting, e));
            await MarkAsync(mail.Id, "failed", ReasonOf(waiting, e), stopping);
            return;
        }
        Failpoint.Hit("billing.mail.sent");
        await MarkAsync(mail.Id, "sent", null, stopping);
    }

    /// <summary>Servers repeat the address in what they say, and no customer's is kept here.</summary>
    static string ReasonOf(Waiting waiting, Exception e) => waiting.Customer is null ? e.Message
        : e is SmtpCommandException said ? $"the mail server says {(int)said.StatusCode}" : e.GetType().Name;

    /// <summary>
    /// The server refuses it, it cannot be written down, or it needs what the server cannot do. What is the connection's fault would keep
    /// the mails behind it waiting, so nothing else may count as that.
    /// </summary>
    static bool IsOfTheMail(Exception e) =>
        e is SmtpCommandException or FormatException or ArgumentException or NotSupportedException;

    /// <summary>Null, and noted, when it is not sent now: its customer has no address, or nobody can be asked for it.</summary>
    async Task<Mail?> AddressedAsync(Waiting waiting, CancellationToken limit, CancellationToken stopping)
    {
        if (waiting.Customer is not { } customer)
            return new(waiting.Id, waiting.To!, waiting.Subject, waiting.Body);
        try
        {
            if (await sessions.ProfileAsync(customer, limit) is { Email: { } to } profile && MailSettings.IsAddress(to))
                return new(waiting.Id, to, waiting.Subject, CustomerText.WithSender(waiting.Body, profile.Project));
            await MarkAsync(waiting.Id, "failed", "the customer has no mail address", stopping);
        }
        catch (Exception e) when (!limit.IsCancellationRequested)
        {
            await PostponeAsync(waiting, e.Message, stopping);
        }
        return null;
    }

    /// <summary>What it says, and who says it; the id is the same at each attempt.</summary>
    public static MimeMessage MessageOf(Mail mail, string from)
    {
        var message = new MimeMessage { Subject = mail.Subject, Body = new TextPart("plain") { Text = mail.Body } };
        message.From.Add(MailboxAddress.Parse(from));
        message.To.Add(MailboxAddress.Parse(mail.To));
        message.MessageId = $"{mail.Id:N}@{from[(from.LastIndexOf('@') + 1)..]}";
        message.Headers.Add(HeaderId.AutoSubmitted, "auto-generated");
        return message;
    }

    async Task MarkAsync(Guid id, string status, string? reason, CancellationToken token)
    {
        await database.ChangeAsync(
            "update mail set status = $2, reason = $3, sent_at = case when $2 = 'sent' then now() end where id = $1", token, id, status,
            reason);
    }

    async Task PostponeAsync(Waiting mail, string reason, CancellationToken token)
    {
        if (mail.Attempts >= MaxAttempts)
        {
            log.LogError("mail {Id} is given up after {Attempts} attempts: {Reason}", mail.Id, mail.Attempts, reason);
            await MarkAsync(mail.Id, "failed", reason, token);
            return;
        }
        await database.ChangeAsync(
            "update mail set next_at = now() + $2, reason = $3 where id = $1", token, mail.Id, PauseAfter(mail.Attempts), reason);
    }

    public static TimeSpan PauseAfter(int attempts) =>
        FirstPause * Math.Pow(2, Math.Min(attempts - 1, Doublings)) is var pause && pause < LongestPause ? pause : LongestPause;
}
