using Npgsql;

namespace LlmGateway.Billing;

/// <param name="Id">Of what it tells. Of mails with one id there is one.</param>
public sealed record Mail(Guid Id, string To, string Subject, string Body);

/// <summary>A mail to whatever address the customer has when it is sent.</summary>
/// <param name="Id">Of what it tells. Of mails with one id there is one.</param>
public sealed record CustomerMail(Guid Id, Guid Customer, string Subject, string Body);

/// <summary>Mail as rows: written in the transaction of what it tells of, sent by <see cref="MailWorker"/>.</summary>
public static class MailRows
{
    public static Task AddMailAsync(this NpgsqlConnection connection, Mail mail, CancellationToken token) => connection.ChangeAsync(
        "insert into mail (id, recipient, subject, body) values ($1, $2, $3, $4) on conflict (id) do nothing", token,
        mail.Id, mail.To, mail.Subject, mail.Body);

    public static Task AddMailAsync(this NpgsqlConnection connection, CustomerMail mail, CancellationToken token) =>
        connection.ChangeAsync(
            "insert into mail (id, customer, subject, body) values ($1, $2, $3, $4) on conflict (id) do nothing", token,
            mail.Id, mail.Customer, mail.Subject, mail.Body);
}
