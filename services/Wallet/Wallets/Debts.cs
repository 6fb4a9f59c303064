using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>
/// What customers owe, in SQL: a refund or a dispute has taken more than their wallets had, and their next top-ups pay that first. There is
/// one receivable of a customer, below zero by what it owes.
/// </summary>
public static class Debts
{
    /// <summary>The receivable of an <c>account</c>'s customer as <c>owes</c>; without one its columns are null.</summary>
    public static readonly string Join = $"""
        left join account owes
            on owes.owner = account.owner and owes.kind = {(int)AccountKind.Receivable} and owes.test = account.test
        """;

    /// <summary>With <see cref="Join"/>: what is owed, 0 or more.</summary>
    public const string Owed = "greatest(0, -coalesce(owes.posted, 0))";

    /// <summary>
    /// What a movement has moved of the debt, as <c>debt.paid</c>: above zero what it has paid, below what is owed for it; null, nothing.
    /// What a movement has moved is kept with it, so no entry is looked for. Of a movement with several entries of one balance the last one
    /// says it.
    /// </summary>
    /// <param name="entry">The entry, or what has its columns.</param>
    /// <param name="receivable">Its customer's.</param>
    public static string Of(string entry, string receivable) => $"""
        left join lateral (
            select sum((leg ->> 'amount')::bigint * case leg ->> 'to' when {receivable}::text then 1 else -1 end)::bigint paid
            from transfer t, jsonb_array_elements(t.result) leg
            where t.id = {entry}.transfer and {receivable}::text in (leg ->> 'to', leg ->> 'from')
                and {entry}.type in (
                    {(int)EntryType.TopUp}, {(int)EntryType.Refund}, {(int)EntryType.Dispute}, {(int)EntryType.Reversal})
                and not exists (
                    select from entry later
                    where later.account = {entry}.account and later.version = {entry}.version + 1 and later.transfer = {entry}.transfer)
            ) debt on true
        """;
}
