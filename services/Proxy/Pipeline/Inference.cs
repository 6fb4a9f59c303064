using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A call to a model, on any wire, stage by stage:
/// <code>
///   1 identify ─ 2 permit ─ 3 read ─ 4 limit ─ 5 reserve ─ 6 forward ─ 7 meter ─ 8 settle ─ 9 tell
///   └── refused: nothing was reserved ──────┘   └── from here on the request ends in exactly one settlement ──┘
/// </code>
/// </summary>
public sealed class Inference(
    Identity identity, Intake intake, Running running, KeyUse keys, Rates rates, Slices slices, Answering answering, Spool spool,
    SpoolPublisher publisher, TimeProvider time)
{
    /// <param name="wire">What the caller speaks.</param>
    /// <param name="endpoint">The route, for the usage record.</param>
    public async Task HandleAsync(HttpContext http, Wire wire, RequestTarget target, string endpoint)
    {
        var id = Ids.New();
        http.SetRequestId(id);
        http.Speak(wire);
        var exchange = new Exchange(http, id, endpoint, time);

        try
        {
            if (await RunAsync(exchange, wire, target) is { } refused)
                await refused.ExecuteAsync(http);
        }
        catch (Exception) when (exchange.IsOpen)
        {
            // Whatever it was: what is held must not stay held.
            exchange.End(publisher, rates, RequestOutcome.Failed, StatusCodes.Status500InternalServerError, null, "internal");
            throw;
        }
    }

    /// <summary>Why the request is refused, or null when it has been answered.</summary>
    async Task<Problem?> RunAsync(Exchange exchange, Wire wire, RequestTarget target)
    {
        // :: 1 Identify, 2 Permit
        var http = exchange.Http;
        var (caller, problem) = await identity.IdentifyAsync(http);
        problem ??= Permit.CheckInference(caller!.Credential);
        if (problem is not null)
            return problem;
        exchange.Caller = caller!;
        keys.Record(caller!.Credential);
        Failpoint.Hit("proxy.request.identified");

        // :: 3 Read
        using var body = await RequestBody.ReadAsync(http, wire.TakesForm);
        if (!wire.TryRead(body.Memory.Span, target, out var request, out problem))
            return problem;
        problem = Routing.TryRoute(caller, wire, request, out var route, out var bound);
        if (problem is not null)
            return problem;
        (exchange.Route, exchange.Stream) = (route, request.Stream);
        Failpoint.Hit("proxy.request.read");

        // :: 4 Limit
        var outputLimit = UpperBound.OutputLimit(request.MaxTokens, exchange.Route.Model.MaxOutputTokens);
        problem = await LimitAsync(exchange, request, outputLimit);
        if (problem is not null)
            return problem;
        Failpoint.Hit("proxy.request.limited");

        // :: 5 Reserve
        (outputLimit, problem) = await ReserveAsync(exchange, bound, outputLimit);
        if (problem is not null)
        {
            rates.Correct(caller.Credential, -exchange.RatedTokens);
            return problem;
        }
        Failpoint.Hit("proxy.request.reserved");

        // :: 6 Forward, 7 Meter, 8 Settle, 9 Tell: by the first provider that can
        do
        {
            using var run = running.Start(caller, exchange.Route.Upstream, http.RequestAborted);
            using var passage = new Passage(wire, exchange, request, body.Memory);
            problem = await answering.AnswerAsync(exchange, passage, outputLimit, run);
        }
        while (problem is not null && TryFallBack(exchange, wire, request, problem));
        if (problem is not null)
            await answering.FailAsync(exchange, problem);
        return null;
    }

    /// <summary>Another provider takes over while the caller has seen nothing; the failed attempt keeps a record of its own.</summary>
    bool TryFallBack(Exchange exchange, Wire wire, ModelRequest request, Problem problem)
    {
        if (exchange.Http.RequestAborted.IsCancellationRequested || Routing.Fallback(exchange.Caller, wire, request, exchange.Route, problem) is not { } next)
            return false;
        exchange.EndAttempt(publisher, problem);
        exchange.Route = next;
        return true;
    }

    async ValueTask<Problem?> LimitAsync(Exchange exchange, ModelRequest request, long outputLimit)
    {
        exchange.RatedTokens = Rates.Estimate(request.BodyBytes, outputLimit * request.Choices);
        var taken = await rates.TakeAsync(exchange.Caller.Credential, exchange.RatedTokens, exchange.Http.RequestAborted);
        Rates.WriteHeaders(taken, exchange.Http.Response.Headers);
        return taken.Exceeded is { } exceeded ? Rates.Refusal(exceeded) : null;
    }

    /// <summary>Stage 5, for whatever is paid for. Without a problem the request has begun, and must be ended.</summary>
    /// <returns>The output that the caller can pay for.</returns>
    public async ValueTask<(long OutputLimit, Problem? Problem)> ReserveAsync(Exchange exchange, UpperBound bound, long outputLimit)
    {
        var registers = exchange.Caller.Credential.Registers;
        if (registers.Count == 0)
            return (outputLimit, exchange.TryBegin(spool.InFlight) ? null : NoPlace);
        if (!publisher.CanAccept)
            return (0, Problems.Unavailable);
        var (minimum, full) = Admission.Vector(registers, bound, outputLimit);
        Reservation reservation;
        try
        {
            reservation = await slices.ReserveAsync(registers, minimum, full, exchange.Http.RequestAborted);
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            return (0, Problems.Unavailable);
        }
        if (reservation.Hold is not { } hold)
            return (0, Admission.Refusal(reservation.Refusal!, registers, minimum[0]));
        exchange.Hold = hold;
        if (exchange.TryBegin(spool.InFlight))
            return (Admission.Affordable(hold, bound, outputLimit), null);
        exchange.Hold = null;
        hold.Void();
        return (0, NoPlace);
    }

    /// <summary>Why a request did not get a place among the running ones.</summary>
    Problem NoPlace => intake.IsOpen ? Problems.Unavailable : Problems.Draining;
}

