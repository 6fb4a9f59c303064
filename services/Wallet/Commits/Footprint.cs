namespace LlmGateway.Wallet;

/// <summary>What a batch of commands reads or changes in the ledger, so that it can be locked and read before the commands run.</summary>
sealed class Footprint
{
    public Footprint(IReadOnlyList<Command> commands, ExistingAccounts existing)
    {
        foreach (var command in commands)
        {
            Accounts.UnionWith(command.Accounts);
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
    }

    public HashSet<Guid> Accounts { get; } = [];

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
