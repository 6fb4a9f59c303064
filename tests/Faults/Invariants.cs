using System.Text.Json;

namespace LlmGateway.Faults;

/// <summary>What must be true of the books whatever has happened, as the ledger itself proves it from its rows.</summary>
static class Invariants
{
    const string HoldsAreClosed = "every hold is closed";

    /// <summary>Everything but that every hold is closed: what a dead proxy held is held until its lease ends.</summary>
    public static async Task HoldAsync() => Assert.DoesNotContain(await BreachesAsync(), name => name != HoldsAreClosed);

    /// <summary>Ends what dead proxies hold, and waits until nothing is held and all is right.</summary>
    public static async Task HoldAtRestAsync()
    {
        await EndLeasesAsync();
        await Eventually.GetAsync(BreachesAsync, breaches => breaches.Count == 0, "right books at rest", TimeSpan.FromSeconds(60));
    }

    /// <summary>
    /// Ends the time of all leases, as if a minute had passed; to be called when everything is settled. Wallet sweeps them within seconds.
    /// </summary>
    public static async Task EndLeasesAsync()
    {
        await using var command = Books.Wallet.CreateCommand("update lease set expires_at = now() - interval '1 second' where not expired");
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>
    /// The same for leases of proxies that do not live any more, and for registers that can pay whatever is still on its way: what comes
    /// after its lease is charged only as far as the register has it.
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

    static async Task<IReadOnlyList<string>> BreachesAsync()
    {
        var reply = await Gateway.SendAsync(
            "GET",
            "/internal/verify",
            at: Stack.Wallet,
            headers: [("X-Gateway-Internal", Stack.InternalKey)]);
        return [.. reply.MustBe(200).Json.Items("checks").Where(check => !check.GetProperty("ok").GetBoolean()).Select(Describe)];
    }

    static string Describe(JsonElement check) =>
        check.Text("name") == HoldsAreClosed ? HoldsAreClosed : $"{check.Text("name")}: {check.Text("detail")}";
}
