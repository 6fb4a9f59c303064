using System.Buffers;
using System.Net;
using SmtpServer;
using SmtpServer.Mail;
using SmtpServer.Protocol;
using SmtpServer.Storage;

namespace LlmGateway.Sandbox;

/// <summary>
/// A mail server that delivers nothing: what is sent to the port <c>Mail:Port</c> of this machine is caught and shown
/// (<see cref="MailPage"/>). Addresses that begin with <c>refused</c> are refused for good, those with <c>busy</c> for now.
/// </summary>
public sealed class MailCatcher(CaughtMails mails, IConfiguration settings) : BackgroundService
{
    const int MaxBytes = 1024 * 1024;

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (settings.GetValue<int?>("Mail:Port") is not { } port)
            return Task.CompletedTask;
        var options = new SmtpServerOptionsBuilder()
            .ServerName("sandbox")
            .MaxMessageSize(MaxBytes, MaxMessageSizeHandling.Strict)
            .Endpoint(endpoint => endpoint.Endpoint(new IPEndPoint(IPAddress.Loopback, port)))
            .Build();
        var services = new SmtpServer.ComponentModel.ServiceProvider();
        services.Add(new Store(mails));
        services.Add(new DelegatingMailboxFilter((_, to, _) => !Begins(to, "refused")));
        return new SmtpServer.SmtpServer(options, services).StartAsync(stoppingToken);
    }

    static bool Begins(IMailbox to, string with) => to.User.StartsWith(with, StringComparison.OrdinalIgnoreCase);

    sealed class Store(CaughtMails mails) : MessageStore
    {
        public override async Task<SmtpResponse> SaveAsync(
            ISessionContext context, IMessageTransaction transaction, ReadOnlySequence<byte> buffer, CancellationToken cancellationToken)
        {
            if (transaction.To.Any(to => Begins(to, "busy")))
                return new(SmtpReplyCode.Unavailable, "busy");
            await mails.AddAsync(buffer, [.. transaction.To.Select(to => $"{to.User}@{to.Host}")], cancellationToken);
            return SmtpResponse.Ok;
        }
    }
}
