namespace LlmGateway.Faults;

/// <summary>The invariants of the books, as the ledger proves them from its rows.</summary>
static class Invariants
{
    /// <summary>Expires what dead proxies hold, and waits until nothing is held and every invariant is true.</summary>
    public static async Task HoldAtRestAsync()
    {
        await EndLeasesAsync();
        await Books.WaitUntilRightAsync();
        await Books.WaitUntilAllIsToldAsync();
    }

    /// <summary>
    /// Expires all leases, as if a minute had passed. Call it when everything is settled. Wallet sweeps them within seconds.
    /// </summary>
    public static async Task EndLeasesAsync()
    {
        await using var command = Books.Wallet.CreateCommand("update lease set expires_at = now() - interval '1 second' where not expired");
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>
    /// Expires the leases of dead proxies, but only on registers that can still pay. A settlement that comes after its lease is charged
    /// only as far as the register has it.
    /// </summary>
    public static async Task EndLeasesOfTheDeadAsync()
    {
        await using var command = Books.Wallet.CreateCommand("""
            update lease set expires_at = now() - interval '1 second'
            where not expired and not split_part(holder, ':', 2) = any($1) and not exists (
                select 1 from lease_line line join account on account.id = line.account
                where line.lease = lease.id and account.posted < 10000000)
            """);
        command.Parameters.Add(new() { Value = Processes.Proxies.Select(name => $"{Stack.ProcessId(name)}").ToArray() });
        await command.ExecuteNonQueryAsync();
    }
}
