using System.Globalization;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>What a proxy that drains still has.</summary>
/// <param name="Drained">It takes no requests, and nothing below is left: it can be ended in any way.</param>
/// <param name="Running">Calls to models, and batches that are being created.</param>
/// <param name="Unsent">Settlements that the broker has not confirmed.</param>
/// <param name="Leases">Leases that hold something of customers' registers.</param>
public sealed record Remaining(bool Drained, int Running, long Unsent, int Leases);

/// <summary>
/// <c>POST /internal/drain?seconds=N</c> and <c>POST /internal/resume</c>, for who runs the gateway. A draining proxy refuses new requests,
/// finishes those that run, hands in its settlements and gives back its leases. It goes on draining after the call has ended, until
/// <c>resume</c> or a restart.
/// </summary>
/// <remarks>
/// Requests that were let in and have not begun, because their body is still coming in for instance, are counted nowhere. So they do not
/// begin any more: <see cref="CrashJournal"/> has no place for them, and what was reserved for them goes back.
/// </remarks>
public sealed class Drain(
    RequestGate gate, RunningCalls running, Spool spool, SpoolPublisher publisher, Slices slices, TimeProvider time, ILogger<Drain> log)
{
    public const int DefaultSeconds = 60, MaxSeconds = 600;

    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

    public static void Map(WebApplication app)
    {
        var drain = app.Services.GetRequiredService<Drain>();
        var key = app.Services.GetRequiredService<InternalKey>();
        var routes = app.MapGroup("/internal").AddEndpointFilter(async (context, next) =>
            context.HttpContext.Request.HasInternalKey(key) ? await next(context) : Root.NoSuchRoute(context.HttpContext));
        routes.MapPost("/drain", (Delegate)drain.DrainAsync);
        routes.MapPost("/resume", (Delegate)drain.Resume);
    }

    /// <summary>How long to wait at most; null when the text is no number of seconds from 0 to <see cref="MaxSeconds"/>.</summary>
    public static int? ReadSeconds(string text) => text.Length == 0
        ? DefaultSeconds
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= MaxSeconds ? seconds : null;

    async Task<IResult> DrainAsync(HttpContext http)
    {
        if (ReadSeconds(http.Request.Query["seconds"].ToString()) is not { } seconds)
            return Problems.Invalid("seconds", $"'seconds' must be a whole number from 0 to {MaxSeconds}.");
        log.LogInformation("this proxy takes no new requests");
        gate.Close();
        spool.Journal.Close();
        var left = await WaitAsync(TimeSpan.FromSeconds(seconds), http.RequestAborted);
        log.LogInformation("what this proxy still has: {Left}", left);
        return http.WantsText() ? PlainText.Of(left.Drained, [Text(left, seconds)]) : Results.Json(left);
    }

    static string Text(Remaining left, int seconds) => left.Drained
        ? "Drained: nothing runs, nothing is held, everything metered is handed in. A restart or 'resume' takes requests again."
        : $"Not drained after {seconds} s: {left.Running} requests run, {left.Unsent} settlements are not sent, {left.Leases} leases "
            + "are held. No new request is taken; drain again to wait on.";

    IResult Resume()
    {
        spool.Journal.Open();
        gate.Open();
        log.LogInformation("this proxy takes requests again");
        return Results.Json(Look());
    }

    /// <summary>Returns when nothing is left, when somebody resumes, or after <paramref name="atMost"/>.</summary>
    async Task<Remaining> WaitAsync(TimeSpan atMost, CancellationToken callerGone)
    {
        using var enough = new CancellationTokenSource(atMost, time);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(enough.Token, callerGone);
        try
        {
            for (; ; await Task.Delay(LookEvery, time, end.Token))
            {
                // The ledger may be slow to take them back; then the slices' own loop goes on with it.
                await slices.GiveBackAsync(TimeSpan.Zero).WaitAsync(end.Token);
                var left = Look();
                if (left.Drained || gate.IsOpen)
                    return left;
            }
        }
        catch (OperationCanceledException) when (enough.IsCancellationRequested)
        {
            return Look();
        }
    }

    /// <summary>
    /// Read in the order in which a request leaves them, so that none is missed on its way from one to the next: its place, its
    /// registration (kept until the caller has the last byte), its settlement, its lease.
    /// </summary>
    Remaining Look()
    {
        var begun = spool.Journal.Count;
        var (calls, unsent, leases) = (Math.Max(begun, running.Count), publisher.Undelivered, slices.Leases);
        return new(!gate.IsOpen && calls == 0 && unsent == 0 && leases == 0, calls, unsent, leases);
    }
}
