using Npgsql;

namespace LlmGateway.Billing;

/// <param name="Id">Of what it tells. Of mails with one id there is one.</param>
public sealed record Mail(Guid Id, string To, string Subject, string Body);

/// <summary>Mail as rows: written in the transaction of what it tells of, sent by <see cref="MailWorker"/>.</summary>
public static class MailRows
{
    /// <summary>Of one project and mode in an hour. Whoever has its key names the address, and nobody has confirmed it.</summary>
    public const int MaxAnHour = 60;

    /// <summary>The last of an hour says that there may be more, and what is more is not mailed.</summary>
    public static Task AddMailAsync(this NpgsqlConnection connection, Mail mail, Guid project, bool test, CancellationToken token) =>
        connection.ChangeAsync("""
            with before as (
                select count(*) as mails from mail where project = $5 and test = $6 and created_at > now() - interval '1 hour')
            insert into mail (id, recipient, subject, body, project, test)
            select $1, $2, $3, case when mails < $7 - 1 then $4 else $4 || $8 end, $5, $6 from before where mails < $7
            on conflict (id) do nothing
            """, token,
            mail.Id, mail.To, mail.Subject, mail.Body, project, test, MaxAnHour,
            $"\nThis is the {MaxAnHour}th mail within an hour, and the last one: webhooks and the API tell the rest.\n");
}
