using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// An MCP server behind a route (streamable HTTP): its messages pass with our credential. A call of a tool is a paid call, by all rules of
/// any other one; every other message is a free one. Its body is read before it is counted: a refusal is the error of its message.
/// </summary>
public sealed class McpCalls(
    Inference inference, BodyBudget bodies, RunningCalls runningCalls, KeyedCalls keyedCalls, HttpAnswers answers, Envelope envelope,
    TimeProvider time)
{
    const string Methods = "DELETE, POST";

    const string MethodHeader = "Mcp-Method", NameHeader = "Mcp-Name";

    static readonly Prices NoPrice = new() { PerRequest = new(0) };

    /// <summary>A scope names the whole server by its route, or a tool as <c>route/tool</c>.</summary>
    /// <param name="tool">Null: any of them.</param>
    public static bool IsIn(IReadOnlyList<string>? scope, Route route, string? tool) => scope is null || route.IsIn(scope)
        || scope.Any(allowed => tool is null
            ? allowed.StartsWith($"{route.Model.Id}/", StringComparison.Ordinal)
            : allowed == $"{route.Model.Id}/{tool}");

    /// <param name="endpoint">The route that the usage record names.</param>
    /// <param name="key">The caller's own <c>Idempotency-Key</c>; null where it has none.</param>
    public async ValueTask<Problem?> AnswerAsync(ModelCall call, HttpCall asked, string endpoint, string? key, string credential)
    {
        var (http, route) = (call.Http, asked.Route);
        var refusal = McpRefusal.Of(http);
        call.Route = route;
        if (http.Request.Method is not ("POST" or "DELETE"))
        {
            // Messages of the server come in the answers to the client's. A stream of their own is for servers to offer or not.
            http.Response.Headers.Allow = Methods;
            return Problems.MethodNotAllowed(http);
        }

        // :: 3 Read
        using var body = await HttpBody.OpenAsync(http, bodies, call.Caller.Owner, whole: true, time);
        var message = HttpMethods.IsPost(http.Request.Method) ? McpMessage.Read(body.Whole.Span) : new(null, null, null);
        refusal.Message = message;
        if (Contradicted(http.Request, message) is { } header)
            return Problems.Invalid(header, $"'{header}' says something else than the message.");
        var sessions = new McpSessions(envelope, call.Caller, route.Model.Id);
        string? session = null;
        if (http.Request.Headers[McpSessions.Header].ToString() is { Length: > 0 } given)
        {
            session = sessions.Open(given);
            if (session is null)
                return Problems.NotFound("session at the MCP server");
            asked = asked with { Sets = new Dictionary<string, string> { [McpSessions.Header] = session } };
        }
        SealSession(http.Response, sessions);

        // :: 4 Limit
        if (await inference.CountAsync(call) is { } limited)
            return limited;
        return message.Tool is null
            ? await PassAsync(call, AsFree(asked), body, credential)
            : await CallToolAsync(call, asked, endpoint, key ?? KeyOf(asked, session, message), message, body, credential);
    }

    static string? KeyOf(HttpCall asked, string? session, McpMessage message) =>
        session is null ? null : McpSessions.KeyOf(asked.Route.Model.Id, session, message.Id!);

    static HttpCall AsFree(HttpCall asked) => asked with
    {
        Route = asked.Route with { Model = asked.Route.Model with { Prices = NoPrice }, QueryType = CallCredits.Free },
        Bound = UpperBound.OfRequests(),
        Meter = null,
        NeedsWhole = false,
    };

    async ValueTask<Problem?> CallToolAsync(
        ModelCall call, HttpCall asked, string endpoint, string? key, McpMessage message, HttpBody body, string credential)
    {
        // :: 2 Permit
        var (route, tool) = (asked.Route, message.Tool!);
        var name = $"{route.Model.Id}/{tool}";
        if (!IsIn(call.Caller.Credential.Models, route, tool))
            return Problems.ModelOutOfScope(name);
        if (asked.Mcp!.PriceOf(tool) is not { } price)
            return Problems.Unpriced(name);
        asked = AsPaid(asked, message, price);

        if (key is not null)
        {
            var target = new RequestTarget($"MCP {route.Model.Provider}/{route.Model.Id}", false, false);
            var (isAnswered, problem) = await keyedCalls.BeginAsync(call, endpoint, key, target, body.Whole);
            if (isAnswered || problem is not null)
                return problem;
        }
        return await PassAsync(call, asked, body, credential);
    }

    static HttpCall AsPaid(HttpCall asked, McpMessage message, ToolPrice price)
    {
        var route = asked.Route;
        return asked with
        {
            Route = route with
            {
                Model = route.Model with { UpstreamModel = message.Tool!, Prices = new() { PerRequest = price.Price ?? new Rate(0) } },
                PaidBy = Payers.Credits | (price.Price is null && price.MaxCost is null ? Payers.Nothing : Payers.Wallet),
            },
            Bound = UpperBound.OfRequests(1, price.Most()),
            Meter = (_, response) => new McpMeter(message, price, response.Content.Headers.ContentType?.MediaType is "text/event-stream"),
            MeterOfNone = () => new McpMeter(message, price, isStream: false),
            OfFailure = said =>
            {
                using var meter = new McpMeter(message, price, isStream: false);
                meter.Push(said.Span);
                var reading = meter.Settle(isWhole: true);
                return meter.IsAnswer ? reading : null;
            },
        };
    }

    /// <summary>The call goes on to its result when its caller leaves: what a tool has done is done.</summary>
    async ValueTask<Problem?> PassAsync(ModelCall call, HttpCall asked, HttpBody body, string credential)
    {
        // :: 5 Reserve
        call.Route = asked.Route;
        var (_, problem) = await inference.ReserveAsync(call, asked.Bound, 0);
        if (problem is not null)
            return problem;

        // :: 6 Forward, 7 Meter, 8 Settle, 9 Tell
        using var run = runningCalls.Start(
            call.Caller, call.Route.Upstream, call.Http.RequestAborted, keyed: asked.Meter is not null);
        run.LimitTime(TimeSpan.FromSeconds(asked.Mcp!.MaxSeconds ?? CustomRoute.UsualSeconds));
        await answers.AnswerAsync(call, asked, body, credential, run);
        return null;
    }

    /// <summary>Servers may go by these instead of the body. Null where they say the same.</summary>
    static string? Contradicted(HttpRequest request, McpMessage message)
    {
        return SaysOther(MethodHeader, message.Method) ? MethodHeader
            : message.Tool is not null && SaysOther(NameHeader, message.Tool) ? NameHeader
            : null;

        bool SaysOther(string header, string? meant) => request.Headers[header].ToString() is { Length: > 0 } said && said != meant;
    }

    static void SealSession(HttpResponse response, McpSessions sessions) => response.OnStarting(() =>
    {
        if (response.Headers[McpSessions.Header].ToString() is { Length: > 0 } id)
            response.Headers[McpSessions.Header] = sessions.Seal(id);
        return Task.CompletedTask;
    });
}
