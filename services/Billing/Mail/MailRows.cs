using LlmGateway.ServiceDefaults;
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
    /// <summary>Of one project and mode in an hour. Whoever has its key names the address, and nobody has confirmed it.</summary>
    public const int MaxAnHour = 60;

    /// <summary>
    /// Of one project in an hour, to all its customers, beside what it is mailed itself. Of the test world it is <see cref="MaxAnHour"/>:
    /// there nothing is paid, so whoever has a key could mail anybody as often.
    /// </summary>
    public const int MaxToCustomersAnHour = 1_000;

    /// <summary>The last of an hour says that there may be more, and what is more is not mailed.</summary>
    public static Task AddMailAsync(this NpgsqlConnection connection, Mail mail, Guid project, bool test, CancellationToken token) =>
        connection.AddMailAsync(
            mail.Id, mail.To, null, mail.Subject, mail.Body, project, test, MaxAnHour,
            $"\nThis is the {MaxAnHour}th mail within an hour, and the last one: webhooks and the API tell the rest.\n", token);

    public static Task AddMailAsync(
        this NpgsqlConnection connection, CustomerMail mail, Guid project, bool test, CancellationToken token) =>
        connection.AddMailAsync(
            mail.Id, null, mail.Customer, mail.Subject, mail.Body, project, test,
            test ? MaxAnHour : MaxToCustomersAnHour, "", token);

    /// <summary>In a transaction: what is counted is a project's alone until its end, or two at once would both be the last.</summary>
    static async Task AddMailAsync(
        this NpgsqlConnection connection, Guid id, string? to, Guid? customer, string subject, string body, Guid project, bool test,
        int most, string ofTheLast, CancellationToken token)
    {
        await connection.RunAsync("select pg_advisory_xact_lock(hashtextextended($1, 0))", token, $"mail of {project:N} {test}");
        await connection.ChangeAsync("""
            with before as (
                select count(*) as mails from mail
                where project = $6 and test = $7 and (customer is null) = ($3::uuid is null) and created_at > now() - interval '1 hour')
            insert into mail (id, recipient, customer, subject, body, project, test)
            select $1, $2, $3, $4, case when mails < $8 - 1 then $5 else $5 || $9 end, $6, $7 from before where mails < $8
            on conflict (id) do nothing
            """, token,
            id, to, customer, subject, body, project, test, most, ofTheLast);
    }
}
