using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /internal/verify?wait=S&amp;full=B</c>: proves from the rows that the books are correct. It reads what was booked since the last
/// seal (<see cref="Seals"/>), or everything if it is asked to. What is in flight may take S seconds, at most an hour, to be booked: leases
/// hold something while requests run, and at rest they must hold nothing.
/// </summary>
public static class Verify
{
    const int LongestWait = 3600;
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(500);

    public static void MapVerify(this WebApplication app) => app.MapGet("/internal/verify", HandleAsync);

    static async Task<IResult> HandleAsync(
        HttpContext http, NpgsqlDataSource database, TimeProvider time, CancellationToken token, int wait = 0, bool full = false)
    {
        if (wait is < 0 or > LongestWait)
            return Problems.Invalid("wait", $"'wait' must be from 0 to {LongestWait} seconds.");
        var started = time.GetTimestamp();
        var proof = await RunAsync(database, full, token);
        while (!proof.IsRight && time.GetElapsedTime(started) < TimeSpan.FromSeconds(wait))
        {
            await Task.Delay(Between, time, token);
            proof = await RunAsync(database, full, token);
        }
        return proof.Answer(http, "The books balance.", "THE BOOKS ARE WRONG.");
    }

    static async Task<Proof> RunAsync(NpgsqlDataSource database, bool full, CancellationToken token)
    {
        await using var connection = await database.OpenConnectionAsync(token);
        await using var snapshot = await Proof.SnapshotAsync(connection, token);
        return await Proof.RunAsync(connection, full, atRest: true, token);
    }
}