public static class InferenceRoutes
{
    /// <summary>Where each wire is served, also without the version: people paste base URLs with and without it.</summary>
    static readonly (string Path, Wire Wire)[] Routes =
    [
        ("/v1/chat/completions", Wires.Chat),
        ("/v1/responses", Wires.Responses),
        ("/v1/messages", Wires.Messages),
        ("/v1/completions", Wires.Completions),
        ("/v1/embeddings", Wires.Embeddings),
        ("/v1/moderations", Wires.Moderations),
        ("/v1/images/generations", Wires.Images),
        ("/v1/audio/speech", Wires.Speech),
        ("/v1/audio/transcriptions", Wires.Transcriptions),
        ("/v1/audio/translations", Wires.Translations),
    ];

    /// <summary>Of <c>/v1</c>.</summary>
    const int Version = 3;

    /// <summary>The hot path does not pass through routing and what comes with it; call before <c>UseRouting</c>. Other methods on these paths do.</summary>
    public static void UseInference(this WebApplication app)
    {
        var inference = app.Services.GetRequiredService<Inference>();
        app.Use(next => http =>
        {
            if (HttpMethods.IsPost(http.Request.Method) && http.Request.Path.Value is { } asked)
                foreach (var (path, wire) in Routes)
                    if (asked.Length == path.Length ? asked == path : asked.Length == path.Length - Version && asked.AsSpan().SequenceEqual(path.AsSpan(Version)))
                        return inference.HandleAsync(http, wire, default, path);
            return next(http);
        });
        foreach (var (route, spoken) in Routes)
            foreach (var spelling in (string[])[route, route[Version..]])
                app.MapPost(spelling, http => inference.HandleAsync(http, spoken, default, route));
    }
}
