using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// <c>GET /internal/verify?wait=S</c>: proves that every event that is numbered was told, and told once. What Wallet and Billing have
/// decided is compared with what is here, in each series of numbers; what is on its way may take S seconds, at most an hour. That no event
/// is here twice, the table's constraints hold.
/// </summary>
public static class VerifyEvents
{
    const int LongestWait = 3600, MaxExamples = 3;
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(500);

    public static void MapVerifyEvents(this WebApplication app) => app.MapGet("/internal/verify", HandleAsync);

    /// <summary>Of who decides events: how many, for each series behind one.</summary>
    delegate Task<IReadOnlyList<EventNumber>> Decided(Guid after, CancellationToken token);

    static async Task<IResult> HandleAsync(
        HttpContext http, NpgsqlDataSource database, LedgerClient ledger, BillingClient billing, TimeProvider time,
        CancellationToken token, int wait = 0)
    {
        if (wait is < 0 or > LongestWait)
            return Problems.Invalid("wait", $"'wait' must be from 0 to {LongestWait} seconds.");
        Decided[] all = [ledger.NumbersAsync, billing.NumbersAsync];
        var started = time.GetTimestamp();
        var (told, wrong) = await CompareAsync(database, all, token);
        while (wrong.Count > 0 && time.GetElapsedTime(started) < TimeSpan.FromSeconds(wait))
        {
            await Task.Delay(Between, time, token);
            (told, wrong) = await CompareAsync(database, all, token);
        }
        if (!http.WantsText())
            return Results.Json(new { ok = wrong.Count == 0, told, wrong }, Defaults.Json);
        return PlainText.Of(wrong.Count == 0, wrong.Count == 0
            ? [$"Every event of the ledger and of payments was told once: {told}."]
            : [$"EVENTS OF {wrong.Count} SERIES ARE MISSING.", .. wrong.Take(MaxExamples)]);
    }

    /// <summary>How many events there are, and the series that lack some, or have more than were decided.</summary>
    static async Task<(long Told, List<string> Wrong)> CompareAsync(NpgsqlDataSource database, Decided[] all, CancellationToken token)
    {
        var (told, wrong) = (0L, new List<string>());
        foreach (var decided in all)
            told += await CompareAsync(database, decided, wrong, token);
        return (told, wrong);
    }

    static async Task<long> CompareAsync(NpgsqlDataSource database, Decided decided, List<string> wrong, CancellationToken token)
    {
        var (told, after) = (0L, Guid.Empty);
        for (IReadOnlyList<EventNumber> numbers; (numbers = await decided(after, token)).Count > 0; after = numbers[^1].Subject)
        {
            var kept = await KeptAsync(database, [.. numbers.Select(number => number.Subject)], token);
            foreach (var (subject, last) in numbers)
            {
                var (forgotten, count, highest) = kept.GetValueOrDefault(subject);
                told += last;
                // An event that was decided since somebody was asked may be here already.
                if (forgotten + count < last || Math.Max(highest, forgotten) != forgotten + count)
                    wrong.Add($"series {subject:N}: {last} were decided, {forgotten + count} are here, the highest {highest}");
            }
        }
        return told;
    }

    /// <summary>Of each subject: up to which number its events were deleted, how many are here above it, and the highest number.</summary>
    static async Task<Dictionary<Guid, (long Forgotten, long Count, long Highest)>> KeptAsync(
        NpgsqlDataSource database, Guid[] subjects, CancellationToken token)
    {
        await using var query = database.Sql("""
            select subject, coalesce(until, 0), count(sequence) filter (where sequence > coalesce(until, 0)), coalesce(max(sequence), 0)
            from unnest($1::uuid[]) as asked (subject) left join forgotten using (subject) left join event using (subject)
            group by subject, until
            """, subjects);
        await using var row = await query.ExecuteReaderAsync(token);
        var kept = new Dictionary<Guid, (long, long, long)>();
        while (await row.ReadAsync(token))
            kept.Add(row.GetGuid(0), (row.GetInt64(1), row.GetInt64(2), row.GetInt64(3)));
        return kept;
    }
}
