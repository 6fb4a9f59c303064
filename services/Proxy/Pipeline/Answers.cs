using System.Buffers;
using System.Runtime.CompilerServices;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Stages 6 to 9: gets one provider's answer to the caller and ends the request in one settlement. <see cref="ProviderAttempt"/> has the
/// differences between wires.
/// </summary>
public sealed class Answers(
    Forwarding forwarding, SpoolPublisher publisher, RateLimits rateLimits, KeyedCalls keyedCalls, ILogger<Answers> log)
{
    const int MaxErrorBytes = 64 * 1024;

    /// <summary>
    /// Null when the request has ended and the caller has its answer. Otherwise the reason why this provider failed before the caller saw
    /// anything; another provider may be tried.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Problem?> AnswerAsync(ModelCall call, ProviderAttempt attempt, long outputLimit, RunningCalls.Run run)
    {
        try
        {
            // :: 6 Forward
            run.LimitSilence(call.Route.Upstream.Timeout);
            var (response, problem) = await ForwardAsync(call, attempt, outputLimit, run);
            using (response)
            {
                if (response is null)
                    return problem;

                Failpoint.Hit("proxy.forward.answered");
                // :: 7 Meter, 8 Settle, 9 Tell
                return attempt.Relay is not null
                    ? await RelayStreamAsync(call, attempt, response, run)
                    : await RelayWholeAsync(call, attempt, response, run);
            }
        }
        catch (Exception e)
        {
            return await EndBrokenAsync(call, attempt, run, e);
        }
    }

    /// <summary>Ends the request after the last provider failed.</summary>
    public async Task FailAsync(ModelCall call, Problem problem)
    {
        call.End(publisher, rateLimits, RequestOutcome.Failed, problem.Status, null, problem.Code);
        if (call.Keyed is not null)
            await keyedCalls.FreeAsync(call);
        if (!call.Http.RequestAborted.IsCancellationRequested)
            await problem.ExecuteAsync(call.Http);
    }

    /// <summary>The head of a good answer, or the problem.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<(HttpResponseMessage? Response, Problem? Problem)> ForwardAsync(
        ModelCall call, ProviderAttempt attempt, long outputLimit, RunningCalls.Run run)
    {
        while (true)
        {
            var sent = attempt.Compose(outputLimit);
            var (response, problem) = await forwarding.SendAsync(call.Route.Upstream, () => attempt.Post(sent), run.Ended);
            if (response is null)
                return (null, problem);
            if (response.IsSuccessStatusCode)
            {
                attempt.WasTaken();
                call.Answered = true;
                return (response, null);
            }
            using (response)
            {
                using var answer = await AnswerBody.ReadAsync(response, MaxErrorBytes, truncate: true, run.Ended);
                if (!attempt.Yields((int)response.StatusCode, answer.Memory.Span))
                    return (null, UpstreamErrors.Of(call.Route.Upstream, response, answer.Memory.Span));
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<Problem?> RelayWholeAsync(ModelCall call, ProviderAttempt attempt, HttpResponseMessage response, RunningCalls.Run run)
    {
        using var answer = await AnswerBody.ReadAsync(response, AnswerBody.MaxBytes, truncate: false, run.Ended);
        call.FirstByte();
        GenAiSpan.See(answer.Memory.Span);
        if (attempt.AnswerType(response) is not { } type)
            return UpstreamErrors.Malformed;
        if (attempt.SeeWhole(answer.Memory.Span) is { } unusable)
            return unusable;
        Failpoint.Hit("proxy.whole.read");
        var metered = attempt.Meter.Settle(attempt.Body.Span);
        var cost = Settle(call, run, metered);
        Failpoint.Hit("proxy.whole.settled");

        var told = attempt.Retell(answer.Memory, metered.Usage, cost);
        if (attempt.Turn is { } turn)
            told = await turn.TellAsync(told, call.Route.Model.Provider);
        Tell(call);
        call.Http.Response.Headers["X-LLMGateway-Cost"] = cost.ToString();
        call.Http.Response.ContentType = type;
        if (call.Keyed is not null)
            await EndKeyedAsync(call, run, metered, told);
        call.Http.Response.ContentLength = told.Length;
        await call.Http.Response.BodyWriter.WriteAsync(told, call.Http.RequestAborted);
        return null;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<Problem?> RelayStreamAsync(ModelCall call, ProviderAttempt attempt, HttpResponseMessage response, RunningCalls.Run run)
    {
        if (response.Content.Headers.ContentType?.MediaType is not "text/event-stream")
            return Problems.Upstream(502, "upstream_malformed", "The provider's answer is not a stream of events.");
        var relay = attempt.Relay!;
        var toCaller = call.Http.Response.BodyWriter;
        using var room = call.Keyed is null ? null : keyedCalls.OpenRoom(call);
        IBufferWriter<byte> told = room is null ? toCaller : call.Keyed!.Record(toCaller, room);
        // While another provider could take over, nothing before the first content goes to the caller.
        var early = call.Route.Next is null ? null : new ArrayBufferWriter<byte>();
        await using var upstream = await InflatedStream.OpenAsync(response, run.Ended);
        var buffer = ArrayPool<byte>.Shared.Rent(32 * 1024);
        try
        {
            for (int read; !relay.IsDone && (read = await upstream.ReadAsync(buffer, run.Ended)) > 0;)
            {
                run.LimitSilence(call.Route.Upstream.Timeout);
                GenAiSpan.See(buffer.AsSpan(0, read));
                relay.Push(buffer.AsSpan(0, read), early ?? told);
                if (early is not null && !relay.Meter.ContentSeen)
                    continue;
                BeginStream(call, attempt, told, ref early);
                run.CallerStalls = true;
                if (toCaller.UnflushedBytes > 0)
                    await toCaller.FlushAsync(run.Ended);
                run.CallerStalls = false;
                Failpoint.Hit("proxy.stream.piece");
                if (relay.Meter.DeliveredTokens is var delivered && call.IsCheckpointDue(delivered))
                    call.Checkpoint(delivered, relay.Meter.Estimate(attempt.Body.Span, ""));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        relay.End(early ?? told);
        if (!relay.IsWhole || relay.Meter.IsEmpty)
            throw new IOException("the provider ended or failed before its answer was whole");
        BeginStream(call, attempt, told, ref early);

        var metered = relay.Meter.Settle(attempt.Body.Span);
        Failpoint.Hit("proxy.stream.ended");
        var cost = Settle(call, run, metered);
        Failpoint.Hit("proxy.stream.settled");
        if (attempt.Turn is null && call.Keyed is null)
            relay.WriteTail(toCaller, metered.Usage, cost);
        else
            toCaller.Write((await KeptTailAsync(call, attempt, run, metered, cost)).Span);
        await toCaller.FlushAsync(call.Http.RequestAborted);
        return null;
    }

    /// <summary>The end of a stream that is continued or repeated later, which is kept before its caller has it.</summary>
    async Task<ReadOnlyMemory<byte>> KeptTailAsync(
        ModelCall call, ProviderAttempt attempt, RunningCalls.Run run, MeterReading metered, Money cost)
    {
        var written = new ArrayBufferWriter<byte>();
        attempt.Relay!.WriteTail(written, metered.Usage, cost);
        ReadOnlyMemory<byte> tail = written.WrittenMemory;
        if (attempt.Turn is { } turn)
            tail = await turn.TellEndAsync(tail, call.Route.Model.Provider);
        if (call.Keyed is { Told: var begun })
            await EndKeyedAsync(call, run, metered, begun is { } start ? (byte[])[.. start.Span, .. tail.Span] : null);
        return tail;
    }

    /// <summary>
    /// The provider answered to its end, and the request ends with it. A keyed call ends later, together with the answer that its caller
    /// gets; what it will cost is known now.
    /// </summary>
    Money Settle(ModelCall call, RunningCalls.Run run, MeterReading metered)
    {
        var (outcome, status, reason) = Ending(run);
        return call.Keyed is null
            ? call.End(publisher, rateLimits, outcome, status, metered, reason)
            : call.Foresee(outcome, status, metered, reason).Paid;
    }

    /// <summary>The caller may have left before, if the connection or the call drains.</summary>
    static (RequestOutcome Outcome, int Status, string? Reason) Ending(RunningCalls.Run run) => run.Draining
        ? (RequestOutcome.Aborted, StatusCodes.Status499ClientClosedRequest, "drained")
        : (RequestOutcome.Completed, StatusCodes.Status200OK, null);

    /// <summary>Charge and answer are in the ledger before the caller has the last byte, or the charge alone is in the spool.</summary>
    /// <param name="told">Null when it is too much to be kept.</param>
    async Task EndKeyedAsync(ModelCall call, RunningCalls.Run run, MeterReading metered, ReadOnlyMemory<byte>? told)
    {
        var (outcome, status, reason) = Ending(run);
        call.Keyed!.IsWhole = true;
        await keyedCalls.EndAsync(call, call.Foresee(outcome, status, metered, reason).Record, told);
        call.End(publisher, rateLimits, outcome, status, metered, reason);
    }

    /// <summary>
    /// The caller left or stopped reading, its credential was revoked, or the provider broke off or fell silent. A caller that left pays
    /// for the input and for what was delivered. For a provider's failure before the first content nobody pays, and another provider may be
    /// tried while the caller has seen nothing.
    /// </summary>
    async Task<Problem?> EndBrokenAsync(ModelCall call, ProviderAttempt attempt, RunningCalls.Run run, Exception e)
    {
        var (http, meter, body) = (call.Http, attempt.Meter, attempt.Body);
        if (call.Ended)
        {
            if (!http.RequestAborted.IsCancellationRequested)
                log.LogError(e, "request {RequestId} failed after it was settled", http.RequestId());
            http.Abort();
            return null;
        }
        Failpoint.Hit("proxy.broken.ending");
        if (http.RequestAborted.IsCancellationRequested || run.Revoked || run.CallerStalls)
        {
            var reason = run.Revoked ? "revoked" : http.RequestAborted.IsCancellationRequested ? "aborted" : "stalled";
            // The provider's count is used if it came before the caller left.
            var metered = meter.UsageIsBelieved ? meter.Settle(body.Span) : meter.Estimate(body.Span, reason);
            call.End(
                publisher,
                rateLimits,
                RequestOutcome.Aborted,
                StatusCodes.Status499ClientClosedRequest,
                metered,
                metered.Estimated ? null : reason);
            if (run.Revoked)
                await FinishAsync(call, attempt.Relay, Problems.RevokedCredential);
            else
                http.Abort();
            return null;
        }
        if (e is not (IOException or HttpRequestException or OperationCanceledException or ProblemException))
            log.LogError(e, "request {RequestId} failed", http.RequestId());
        var problem = e switch
        {
            ProblemException refused => refused.Problem,
            OperationCanceledException => UpstreamErrors.TimedOut,
            _ => UpstreamErrors.Interrupted,
        };
        if (!HasBegun(http.Response))
            return attempt.Relay?.FailureMessage is { } message ? problem with { Message = message } : problem;
        if (meter.ContentSeen)
            call.End(publisher, rateLimits, RequestOutcome.Interrupted, problem.Status, meter.Estimate(body.Span, problem.Code));
        else
            call.End(publisher, rateLimits, RequestOutcome.Failed, problem.Status, null, problem.Code);
        await FinishAsync(call, attempt.Relay, problem);
        return null;
    }

    /// <summary>Tells a caller who is still connected, in the form that the answer has taken so far.</summary>
    static async Task FinishAsync(ModelCall call, StreamRelay? relay, Problem problem)
    {
        var http = call.Http;
        if (http.RequestAborted.IsCancellationRequested)
            return;
        if (!HasBegun(http.Response))
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

    static void BeginStream(ModelCall call, ProviderAttempt attempt, IBufferWriter<byte> told, ref ArrayBufferWriter<byte>? early)
    {
        var response = call.Http.Response;
        if (HasBegun(response))
            return;
        call.FirstByte();
        Tell(call);
        response.ContentType = attempt.Request.StreamsAsArray ? "application/json" : "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        if (early is not null)
            told.Write(early.WrittenSpan);
        early = null;
    }

    /// <summary>The response's head is decided, even if it was not sent yet.</summary>
    static bool HasBegun(HttpResponse response) => response.HasStarted || response.ContentType is not null;

    static void Tell(ModelCall call)
    {
        var headers = call.Http.Response.Headers;
        headers["X-Request-Id"] = call.Http.RequestId();
        headers["X-LLMGateway-Model"] = call.Route.Model.Id;
        headers["X-LLMGateway-Provider"] = call.Route.Model.Provider;
        call.TellCredit();
    }
}
