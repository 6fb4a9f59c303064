using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// A batch holds this lock, shared, from before it reads the clock until its commit. Whoever takes it alone knows that every batch with an
/// earlier clock is committed.
/// </summary>
public static class ClockLock
{
    /// <summary>Of an advisory lock.</summary>
    public const long Key = 0x4C47_434C_4F43_4B;

    /// <summary>
    /// Takes it alone until the end of the transaction. Batches that come meanwhile wait behind it, so it is not waited for for long: one
    /// instance that stands still in a batch would stop all others. Then it throws, and that is an outage to whoever asks. One that stands
    /// still with the lock loses it.
    /// </summary>
    public static async Task TakeAloneAsync(NpgsqlConnection connection, CancellationToken token)
    {
        await connection.RunAsync("set local lock_timeout = '1s'; set local idle_in_transaction_session_timeout = '5s'", token);
        await connection.RunAsync("select from pg_advisory_xact_lock($1)", token, Key);
    }
}
