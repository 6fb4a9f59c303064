using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.Proxy.OpenAi;
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
    Identity identity, Running running, KeyUse keys, Rates rates, Slices slices, Forwarding forwarding, Spool spool, SpoolPublisher publisher, TimeProvider time, ILogger<Inference> log)
{
    /// <summary>Largest answer that is not a stream: it is read whole, so that its cost can stand in its headers.</summary>
    const int MaxAnswerBytes = 32 * 1024 * 1024;

    const int MaxErrorBytes = 64 * 1024;

    /// <param name="wire">What the caller speaks.</param>
    /// <param name="endpoint">The route, for the usage record.</param>
    public async Task HandleAsync(HttpContext http, Wire wire, RequestTarget target, string endpoint)
    {
        var id = Ids.New();
        http.SetRequestId(id);
        var exchange = new Exchange(http, id, endpoint, time);

        // :: 1 Identify, 2 Permit
        var (caller, problem) = await identity.IdentifyAsync(http);
        problem ??= Permit.CheckInference(caller!.Credential);
        if (problem is not null)
        {
            await problem.ExecuteAsync(http);
            return;
        }
        exchange.Caller = caller!;
        keys.Record(caller!.Credential);
        Failpoint.Hit("proxy.request.identified");

        // :: 3 Read
        using var body = await RequestBody.ReadAsync(http);
        if (!wire.TryRead(body.Memory.Span, target, out var request, out problem) || !TryRoute(exchange, request, out var bound, out problem))
        {
            await problem.ExecuteAsync(http);
            return;
        }

        Failpoint.Hit("proxy.request.read");
        // :: 4 Limit
        var outputLimit = UpperBound.OutputLimit(request.MaxTokens, exchange.Route.Model.MaxOutputTokens);
        problem = await LimitAsync(exchange, request, outputLimit);
        if (problem is not null)
        {
            await problem.ExecuteAsync(http);
            return;
        }

        Failpoint.Hit("proxy.request.limited");
        // :: 5 Reserve
        (outputLimit, problem) = await ReserveAsync(exchange, bound, outputLimit);
        if (problem is not null)
        {
            rates.Correct(exchange.Caller.Credential, -exchange.RatedTokens);
            await problem.ExecuteAsync(http);
            return;
        }
        Failpoint.Hit("proxy.request.reserved");
        using var run = running.Start(caller, exchange.Route.Upstream, http.RequestAborted);
        using var passage = new Passage(wire, exchange, request, body.Memory);
        try
        {
            // :: 6 Forward
            run.LimitSilence(exchange.Route.Upstream.Timeout);
            using var response = await ForwardAsync(exchange, passage, outputLimit, run);
            if (response is null)
                return;

            Failpoint.Hit("proxy.forward.answered");
            // :: 7 Meter, 8 Settle, 9 Tell
            if (passage.Relay is not null)
                await RelayStreamAsync(exchange, passage, response, run);
            else
                await RelayWholeAsync(exchange, passage, response, run);
        }
        catch (Exception e)
        {
            await EndBrokenAsync(exchange, passage, run, e);
        }
    }

    static bool TryRoute(Exchange exchange, ModelRequest request, out UpperBound bound, [System.Diagnostics.CodeAnalysis.NotNullWhen(false)] out Problem? problem)
    {
        bound = default;
        if (exchange.Caller.Project.Find(request.Model) is not { } route)
        {
            problem = Problems.UnknownModel(request.Model);
            return false;
        }
        exchange.Route = route;
        exchange.Stream = request.Stream;
        problem = Permit.Check(exchange.Caller.Credential, route, request.Model);
        if (problem is null && route.Model.Kind != "chat")
            problem = Problems.Invalid("model", $"The model '{request.Model}' is not a chat model.");
        if (problem is null && !UpperBound.TryOf(route.Model.Prices, request.InputBound(route.Model.ContextTokens), request.Choices, request.Images > 0, out bound))
            problem = Problems.Unpriced(request.Model);
        return problem is null;
    }

    async ValueTask<Problem?> LimitAsync(Exchange exchange, ModelRequest request, long outputLimit)
    {
        exchange.RatedTokens = Rates.Estimate(request.BodyBytes, outputLimit * request.Choices);
        var taken = await rates.TakeAsync(exchange.Caller.Credential, exchange.RatedTokens, exchange.Http.RequestAborted);
        Rates.WriteHeaders(taken, exchange.Http.Response.Headers);
        return taken.Exceeded is { } exceeded ? Rates.Refusal(exceeded) : null;
    }

    async ValueTask<(long OutputLimit, Problem? Problem)> ReserveAsync(Exchange exchange, UpperBound bound, long outputLimit)
    {
        var registers = exchange.Caller.Credential.Registers;
        if (registers.Count == 0)
            return (outputLimit, exchange.TryBegin(spool.InFlight) ? null : Problems.Unavailable);
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
        hold.Void();
        return (0, Problems.Unavailable);
    }

    /// <summary>The head of a good answer; null when the provider failed and the caller has been told.</summary>
    async Task<HttpResponseMessage?> ForwardAsync(Exchange exchange, Passage passage, long outputLimit, Running.Request run)
    {
        for (var injectUsage = true; ;)
        {
            var sent = passage.Compose(outputLimit, injectUsage);
            var (response, problem) = await forwarding.SendAsync(exchange.Route.Upstream, () => passage.Post(sent), run.Ended);
            if (response is { IsSuccessStatusCode: true })
                return response;
            if (response is not null)
            {
                using (response)
                {
                    using var answer = await AnswerBody.ReadAsync(response, MaxErrorBytes, truncate: true, run.Ended);
                    if (injectUsage && passage.AskedForUsage && UpstreamErrors.RefusesStreamOptions((int)response.StatusCode, answer.Memory.Span))
                    {
                        injectUsage = false;
                        continue;
                    }
                    problem = UpstreamErrors.Map((int)response.StatusCode, answer.Memory.Span, (int?)response.Headers.RetryAfter?.Delta?.TotalSeconds);
                }
            }
            await EndFailedAsync(exchange, problem!);
            return null;
        }
    }

    async Task RelayWholeAsync(Exchange exchange, Passage passage, HttpResponseMessage response, Running.Request run)
    {
        using var answer = await AnswerBody.ReadAsync(response, MaxAnswerBytes, truncate: false, run.Ended);
        exchange.FirstByte();
        if (!passage.SeeWhole(answer.Memory.Span) || IsEmpty(passage.Meter))
        {
            await EndFailedAsync(exchange, Problems.Upstream(502, "upstream_malformed", "The provider's answer is not a completion."));
            return;
        }
        Failpoint.Hit("proxy.whole.read");
        var metered = passage.Meter.Settle(passage.Body.Span);
        var cost = EndAnswered(exchange, run, metered);
        Failpoint.Hit("proxy.whole.settled");

        var told = passage.Retell(answer.Memory, metered.Usage, cost);
        Tell(exchange);
        exchange.Http.Response.Headers["X-LLMGateway-Cost"] = cost.ToString();
        exchange.Http.Response.ContentType = "application/json";
        exchange.Http.Response.ContentLength = told.Length;
        await exchange.Http.Response.BodyWriter.WriteAsync(told, exchange.Http.RequestAborted);
    }

    async Task RelayStreamAsync(Exchange exchange, Passage passage, HttpResponseMessage response, Running.Request run)
    {
        if (response.Content.Headers.ContentType?.MediaType is not "text/event-stream")
        {
            await EndFailedAsync(exchange, Problems.Upstream(502, "upstream_malformed", "The provider's answer is not a stream of events."));
            return;
        }
        var relay = passage.Relay!;
        var toCaller = exchange.Http.Response.BodyWriter;
        await using var upstream = await response.Content.ReadAsStreamAsync(run.Ended);
        var buffer = ArrayPool<byte>.Shared.Rent(32 * 1024);
        try
        {
            for (int read; !relay.IsDone && (read = await upstream.ReadAsync(buffer, run.Ended)) > 0;)
            {
                BeginStream(exchange, passage);
                run.LimitSilence(exchange.Route.Upstream.Timeout);
                relay.Push(buffer.AsSpan(0, read), toCaller);
                run.CallerStalls = true;
                if (toCaller.UnflushedBytes > 0)
                    await toCaller.FlushAsync(run.Ended);
                run.CallerStalls = false;
                Failpoint.Hit("proxy.stream.piece");
                if (relay.Meter.DeliveredTokens is var delivered && exchange.IsCheckpointDue(delivered))
                    exchange.Checkpoint(delivered, relay.Meter.Estimate(passage.Body.Span, ""));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        BeginStream(exchange, passage);
        relay.End(toCaller);
        if (!relay.IsWhole || IsEmpty(relay.Meter))
            throw new IOException("the provider ended its stream early");

        var metered = relay.Meter.Settle(passage.Body.Span);
        Failpoint.Hit("proxy.stream.ended");
        var cost = EndAnswered(exchange, run, metered);
        Failpoint.Hit("proxy.stream.settled");
        relay.WriteTail(toCaller, metered.Usage, cost);
        await toCaller.FlushAsync(exchange.Http.RequestAborted);
    }

    /// <summary>The provider answered to its end; the caller may have left before that, and the connection drained.</summary>
    Money EndAnswered(Exchange exchange, Running.Request run, MeterReading metered) => run.Draining
        ? exchange.End(publisher, rates, RequestOutcome.Aborted, StatusCodes.Status499ClientClosedRequest, metered, "drained")
        : exchange.End(publisher, rates, RequestOutcome.Completed, StatusCodes.Status200OK, metered);

    /// <summary>Nothing was delivered and nothing was used: no completion, whatever its status says.</summary>
    static bool IsEmpty(AnswerMeter meter) => !meter.ContentSeen && !meter.UsageIsBelieved;

    /// <summary>
    /// The caller left or takes nothing any more, its credential was revoked, or the provider broke off or fell silent. Whoever left pays for the input and what was
    /// delivered; for a provider's failure before the first content nobody pays.
    /// </summary>
    async Task EndBrokenAsync(Exchange exchange, Passage passage, Running.Request run, Exception e)
    {
        var (http, meter, body) = (exchange.Http, passage.Meter, passage.Body);
        if (exchange.Ended)
        {
            if (!http.RequestAborted.IsCancellationRequested)
                log.LogError(e, "request {RequestId} failed after it was settled", http.RequestId());
            http.Abort();
            return;
        }
        Failpoint.Hit("proxy.broken.ending");
        if (http.RequestAborted.IsCancellationRequested || run.Revoked || run.CallerStalls)
        {
            var reason = run.Revoked ? "revoked" : http.RequestAborted.IsCancellationRequested ? "aborted" : "stalled";
            // The provider's own count, if it came before the caller left.
            var metered = meter.UsageIsBelieved ? meter.Settle(body.Span) : meter.Estimate(body.Span, reason);
            exchange.End(publisher, rates, RequestOutcome.Aborted, StatusCodes.Status499ClientClosedRequest, metered, metered.Estimated ? null : reason);
            if (run.Revoked)
                await FinishAsync(exchange, passage.Relay, Problems.RevokedCredential);
            else
                http.Abort();
            return;
        }
        if (e is not (IOException or HttpRequestException or OperationCanceledException or ProblemException))
            log.LogError(e, "request {RequestId} failed", http.RequestId());
        var problem = e switch
        {
            ProblemException refused => refused.Problem,
            OperationCanceledException => Problems.Upstream(504, "upstream_timeout", "The provider did not answer in time."),
            _ => Problems.Upstream(502, "upstream_interrupted", "The provider broke off its answer."),
        };
        if (meter.ContentSeen && http.Response.HasStarted)
            exchange.End(publisher, rates, RequestOutcome.Interrupted, problem.Status, meter.Estimate(body.Span, problem.Code));
        else
            exchange.End(publisher, rates, RequestOutcome.Failed, problem.Status, null, problem.Code);
        await FinishAsync(exchange, passage.Relay, problem);
    }

    async Task EndFailedAsync(Exchange exchange, Problem problem)
    {
        exchange.End(publisher, rates, RequestOutcome.Failed, problem.Status, null, problem.Code);
        await problem.ExecuteAsync(exchange.Http);
    }

    /// <summary>Tells a caller who is still there, in the form that the answer has taken so far.</summary>
    static async Task FinishAsync(Exchange exchange, Relay? relay, Problem problem)
    {
        var http = exchange.Http;
        if (http.RequestAborted.IsCancellationRequested)
            return;
        if (!http.Response.HasStarted)
        {
            await problem.ExecuteAsync(http);
            return;
        }
        if (relay is null)
        {
            http.Abort();
            return;
        }
        relay.WriteFailure(http.Response.BodyWriter, problem, http.RequestId());
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    static void BeginStream(Exchange exchange, Passage passage)
    {
        var response = exchange.Http.Response;
        if (response.HasStarted || response.ContentType is not null)
            return;
        exchange.FirstByte();
        Tell(exchange);
        response.ContentType = passage.Request.StreamsAsArray ? "application/json" : "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
    }

    static void Tell(Exchange exchange)
    {
        var headers = exchange.Http.Response.Headers;
        headers["X-Request-Id"] = exchange.Http.RequestId();
        headers["X-LLMGateway-Model"] = exchange.Route.Model.Id;
        headers["X-LLMGateway-Provider"] = exchange.Route.Model.Provider;
    }
}

public static class InferenceRoutes
{
    /// <summary>Without <c>/v1</c> too: people paste either base address. The endpoint is what the usage record says.</summary>
    static readonly (string Path, Wire Wire, string Endpoint)[] Routes =
    [
        ("/v1/chat/completions", Wires.Chat, "/v1/chat/completions"),
        ("/chat/completions", Wires.Chat, "/v1/chat/completions"),
        ("/v1/responses", Wires.Responses, "/v1/responses"),
        ("/responses", Wires.Responses, "/v1/responses"),
    ];

    /// <summary>The hot path does not pass through routing and what comes with it; call before <c>UseRouting</c>. Other methods on these paths do.</summary>
    public static void UseInference(this WebApplication app)
    {
        var inference = app.Services.GetRequiredService<Inference>();
        app.Use(next => http =>
        {
            if (HttpMethods.IsPost(http.Request.Method))
                foreach (var (path, wire, endpoint) in Routes)
                    if (http.Request.Path.Value == path)
                        return inference.HandleAsync(http, wire, default, endpoint);
            return next(http);
        });
        foreach (var (path, wire, endpoint) in Routes)
            app.MapPost(path, http => inference.HandleAsync(http, wire, default, endpoint));
    }
}
