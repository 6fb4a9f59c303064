using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>The rows of client sessions. A batch without any has no statement here.</summary>
static class WindowRows
{
    static readonly RowInsert<WindowOpening> Openings = new RowInsert<WindowOpening>("window_opening")
        .Column("register", "uuid", opening => opening.Register)
        .Column("session", "uuid", opening => opening.Window)
        .Column("number", "integer", opening => opening.Number);

    /// <summary>
    /// All windows of a batch are locked at once, in the order of their ids, after accounts and leases. A window that nobody has seen gets
    /// a row that is closed, so that two who open it wait for each other.
    /// </summary>
    public static void AddLocks(NpgsqlBatch batch, Footprint touched)
    {
        if (touched.Opened.Count > 0)
            batch.Add("""
                insert into session_window (id, owner, closes_at, openings)
                select id, owner, 'epoch', 0 from unnest($1::uuid[], $2::uuid[]) as new (id, owner) order by id on conflict do nothing
                """, touched.Opened.Keys.ToArray(), touched.Opened.Values.ToArray());
        batch.Add("""
            select id, closes_at, openings from session_window where id = any($1) order by id for update
            """, touched.Windows.ToArray());
    }

    public static async Task ReadAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var window = new Window
            {
                Id = reader.GetGuid(0), ClosesAt = reader.GetFieldValue<DateTimeOffset>(1), Openings = reader.GetInt32(2),
            };
            window.Stored = window.Figures;
            book.Windows.Add(window.Id, window);
        }
    }

    public static void AddTo(NpgsqlBatch batch, Book book)
    {
        Window[] changed = [.. book.Windows.Values.Where(window => window.Figures != window.Stored)];
        if (changed.Length > 0)
            batch.Add("""
                update session_window set closes_at = w.closes_at, openings = w.openings
                from unnest($1::uuid[], $2::timestamptz[], $3::integer[]) as w (id, closes_at, openings) where session_window.id = w.id
                """,
                changed.Column(window => window.Id),
                changed.Column(window => window.ClosesAt),
                changed.Column(window => window.Openings));
        Openings.AddTo(batch, book.Openings, book.BookedAt);
    }
}
