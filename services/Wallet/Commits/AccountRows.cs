using LlmGateway.Contracts;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>Rows of <c>account</c>, as batches make, read and write them.</summary>
static class AccountRows
{
    public const string Columns = """
        id, kind, unit, organization, project, owner, test, posted, reserved, version, spent, topped_up, frozen, denomination, ceiling,
        ends_at, base_lot, lots, low_mark, thresholds, name, told, frozen_by
        """;

    public static void AddMissing(NpgsqlBatch batch, Account[] accounts) => batch.Add("""
        insert into account (id, kind, unit, organization, project, owner, test, denomination)
        select * from unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::uuid[], $5::uuid[], $6::uuid[], $7::boolean[], $8::uuid[])
            as new (id, kind, unit, organization, project, owner, test, denomination)
        where not exists (select 1 from account where account.id = new.id)
        order by id on conflict do nothing
        returning id
        """,
        accounts.Column(a => a.Id),
        accounts.Column(a => (short)a.Kind),
        accounts.Column(a => (short)a.Unit),
        accounts.Column(a => a.Organization),
        accounts.Column(a => a.Project),
        accounts.Column(a => a.Owner),
        accounts.Column(a => a.Test),
        accounts.Column(a => a.Denomination));

    public static async Task ReadAsync(NpgsqlDataReader reader, Book book, CancellationToken token)
    {
        while (await reader.ReadAsync(token))
        {
            var account = new Account
            {
                Id = reader.GetGuid(0), Kind = (AccountKind)reader.GetInt16(1), Unit = (Unit)reader.GetInt16(2),
                Organization = reader.GetGuid(3), Project = reader.GetGuid(4),
                Owner = reader.IsDBNull(5) ? null : reader.GetGuid(5), Test = reader.GetBoolean(6),
                Posted = reader.GetInt64(7), Reserved = reader.GetInt64(8), Version = reader.GetInt64(9),
                Spent = reader.GetInt64(10), ToppedUp = reader.GetInt64(11),
                FrozenBy = FrozenBy(reader.GetBoolean(12), (Freezer)reader.GetInt16(22)),
                Denomination = reader.IsDBNull(13) ? null : reader.GetGuid(13),
                Ceiling = reader.IsDBNull(14) ? null : reader.GetInt64(14),
                EndsAt = reader.IsDBNull(15) ? null : reader.GetFieldValue<DateTimeOffset>(15),
                BaseLot = reader.IsDBNull(16) ? null : reader.GetGuid(16), Lots = reader.GetInt32(17), Told = reader.GetInt16(21),
                LowMark = reader.IsDBNull(18) ? null : reader.GetInt64(18), Name = reader.IsDBNull(20) ? null : reader.GetString(20),
                Thresholds = reader.IsDBNull(19) ? null : reader.GetFieldValue<byte[]>(19),
            };
            (account.Stored, account.StoredMarks) = (account.Figures, account.Marks);
            book.Accounts.Add(account.Id, account);
        }
    }

    /// <summary>A version of before has frozen it without saying who, or has let it go.</summary>
    static Freezer FrozenBy(bool frozen, Freezer by) => !frozen ? Freezer.Nobody : by == Freezer.Nobody ? Freezer.Owner : by;

    public static void AddTo(NpgsqlBatch batch, Account[] accounts)
    {
        if (accounts.Length > 0)
            batch.Add("""
                update account set
                    posted = a.posted, reserved = a.reserved, version = a.version,
                    spent = a.spent, topped_up = a.topped_up, frozen = a.frozen_by <> 0, frozen_by = a.frozen_by,
                    ceiling = a.ceiling, ends_at = a.ends_at, base_lot = a.base_lot, lots = a.lots
                from unnest(
                    $1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::smallint[], $8::bigint[],
                    $9::timestamptz[], $10::uuid[], $11::int[])
                    as a (id, posted, reserved, version, spent, topped_up, frozen_by, ceiling, ends_at, base_lot, lots)
                where account.id = a.id
                """,
                accounts.Column(a => a.Id),
                accounts.Column(a => a.Posted),
                accounts.Column(a => a.Reserved),
                accounts.Column(a => a.Version),
                accounts.Column(a => a.Spent),
                accounts.Column(a => a.ToppedUp),
                accounts.Column(a => (short)a.FrozenBy),
                accounts.Column(a => a.Ceiling),
                accounts.Column(a => a.EndsAt),
                accounts.Column(a => a.BaseLot),
                accounts.Column(a => a.Lots));
    }
}
