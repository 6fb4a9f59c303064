using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>Writes who has changed what into the outbox, for the audit. A batch in which nobody has has no statement here.</summary>
static class ChangeRows
{
    public static void AddTo(NpgsqlBatch batch, Book book)
    {
        if (book.Freezes.Count == 0)
            return;
        var told = book.Freezes.ConvertAll(freeze => Told(freeze, book.BookedAt));
        batch.Add("""
            insert into outbox_message (id, type, body, created_at)
            select id, $3, body::jsonb, $4 from unnest($1::uuid[], $2::text[]) as t (id, body)
            """,
            told.Column(change => change.Id),
            told.Column(change => JsonSerializer.Serialize(change, Defaults.Json)),
            typeof(Changed).FullName!,
            book.BookedAt);
    }

    public static Changed Told(FreezeChange freeze, DateTimeOffset at)
    {
        var of = freeze.Of;
        var subject = of.Owner is { } customer ? $"{Ids.Show(Ids.Customer, customer)}/wallet" : Ids.Show(Ids.Wallet, of.Id);
        return new AuditedChange(
            freeze.Frozen ? EventTypes.WalletFrozen : EventTypes.WalletUnfrozen, subject, Shown(freeze.Before), Shown(freeze.After))
        {
            Customer = of.Owner,
        }.By(freeze.Actor, freeze.RequestId, of.Project, of.Test, at)!;
    }

    static object Shown(Freezer by) => new
    {
        Status = by == Freezer.Nobody ? "active" : "frozen",
        FrozenBy = ((Freezer[])[Freezer.Owner, Freezer.Billing]).Where(one => by.HasFlag(one)).ToArray(),
    };
}
