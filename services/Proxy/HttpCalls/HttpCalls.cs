using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A call of any HTTP API, stage by stage. The stages and their rules are those of <see cref="Inference"/>, so that no address can be
/// called past a limit; what differs is that nothing of the body need be understood.
/// </summary>
public sealed class HttpCalls(
    Inference inference, BodyBudget bodies, RunningCalls runningCalls, KeyedCalls keyedCalls, RateLimits rateLimits, HttpAnswers answers,
    LedgerClock clock, TimeProvider time)
{
    /// <param name="endpoint">The route that the usage record names.</param>
    /// <param name="find">What is called, for a caller who may call it.</param>
    public Task HandleAsync(HttpContext http, string endpoint, Func<Caller, (HttpCall? Call, Problem? Problem)> find)
    {
        var call = Begin(http, endpoint);
        return inference.EndSafelyAsync(call, endpoint, RunAsync(call, endpoint, find));
    }

    /// <summary>A call that everybody may make. Repetitions are not told apart, because who calls is not known.</summary>
    public Task HandleOpenAsync(HttpContext http, string endpoint, Caller nobody, Func<Caller, (HttpCall? Call, Problem? Problem)> find)
    {
        var call = Begin(http, endpoint);
        call.Caller = nobody;
        return inference.EndSafelyAsync(call, endpoint, AnswerAsync(call, endpoint, key: null, find));
    }

    ModelCall Begin(HttpContext http, string endpoint)
    {
        var call = new ModelCall(http, endpoint, clock, time);
        http.SetRequestId(call.Id);
        Spans.Begin(http, endpoint);
        return call;
    }

    async ValueTask<Problem?> RunAsync(ModelCall call, string endpoint, Func<Caller, (HttpCall? Call, Problem? Problem)> find)
    {
        // :: 1 Identify
        var (key, problem) = await inference.IdentifyAsync(call);
        problem ??= await inference.CountAsync(call);
        return problem ?? await AnswerAsync(call, endpoint, key, find);
    }

    async ValueTask<Problem?> AnswerAsync(
        ModelCall call, string endpoint, string? key, Func<Caller, (HttpCall? Call, Problem? Problem)> find)
    {
        // :: 2 Permit
        var (asked, problem) = find(call.Caller);
        if (asked is null)
            return problem;
        call.Route = asked.Route;

        // :: 3 Read
        using var body = await HttpBody.OpenAsync(
            call.Http, bodies, call.Caller.Owner, whole: key is not null || asked.ReadsBody, time);
        if (key is not null)
        {
            // The route says what else of the request has chosen it: host, headers.
            var target = new RequestTarget(
                $"{call.Http.Request.Method} {HttpTarget.Of(call.Http)} {asked.Route.Model.Provider}/{asked.Route.Model.Id}", false, false);
            (var isAnswered, problem) = await keyedCalls.BeginAsync(call, endpoint, key, target, body.Whole);
            if (isAnswered || problem is not null)
                return problem;
        }

        // :: 4 Limit
        problem = await LimitAsync(call, asked.Bound);
        if (problem is not null)
            return problem;

        // :: 5 Reserve
        (_, problem) = await inference.ReserveAsync(call, asked.Bound, 0);
        if (problem is not null)
            return problem;

        // :: 6 Forward, 7 Meter, 8 Settle, 9 Tell
        using var run = runningCalls.Start(call.Caller, call.Route.Upstream, call.Http.RequestAborted, keyed: key is not null);
        await answers.AnswerAsync(call, asked, body, CredentialOf(call.Http.Request), run);
        return null;
    }

    /// <summary>Only what counts tokens takes some of the customer's minute.</summary>
    async ValueTask<Problem?> LimitAsync(ModelCall call, UpperBound bound)
    {
        if (bound.Tokens(0) is not { } tokens)
            return null;
        var taken = await rateLimits.TakeTokensAsync(call.Caller.Credential, RateLimits.Estimate(0, tokens), call.Http.RequestAborted);
        call.RatedTokens = taken.TakenTokens;
        RateHeaders.Write(taken, call.Http.Response.Headers);
        return taken.Problem;
    }

    static string CredentialOf(HttpRequest request) =>
        Permit.TryFindCredential(request, out var credential, out _, out _) ? credential.ToString() : "";
}
