using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>What a draining proxy still has to finish.</summary>
/// <param name="Draining">False when somebody has resumed: the proxy takes requests.</param>
/// <param name="Drained">True when the proxy takes no request and nothing below is left. It can then be ended in any way.</param>
/// <param name="Running">Requests whose answers are not complete, of every kind: calls to models, batches, files, management calls.</param>
/// <param name="Unsent">Settlements that the broker has not confirmed.</param>
/// <param name="Leases">Leases that hold something of customers' registers.</param>
public sealed record Remaining(bool Draining, bool Drained, int Running, long Unsent, int Leases);

/// <summary>
/// <c>POST /internal/drain?seconds=N</c> and <c>POST /internal/resume</c>, for who runs the gateway. A draining proxy refuses new requests,
/// finishes those that it has let in, hands in its settlements and gives back its leases. It goes on draining after the call has ended,
/// until <c>resume</c> or a restart.
/// </summary>
/// <remarks>The gate is the only state, so drains and resumes at the same time leave the proxy open or closed as a whole.</remarks>
public sealed class Drain(
    RequestGate gate, SpoolPublisher publisher, Slices slices, TimeProvider time, ILogger<Drain> log)
{
    public const int DefaultSeconds = 60, MaxSeconds = 600;

    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

    public static void Map(WebApplication app)
    {
        var drain = app.Services.GetRequiredService<Drain>();
        var signing = app.Services.GetRequiredService<CallSigning>();
        var routes = app.MapGroup("/internal").AddEndpointFilter(async (context, next) =>
            signing.Read(context.HttpContext.Request) is { Caller: ServiceCall.Operator }
                ? await next(context)
                : Problems.NoSuchRoute(context.HttpContext));
        routes.MapPost("/drain", (Delegate)drain.DrainAsync);
        routes.MapPost("/resume", (Delegate)drain.Resume);
    }

    /// <summary>The longest wait in seconds. Null for text that is no whole number from 0 to <see cref="MaxSeconds"/>.</summary>
    public static int? ReadSeconds(string text) => text.Length == 0
        ? DefaultSeconds
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= MaxSeconds ? seconds : null;

    async Task<IResult> DrainAsync(HttpContext http)
    {
        if (ReadSeconds(http.Request.Query["seconds"].ToString()) is not { } seconds)
            return Problems.Invalid("seconds", $"'seconds' must be a whole number from 0 to {MaxSeconds}.");
        log.LogInformation("this proxy takes no new requests");
        gate.Close();
        var left = await WaitAsync(TimeSpan.FromSeconds(seconds), http.RequestAborted);
        log.LogInformation("what this proxy still has: {Left}", left);
        return http.WantsText() ? PlainText.Of(left.Drained, [Text(left, seconds)]) : Results.Json(left);
    }

    static string Text(Remaining left, int seconds) => left switch
    {
        { Draining: false } => "Not drained: somebody has resumed, and this proxy takes requests.",
        { Drained: true } =>
            "Drained: nothing runs, nothing is held, everything metered is handed in. A restart or 'resume' takes requests again.",
        _ => $"Not drained after {seconds} s: {left.Running} requests run, {left.Unsent} settlements are not sent, {left.Leases} leases "
            + "are held. No new request is taken; drain again to wait on.",
    };

    IResult Resume(HttpContext http)
    {
        gate.Open();
        log.LogInformation("this proxy takes requests again");
        return http.WantsText() ? PlainText.Of(true, ["This proxy takes requests."]) : Results.Json(Look());
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
                // The ledger may answer slowly. The loop of Slices goes on returning after that.
                await slices.GiveBackAsync(TimeSpan.Zero).WaitAsync(end.Token);
                var left = Look();
                if (left.Drained || !left.Draining)
                    return left;
            }
        }
        catch (OperationCanceledException) when (enough.IsCancellationRequested)
        {
            return Look();
        }
    }

    /// <summary>
    /// The counts are read in the order in which a request passes them: the gate, its settlement, its lease. So no request is missed
    /// between two of them.
    /// </summary>
    Remaining Look()
    {
        var (draining, running, unsent, leases) = (!gate.IsOpen, gate.Inside, publisher.Undelivered, slices.Leases);
        return new(draining, draining && running == 0 && unsent == 0 && leases == 0, running, unsent, leases);
    }
}
