using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Slots, windows and call credits of the second ledger, from docs/money.md.</summary>
sealed partial class ReferenceLedger
{
    /// <summary>When each is closed.</summary>
    public Dictionary<Guid, DateTimeOffset> Windows { get; } = [];

    /// <summary>Rule 10.</summary>
    Answer.Done Apply(FreeSlots free)
    {
        if (!Leases.TryGetValue(free.LeaseId, out var lease) || lease.Expired || !lease.HasSlots || lease.SlotsFreed)
            return new(Repeated: true);
        Free(lease);
        return new();
    }

    void Free(ModelLease lease)
    {
        lease.SlotsFreed = true;
        foreach (var register in lease.Held.Keys.Where(IsSlots).ToList())
            lease.Held[register] = 0;
    }

    /// <summary>Rule 11.</summary>
    Answer Apply(WindowsRequest request, DateTimeOffset now)
    {
        var closed = request.Windows.Where(demand => Windows.GetValueOrDefault(demand.Window) <= now).ToList();
        foreach (var line in request.Windows.SelectMany(demand => demand.Lines))
            Registers.TryAdd(line.Register, (AccountKind.Windows, Unit.Windows, 0));
        foreach (var (register, counter) in closed.SelectMany(demand => demand.Lines))
        {
            var second = TimeSpan.FromSeconds(1);
            if (now < counter.From - second || now >= counter.To + second)
                return new Answer.Refused(register, RefusalReason.CycleOver, 0);
            if (counter.Ceiling <= Registers[register].Posted)
                return new Answer.Refused(register, RefusalReason.Exhausted, 0);
        }
        foreach (var demand in closed)
        {
            Windows[demand.Window] = now.AddHours(24);
            foreach (var line in demand.Lines)
                Add(line.Register, 1);
        }
        return new Answer.Opened(request.Windows.Min(demand => Windows[demand.Window]));
    }

    /// <summary>Rule 8: from the lease first, then from what is free, and what is gone is forgiven.</summary>
    long SpendCredits(Charge charge, Guid type, ModelLease? lease)
    {
        var paid = 0L;
        if (Registers.ContainsKey(charge.Register))
        {
            var held = Math.Min(charge.Value, lease?.Held.GetValueOrDefault(charge.Register) ?? 0);
            paid = held + Math.Min(charge.Value - held, Available(charge.Register));
            if (held > 0)
                lease!.Held[charge.Register] -= held;
            Spend(charge.Register, paid, held, lease?.Until);
            Used[type] = Used.GetValueOrDefault(type) + paid;
        }
        Forgiven += charge.Value - paid;
        return paid;
    }

    public bool IsSlots(Guid register) => Registers.TryGetValue(register, out var known) && known.Kind == AccountKind.Slots;
}
