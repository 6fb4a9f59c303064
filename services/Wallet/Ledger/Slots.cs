using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

public static partial class Ledger
{
    static Answer.Done Apply(Book book, FreeSlots free)
    {
        if (!book.Leases.TryGetValue(free.LeaseId, out var lease) || lease.Expired || lease.Slots != LeaseSlots.Held)
            return new Answer.Done(Repeated: true);
        FreeSlotsOf(book, lease);
        return new Answer.Done();
    }

    /// <summary>
    /// A lease whose slots were freed can have no more. Otherwise the end of a request from before would free the slot of one that runs.
    /// </summary>
    static void FreeSlotsOf(Book book, Lease lease)
    {
        lease.Slots = LeaseSlots.Freed;
        foreach (var (register, line) in lease.Lines)
            if (IsSlots(book, register))
            {
                Reserve(book.Accounts[register], -line.Outstanding);
                line.Returned += line.Outstanding;
            }
    }

    /// <summary>
    /// Its holder has given up a lease that is not known here. The call that opens it may be under way all the same, so it has ended.
    /// </summary>
    static void EndUnknown(Book book, Guid lease)
    {
        if (!book.Leases.ContainsKey(lease))
            book.Leases.Add(lease, new()
            {
                Id = lease, Holder = "", ExpiresAt = book.Now.AddSeconds(LeaseRequest.TtlSeconds), Expired = true,
            });
    }

    static bool IsSlots(Book book, Guid register) =>
        book.Accounts.TryGetValue(register, out var account) && account.Kind == AccountKind.Slots;
}
