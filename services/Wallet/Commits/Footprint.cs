namespace LlmGateway.Wallet;

/// <summary>What a batch of commands reads or changes in the ledger, so that it can be locked and read before the commands run.</summary>
sealed class Footprint
{
    public Footprint(IReadOnlyList<Command> commands, ExistingAccounts existing)
    {
        foreach (var command in commands)
        {
            AddAccounts(command, existing);
            foreach (var account in command.Ensures)
            {
                Accounts.Add(account.Id);
                if (!existing.Contains(account.Id))
                    Missing.TryAdd(account.Id, account);
            }
            foreach (var account in command.Opens)
                if (!existing.Contains(account.Id))
                    Missing.TryAdd(account.Id, account);
            if (command.Lease is { } lease)
                Leases.Add(lease);
            if (command.Movement is { } movement)
                (command is Settle ? Requests : Transfers).Add(movement);
            Windows.UnionWith(command.Windows);
            if (command is OpenWindows { Request: var opened })
                foreach (var demand in opened.Windows)
                    Opened[demand.Window] = opened.Scope.Customer;
            if (command is Rerate { RequestId: var request })
                Rerated.Add(request);
        }
        Unread.ExceptWith(Accounts);
    }

    /// <summary>
    /// What a request has used of what its lease holds of a counter, the lease keeps until the counter is read (<see cref="PostUses"/>).
    /// </summary>
    void AddAccounts(Command command, ExistingAccounts existing)
    {
        if (command is Settle { Settlement: { Lease: not null, Charges: var charges } })
            foreach (var charge in charges)
                (charge.Beyond == 0 && existing.HasCounter(charge.Register) ? Unread : Accounts).Add(charge.Register);
        else
            Accounts.UnionWith(command.Accounts);
    }

    public HashSet<Guid> Accounts { get; } = [];

    /// <summary>Counters that nothing but settlements within what their leases hold names.</summary>
    public HashSet<Guid> Unread { get; } = [];

    /// <summary>Accounts that may have to be created.</summary>
    public Dictionary<Guid, Account> Missing { get; } = [];

    public HashSet<Guid> Leases { get; } = [];

    /// <summary>Ids of settlements, which may be in the ledger already.</summary>
    public List<Guid> Requests { get; } = [];

    /// <summary>Ids of other movements, which may be in the ledger already.</summary>
    public List<Guid> Transfers { get; } = [];

    /// <summary>Client sessions.</summary>
    public HashSet<Guid> Windows { get; } = [];

    /// <summary>Those of them that may be new, with the customer whose they are.</summary>
    public Dictionary<Guid, Guid> Opened { get; } = [];

    /// <summary>Requests whose cost is corrected.</summary>
    public HashSet<Guid> Rerated { get; } = [];
}
