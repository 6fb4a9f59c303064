using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Stages 6 to 9 of a call of an HTTP API: gets its answer to the caller byte by byte, and ends the request in one settlement. The rules
/// are those of <see cref="Answers"/>.
/// </summary>
public sealed class HttpAnswers(
    Forwarding forwarding, SpoolPublisher publisher, RateLimits rateLimits, KeyedCalls keyedCalls, ILogger<HttpAnswers> log)
{
    /// <summary>An API's words of an error, which are told with its secrets hidden.</summary>
    const int MaxErrorBytes = 1024 * 1024;

    /// <summary>An answer of this size is settled before its head is sent, so that its head can say what it costs.</summary>
    const int MaxHeldBytes = 256 * 1024;

    const int PieceBytes = 32 * 1024;

    static readonly Problem Redirected = Problems.Upstream(
        502, "upstream_redirect", "The provider answered with the address of another place, to which no request is sent on.");

    public async Task AnswerAsync(ModelCall call, HttpCall asked, HttpBody body, string credential, RunningCalls.Run run)
    {
        var answer = new OneAnswer(call, asked, body, run);
        try
        {
            run.LimitSilence(call.Route.Upstream.Timeout);
            var (response, problem) = await forwarding.SendAsync(
                call.Route.Upstream,
                () => asked.Compose(call.Http, body, credential, () => run.LimitSilence(call.Route.Upstream.Timeout)),
                run.Ended,
                once: body.CanBeSentOnce);
            using (response)
            {
                if (response is null)
                {
                    // To the client that sends, a body that could not be read is a connection that failed.
                    if (body.Refused is { } refused)
                        throw refused;
                    await FailAsync(call, problem!);
                    return;
                }
                if (IsAnswer((int)response.StatusCode))
                    await RelayAsync(answer, response);
                else
                    await RefuseAsync(call, response, run.Ended);
            }
        }
        catch (Exception e)
        {
            await EndBrokenAsync(answer, e);
        }
        finally
        {
            answer.Meter?.Dispose();
        }
    }

    static bool IsAnswer(int status) => status is >= 200 and < 300 or StatusCodes.Status304NotModified;

    async Task FailAsync(ModelCall call, Problem problem)
    {
        EdgeMetrics.ProviderFailed(call.Route.Upstream.Provider.Wire, problem);
        call.End(publisher, rateLimits, RequestOutcome.Failed, problem.Status, null, problem.Code);
        await FreeAsync(call);
        if (!call.Http.RequestAborted.IsCancellationRequested)
            await problem.ExecuteAsync(call.Http);
    }

    /// <summary>
    /// The API did not do what it was asked for, and nobody pays. Its words are the caller's, but for those about our account there.
    /// </summary>
    async Task RefuseAsync(ModelCall call, HttpResponseMessage response, CancellationToken ended)
    {
        var status = (int)response.StatusCode;
        if (status is >= 300 and < 400)
        {
            await FailAsync(call, Redirected);
            return;
        }
        using var said = await AnswerBody.ReadAsync(response, MaxErrorBytes, truncate: true, ended);
        if (status is 401 or 402 or 403 or 407 || said.Memory.Length == MaxErrorBytes)
        {
            await FailAsync(call, UpstreamErrors.Of(call.Route.Upstream, response, said.Memory.Span));
            return;
        }
        call.End(publisher, rateLimits, RequestOutcome.Failed, status, null, "upstream_error");
        await FreeAsync(call);
        var http = call.Http;
        http.Response.StatusCode = status;
        PassedHeaders.Answer(response, http.Response, call.Route.Upstream.Secrets, isInflated: true);
        Tell(call);
        var words = call.Route.Upstream.Secrets.Hide(said.Memory.Span);
        http.Response.ContentLength = words.Length;
        await http.Response.BodyWriter.WriteAsync(words, http.RequestAborted);
    }

    async Task RelayAsync(OneAnswer answer, HttpResponseMessage response)
    {
        var (call, run) = (answer.Call, answer.Run);
        call.Answered = true;
        call.FirstByte();
        call.Stream = response.Content.Headers.ContentType?.MediaType is "text/event-stream";
        answer.Meter = answer.Asked.Meter?.Invoke(answer.Body, response) ?? new();
        answer.Status = (int)response.StatusCode;
        // The caller pays from here on, whatever becomes of this process.
        Checkpoint(answer);

        // What is metered must be read, so it passes as it is meant. Everything else passes as it came.
        var isMetered = answer.Asked.Meter is not null;
        await using var upstream = isMetered
            ? await InflatedStream.OpenAsync(response, run.Ended)
            : await response.Content.ReadAsStreamAsync(run.Ended);
        answer.Length = upstream is InflatedStream ? null : response.Content.Headers.ContentLength;
        using var room = call.Keyed is null ? null : keyedCalls.OpenRoom(call);
        var toCaller = call.Http.Response.BodyWriter;
        IBufferWriter<byte> told = room is null ? toCaller : call.Keyed!.Record(toCaller, room);
        await PassAsync(answer, response, upstream, told, isHeld: isMetered && MayBeHeld(response, answer.Length));
    }

    /// <summary>Whoever reads JSON reads it whole. What may be a stream goes out as it comes.</summary>
    static bool MayBeHeld(HttpResponseMessage response, long? length) => length is { } known
        ? known <= MaxHeldBytes
        : response.Content.Headers.ContentType?.MediaType is { } type
            && (type == "application/json" || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase));

    /// <summary>
    /// The head goes out with the first byte, so that an API that fails before that gets an error told. Where the length is known, the
    /// request ends before the last byte goes out; else before the stream's end is told.
    /// </summary>
    /// <param name="isHeld">Nothing goes out before all is there, or as much as is held.</param>
    async Task PassAsync(OneAnswer answer, HttpResponseMessage response, Stream upstream, IBufferWriter<byte> told, bool isHeld)
    {
        var (call, run, meter) = (answer.Call, answer.Run, answer.Meter!);
        var toCaller = call.Http.Response.BodyWriter;
        var buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            for (int read; (read = await upstream.ReadAsync(buffer, run.Ended)) > 0;)
            {
                run.LimitSilence(call.Route.Upstream.Timeout);
                meter.Push(buffer.AsSpan(0, read));
                if (answer.Delivered == 0)
                    Begin(answer, response, isInflated: upstream is InflatedStream);
                told.Write(buffer.AsSpan(0, read));
                answer.Delivered += read;
                if (answer.Delivered == answer.Length)
                    await EndAsync(answer);
                if (isHeld && !call.Ended && answer.Delivered <= MaxHeldBytes)
                    continue;
                run.CallerStalls = true;
                await toCaller.FlushAsync(call.Ended ? call.Http.RequestAborted : run.Ended);
                run.CallerStalls = false;
                if (!call.Ended && (meter.IsWrittenByTime ? call.IsCheckpointDue() : call.IsCheckpointDue(meter.DeliveredTokens)))
                    Checkpoint(answer);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        if (answer.Delivered == 0)
            Begin(answer, response, isInflated: upstream is InflatedStream);
        if (!call.Ended)
            await EndAsync(answer);
        await toCaller.FlushAsync(call.Http.RequestAborted);
    }

    static void Checkpoint(OneAnswer answer)
    {
        var meter = answer.Meter!;
        var reading = meter.SoFar();
        answer.Call.Requests = meter.Requests;
        answer.Call.Checkpoint(meter.DeliveredTokens, reading);
    }

    static void Begin(OneAnswer answer, HttpResponseMessage response, bool isInflated)
    {
        var (call, told) = (answer.Call, answer.Call.Http.Response);
        told.StatusCode = answer.Status;
        PassedHeaders.Answer(response, told, call.Route.Upstream.Secrets, isInflated, answer.Asked.Response);
        Tell(call);
        if (call.Stream)
            told.Headers["X-Accel-Buffering"] = "no";
        if (answer.Length > 0)
            told.ContentLength = answer.Length;
    }

    /// <summary>The answer is whole. With a key, charge and answer are in the ledger together.</summary>
    async Task EndAsync(OneAnswer answer)
    {
        var (call, run) = (answer.Call, answer.Run);
        var metered = answer.Meter!.Settle(isWhole: true);
        call.Requests = answer.Meter.Requests;
        var (outcome, status, reason) = run.Draining
            ? (RequestOutcome.Aborted, StatusCodes.Status499ClientClosedRequest, "drained")
            : (RequestOutcome.Completed, answer.Status, (string?)null);
        if (call.Keyed is { } keyed)
        {
            keyed.IsWhole = true;
            var (record, foreseen) = call.Foresee(outcome, status, metered, reason);
            TellCost(call, foreseen);
            await keyedCalls.EndAsync(call, record, keyed.Told);
        }
        TellCost(call, call.End(publisher, rateLimits, outcome, status, metered, reason));
    }

    /// <summary>
    /// As <see cref="Answers"/>: who leaves or is revoked pays for what was begun, and nobody pays for a provider that failed before that.
    /// </summary>
    async Task EndBrokenAsync(OneAnswer answer, Exception e)
    {
        var (call, run, http) = (answer.Call, answer.Run, answer.Call.Http);
        if (call.Ended)
        {
            if (!http.RequestAborted.IsCancellationRequested)
                log.LogError(e, "request {RequestId} failed after it was settled", http.RequestId());
            http.Abort();
            return;
        }
        if (http.RequestAborted.IsCancellationRequested || run.Revoked || run.CallerStalls)
        {
            var reason = run.Revoked ? "revoked" : http.RequestAborted.IsCancellationRequested ? "aborted" : "stalled";
            End(RequestOutcome.Aborted, StatusCodes.Status499ClientClosedRequest, reason, isPaid: answer.Meter is not null);
            if (run.Revoked && answer.Delivered == 0)
                await Problems.RevokedCredential.ExecuteAsync(http);
            else
                http.Abort();
            return;
        }
        if (answer.Body.Refused is { } refused)
        {
            End(RequestOutcome.Failed, refused.StatusCode, "bad_request_body", isPaid: false);
            await FreeAsync(call);
            throw refused;
        }
        if (e is not (IOException or HttpRequestException or OperationCanceledException or ProblemException))
            log.LogError(e, "request {RequestId} failed", http.RequestId());
        var problem = e switch
        {
            ProblemException told => told.Problem,
            OperationCanceledException => UpstreamErrors.TimedOut,
            _ => UpstreamErrors.Interrupted,
        };
        if (answer.Delivered == 0)
        {
            call.Answered = false;
            await FailAsync(call, problem);
            return;
        }
        // What was held back nobody has seen.
        call.Answered = http.Response.HasStarted;
        End(
            call.Answered ? RequestOutcome.Interrupted : RequestOutcome.Failed, problem.Status, problem.Code, isPaid: call.Answered);
        http.Abort();

        void End(RequestOutcome outcome, int status, string reason, bool isPaid)
        {
            var hasLeft = outcome == RequestOutcome.Aborted && http.Response.HasStarted;
            var metered = isPaid ? answer.Meter!.Settle(isWhole: false, reason, hasLeft) : null;
            call.Requests = isPaid ? answer.Meter!.Requests : call.Requests;
            call.End(publisher, rateLimits, outcome, status, metered, metered is null ? reason : null);
        }
    }

    ValueTask FreeAsync(ModelCall call) => call.Keyed is null ? default : keyedCalls.FreeAsync(call);

    static void TellCost(ModelCall call, Money paid)
    {
        if (!call.Http.Response.HasStarted)
            call.Http.Response.Headers["X-LLMGateway-Cost"] = paid.ToString();
    }

    static void Tell(ModelCall call)
    {
        var headers = call.Http.Response.Headers;
        headers["X-Request-Id"] = call.Http.RequestId();
        headers["X-LLMGateway-Provider"] = call.Route.Model.Provider;
        if (call.Answered)
            call.TellCredit();
    }

    /// <summary>One answer on its way.</summary>
    sealed class OneAnswer(ModelCall call, HttpCall asked, HttpBody body, RunningCalls.Run run)
    {
        public ModelCall Call => call;
        public HttpCall Asked => asked;
        public HttpBody Body => body;
        public RunningCalls.Run Run => run;

        /// <summary>Null before the provider has begun to answer.</summary>
        public HttpMeter? Meter { get; set; }

        public int Status { get; set; }

        /// <summary>Null where it is not known before its end.</summary>
        public long? Length { get; set; }

        /// <summary>Bytes of the answer that have come.</summary>
        public long Delivered { get; set; }
    }
}
