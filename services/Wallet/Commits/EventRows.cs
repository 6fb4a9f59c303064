using System.Text.Json;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// Writes what a batch tells into the outbox, and what its accounts' owners were told. A batch that tells nothing has no statement here.
/// </summary>
static class EventRows
{
    static readonly JsonSerializerOptions Json = new(Defaults.Json) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public static void AddTo(NpgsqlBatch batch, Book book)
    {
        AddMarks(batch, [.. book.Accounts.Values.Where(account => account.Marks != account.StoredMarks)]);
        if (book.Events.Count > 0)
            AddEvents(batch, book);
    }

    static void AddMarks(NpgsqlBatch batch, Account[] accounts)
    {
        if (accounts.Length > 0)
            batch.Add("""
                update account set low_mark = a.low_mark, thresholds = a.thresholds, name = a.name, told = a.told
                from unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::text[], $5::smallint[]) as a (id, low_mark, thresholds, name, told)
                where account.id = a.id
                """,
                accounts.Column(a => a.Id),
                accounts.Column(a => a.LowMark),
                accounts.Column(a => a.Thresholds!),
                accounts.Column(a => a.Name),
                accounts.Column(a => (short)a.Told));
    }

    /// <summary>
    /// Whoever counts a subject on keeps the lock of its number until the commit, so the order of numbers is that of commits, and a batch
    /// that is lost takes its numbers with it. Like accounts, subjects are locked in their order.
    /// </summary>
    static void AddEvents(NpgsqlBatch batch, Book book) => batch.Add("""
        with told as (
            select id, subject, body::jsonb body, n,
                row_number() over (partition by subject order by n) nth, count(*) over (partition by subject) many
            from unnest($1::uuid[], $2::uuid[], $3::text[]) with ordinality as t (id, subject, body, n)),
        numbered as (
            insert into event_sequence as s (subject, last) select subject, max(many) from told group by subject order by subject
            on conflict (subject) do update set last = s.last + excluded.last
            returning subject, last)
        insert into outbox_message (id, type, body, created_at, subject)
        select id, $4, body || jsonb_build_object('id', id, 'sequence', last - many + nth), $5, subject
        from told join numbered using (subject) order by n
        """,
        book.Events.Column(_ => Ids.New()),
        book.Events.Column(told => told.Subject),
        book.Events.Column(told => Body(told, book.BookedAt)),
        typeof(PublicEvent).FullName!,
        book.BookedAt);

    /// <summary>Id and number are the row's.</summary>
    static string Body(LedgerEvent told, DateTimeOffset bookedAt) => JsonSerializer.Serialize(
        new PublicEvent(
            Guid.Empty, told.Type, bookedAt, told.Subject, 0, told.Of.Organization, told.Of.Project, told.Of.Test,
            JsonSerializer.Serialize(told.Data, Json)),
        Defaults.Json);
}
