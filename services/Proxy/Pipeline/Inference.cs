using System.Runtime.CompilerServices;
using LlmGateway.Contracts;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A call to a model, on any wire, stage by stage:
/// <code>
///   1 identify ─ 2 permit ─ 3 read ─ 4 limit ─ 5 reserve ─ 6 forward ─ 7 meter ─ 8 settle ─ 9 tell
///   └── refused: nothing was reserved ──────┘   └── from here on the request ends in exactly one settlement ──┘
/// </code>
/// Requests per minute are asked before the body is read, because it may be large.
/// </summary>
public sealed class Inference(
    Identity identity, BodyBudget bodies, RunningCalls runningCalls, KeyUse keys, RateLimits rateLimits, Slices slices,
    WindowAdmission windows, Answers answers, LedgerClock clock, Spool spool, SpoolPublisher publisher,
    OutputDefault outputDefault, ResponseStates responses, KeyedCalls keyedCalls, OwnCredits credits, GenAiSpan span, TimeProvider time)
{
    /// <summary>A cycle turns once while a request asks for its hold.</summary>
    const int MaxClaims = 2;

    /// <param name="wire">The caller's wire.</param>
    /// <param name="endpoint">The route that the usage record names.</param>
    public Task HandleAsync(HttpContext http, Wire wire, RequestTarget target, string endpoint)
    {
        var call = new ModelCall(http, endpoint, clock, time);
        http.SetRequestId(call.Id);
        http.Speak(wire);
        Spans.Begin(http, endpoint);
        return EndSafelyAsync(call, endpoint, RunAsync(call, wire, target, endpoint));
    }

    /// <summary>Tells a refusal, and ends what a request holds when it fails. For every kind of paid request.</summary>
    /// <param name="running">Why the request is refused, or null when it has been answered.</param>
    public async Task EndSafelyAsync(ModelCall call, string endpoint, ValueTask<Problem?> running)
    {
        var http = call.Http;
        try
        {
            var refused = await running;
            if (call.Keyed is not null)
                await keyedCalls.FreeAsync(call);
            if (refused is not null)
            {
                Spans.Refused(http, refused.Code);
                EdgeMetrics.Refused(endpoint, refused.Code);
                call.GiveBackTokens(rateLimits);
                await refused.ExecuteAsync(http);
            }
        }
        catch (Exception)
        {
            // Whatever failed, the hold must end.
            try
            {
                if (call.IsOpen)
                    call.EndAtLast(
                        publisher, rateLimits, RequestOutcome.Failed, StatusCodes.Status500InternalServerError, null, "internal");
            }
            finally
            {
                call.GiveBackTokens(rateLimits);
                if (call.Keyed is not null)
                    await keyedCalls.FreeAsync(call);
            }
            throw;
        }
    }

    /// <summary>
    /// Why the request is refused, or null when it has been answered. Here and in <see cref="Answers"/>, what waits for the provider is
    /// pooled: these boxes are a tenth of what a request allocates.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<Problem?> RunAsync(ModelCall call, Wire wire, RequestTarget target, string endpoint)
    {
        // :: 1 Identify, 2 Permit
        var (key, problem) = await IdentifyAsync(call);
        if (problem is not null)
            return problem;
        Failpoint.Hit("proxy.request.identified");

        // :: 3 Read
        problem = await CountAsync(call);
        if (problem is not null)
            return problem;
        using var body = await RequestBody.ReadAsync(call.Http, bodies, call.Caller.Owner, wire.TakesForm);
        if (key is not null)
        {
            (var isAnswered, problem) = await keyedCalls.BeginAsync(call, endpoint, key, target, body.Memory);
            if (isAnswered || problem is not null)
                return problem;
        }
        (var request, var bound, problem) = await ReadAsync(call, wire, target, body);
        if (request is null || problem is not null)
            return problem;
        Failpoint.Hit("proxy.request.read");

        // :: 4 Limit
        var outputLimit = outputDefault.LimitOf(request.MaxTokens, call.Route.Model.MaxOutputTokens);
        problem = await LimitAsync(call, request, outputLimit);
        if (problem is not null)
            return problem;
        Failpoint.Hit("proxy.request.limited");

        // :: 5 Reserve
        (outputLimit, problem) = await ReserveAsync(call, bound, outputLimit);
        if (problem is not null)
            return problem;
        Failpoint.Hit("proxy.request.reserved");

        // :: 6 Forward, 7 Meter, 8 Settle, 9 Tell: by the first provider that can
        do
        {
            using var run = runningCalls.Start(call.Caller, call.Route.Upstream, call.Http.RequestAborted, keyed: key is not null);
            using var attempt = new ProviderAttempt(wire, call, request, body.Memory);
            span.Start(call, wire, request, body.Memory);
            try
            {
                problem = await answers.AnswerAsync(call, attempt, outputLimit, run);
            }
            finally
            {
                GenAiSpan.End(attempt, problem);
            }
            if (problem is not null)
                EdgeMetrics.ProviderFailed(call.Route.Upstream.Provider.Wire, problem);
        }
        while (problem is not null && TryFallBack(call, wire, request, body.Memory, outputLimit, problem));
        if (problem is not null)
            await answers.FailAsync(call, problem);
        return null;
    }

    /// <summary>Stages 1 and 2, for every kind of paid request.</summary>
    /// <returns>The <c>Idempotency-Key</c>, where there is one.</returns>
    public async ValueTask<(string? Key, Problem? Problem)> IdentifyAsync(ModelCall call)
    {
        var (caller, problem) = await identity.IdentifyAsync(call.Http);
        problem ??= Permit.CheckInference(caller!.Credential);
        if (problem is not null)
            return (null, problem);
        call.Caller = caller!;
        keys.Record(caller!.Credential);
        return Idempotency.ReadKey(call.Http.Request);
    }

    /// <summary>Takes one of the customer's requests per minute.</summary>
    public async ValueTask<Problem?> CountAsync(ModelCall call)
    {
        var taken = await rateLimits.TakeRequestAsync(call.Caller.Credential, call.Http.RequestAborted);
        RateHeaders.Write(taken, call.Http.Response.Headers);
        return taken.Problem;
    }

    /// <summary>What is asked, which provider it goes to first, and the most that it can cost.</summary>
    async ValueTask<(ModelRequest? Request, UpperBound Bound, Problem? Problem)> ReadAsync(
        ModelCall call, Wire wire, RequestTarget target, RequestBody body)
    {
        ModelRequest? request;
        Problem? problem;
        if (wire == Wires.Responses)
            (request, problem) = await responses.ReadAsync(call, body);
        else
            wire.TryRead(body.Memory.Span, target, out request, out problem);
        if (request is null)
            return (null, default, problem);
        problem = Routing.TryRoute(call.Caller, wire, request, out var route, out var bound);
        if (problem is null)
            (call.Route, call.Stream, call.Request) = (route, request.Stream, request);
        return (request, bound, problem);
    }

    /// <summary>
    /// Moves the request to another provider while the caller has seen nothing. The failed attempt gets a record of its own.
    /// </summary>
    bool TryFallBack(
        ModelCall call, Wire wire, ModelRequest request, ReadOnlyMemory<byte> body, long outputLimit, Problem problem)
    {
        if (call.Http.RequestAborted.IsCancellationRequested)
            return false;
        for (var next = After(call.Route); next is not null; next = After(next))
        {
            if (!ProviderAttempt.CanBeSaid(wire, next, request, body, outputLimit))
                continue;
            call.EndAttempt(publisher, problem);
            call.Route = next;
            return true;
        }
        return false;

        Route? After(Route failed) => Routing.Fallback(call.Caller, wire, request, failed, problem);
    }

    async ValueTask<Problem?> LimitAsync(ModelCall call, ModelRequest request, long outputLimit)
    {
        var tokens = RateLimits.Estimate(request.BodyBytes, outputLimit * request.Choices);
        var taken = await rateLimits.TakeTokensAsync(call.Caller.Credential, tokens, call.Http.RequestAborted);
        call.RatedTokens = taken.TakenTokens;
        RateHeaders.Write(taken, call.Http.Response.Headers);
        return taken.Problem;
    }

    /// <summary>Stage 5, for every kind of paid request. Without a problem the request has begun and must be ended.</summary>
    /// <returns>The output that the registers can pay for.</returns>
    public async ValueTask<(long OutputLimit, Problem? Problem)> ReserveAsync(ModelCall call, UpperBound bound, long outputLimit)
    {
        if (publisher.Refusal is { } refusal)
            return (0, refusal);
        var (answer, claim, minimum) = (default(HoldAnswer), default(Claim), Array.Empty<long>());
        for (var attempt = 1; attempt <= MaxClaims; attempt++)
        {
            if (!Claims.TryGet(call.Caller.Credential, call.Route, clock.Now, out claim, bound.IsBatch))
                return (0, WithoutTerm(call.Caller));
            if (Claims.IsPaidByNothing(call.Caller.Credential, call.Route) && bound.Cost(outputLimit) > 0)
                return (0, Problems.NothingPays(call.Route.Model.Id));
            if (claim is null)
                return (outputLimit, await BeginAsync(call));
            (minimum, var full) = Admission.Demand(claim, bound, outputLimit);
            try
            {
                answer = await slices.ReserveAsync(claim, minimum, full, call.Http.RequestAborted);
            }
            catch (Exception e) when (Problems.IsOutage(e))
            {
                return (0, Problems.Unavailable);
            }
            if (answer.Refusal?.Reason != RefusalReason.CycleOver)
                break;
        }
        if (answer.Hold is not { } hold)
        {
            var refused = Admission.ProblemOf(answer.Refusal!, claim!, minimum, clock.Now);
            return (0, await credits.TellAsync(refused, call.Caller.Credential, call.Http.RequestAborted));
        }
        call.Hold = hold;
        var problem = await BeginAsync(call);
        return (problem is null ? Admission.AffordableOutput(claim!, hold.Amounts, bound, outputLimit) : 0, problem);
    }

    /// <summary>Something that counts or pays has no term for now: a plan has ended, or the copy of the credential is outdated.</summary>
    Problem WithoutTerm(Caller caller)
    {
        if (Claims.EndedPlan(caller.Credential, clock.Now) is { To: { } end } plan)
            return Problems.PlanEnded(plan.Name, end);
        identity.Distrust(caller);
        return Problems.Unavailable;
    }

    /// <summary>
    /// The last of stage 5: what the request holds is written down, and its client session's windows are open. They are asked for last, so
    /// that no request that is refused takes a unit.
    /// </summary>
    ValueTask<Problem?> BeginAsync(ModelCall call)
    {
        if (call.TryBegin(spool.Journal))
            return Claims.HasWindows(call.Caller.Credential) ? EnterSessionAsync(call) : default;
        call.Withdraw();
        return new(Problems.Unavailable);
    }

    async ValueTask<Problem?> EnterSessionAsync(ModelCall call)
    {
        try
        {
            var (entered, problem) = await windows.EnterAsync(
                call.Caller.Credential, call.Route, ClientSession.Of(call.Http, call.Request), call.Http.RequestAborted);
            if (entered is null && problem is null)
            {
                identity.Distrust(call.Caller);
                problem = Problems.Unavailable;
            }
            if (problem is null)
                call.KeepOpen(entered!);
            else
                call.Withdraw();
            return problem;
        }
        catch (Exception e)
        {
            call.Withdraw();
            if (!Problems.IsOutage(e))
                throw;
            return Problems.Unavailable;
        }
    }
}
