using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Batches;

/// <summary><c>/v1/messages/batches</c>: Anthropic's batches. <see cref="BatchCreation"/> says how they are charged.</summary>
public sealed class MessageBatches(
    Entrance entrance, OwnObjects objects, BatchCreation creation, BatchSettling settling, ProviderCalls calls, SessionsClient sessions,
    LedgerClock clock, TimeProvider time)
{
    const string Path = "/v1/messages/batches", Kind = ProviderObject.MessageBatch;

    /// <summary>The members of a description that we replace; all others are the provider's.</summary>
    const string Id = "id", ResultsUrl = "results_url";

    public static void Map(WebApplication app)
    {
        var batches = app.Services.GetRequiredService<MessageBatches>();
        app.MapPost(Path, (Delegate)batches.CreateAsync);
        app.MapGet(Path, (Delegate)batches.ListAsync);
        app.MapGet($"{Path}/{{id}}", (string id, HttpContext http) => batches.DescribeAsync(http, id, HttpMethod.Get, ""));
        app.MapPost($"{Path}/{{id}}/cancel", (string id, HttpContext http) => batches.DescribeAsync(http, id, HttpMethod.Post, "/cancel"));
        app.MapGet($"{Path}/{{id}}/results", (string id, HttpContext http) => batches.ResultsAsync(http, id));
        app.MapDelete($"{Path}/{{id}}", (string id, HttpContext http) => batches.DeleteAsync(http, id));
    }

    async Task CreateAsync(HttpContext http)
    {
        var call = new ModelCall(http, Path, clock, time);
        call.Caller = await entrance.EnterAsync(http, Wires.Messages, call.Id);
        await creation.AnswerAsync(call, Path, body => Task.FromResult(Read(call, body)));
    }

    static NewBatch Read(ModelCall call, ReadOnlyMemory<byte> body)
    {
        var plan = new BatchPlan(call.Caller, "/v1/messages");
        var sent = MessageBatchBody.Read(body, plan);
        call.Route = plan.Route!;
        var upstream = call.Route.Upstream;
        var create = new ProviderCall(call.Http, Wires.Messages, upstream, upstream.NextKey(), HttpMethod.Post, Path)
        {
            Content = () => Json(sent),
        };
        return new(
            Kind, "msgbatch_", plan.Terms, create,
            providerId => create with { Path = $"{Path}/{Uri.EscapeDataString(providerId)}/cancel", Content = null },
            (made, answer) => Shown(call.Http, made, answer));
    }

    async Task<IResult> ListAsync(HttpContext http)
    {
        var caller = await entrance.EnterAsync(http, Wires.Messages);
        if (http.Request.Query.ContainsKey("before_id"))
            throw FieldErrors.Invalid("before_id", "is not offered here; go on with 'after_id'");
        var (page, hasMore) = await objects.ListAsync(
            http, caller, Kind, "after_id", batch => AskAsync(http, caller, batch, HttpMethod.Get, ""));
        return ProviderCalls.Answer(new JsonObject
        {
            ["data"] = new JsonArray([.. page]),
            ["has_more"] = hasMore,
            ["first_id"] = (string?)page.FirstOrDefault()?[Id],
            ["last_id"] = (string?)page.LastOrDefault()?[Id],
        });
    }

    async Task<IResult> DescribeAsync(HttpContext http, string id, HttpMethod method, string action)
    {
        var caller = await entrance.EnterAsync(http, Wires.Messages);
        return ProviderCalls.Answer(await AskAsync(http, caller, await objects.FindAsync(caller, Kind, id), method, action));
    }

    async Task ResultsAsync(HttpContext http, string id)
    {
        var caller = await entrance.EnterAsync(http, Wires.Messages);
        var batch = await objects.FindAsync(caller, Kind, id);
        await calls.PassAsync(http, Call(http, caller, batch, HttpMethod.Get, "/results"), "application/x-jsonl");
    }

    /// <summary>Deleting a batch deletes its results, so its cost must be booked before.</summary>
    async Task<IResult> DeleteAsync(HttpContext http, string id)
    {
        var caller = await entrance.EnterAsync(http, Wires.Messages);
        var batch = await objects.FindAsync(caller, Kind, id);
        if (!batch.Settled && !await settling.SettleAsync(batch, http.RequestAborted))
            throw new ProblemException(
                Problems.Conflict(
                    "batch_not_settled", "A batch can be deleted when it has ended and its cost is booked. Try again in a moment."));
        var answer = await calls.AskAsync(Call(http, caller, batch, HttpMethod.Delete, ""), http.RequestAborted);
        await sessions.DeleteAsync(batch);
        answer[Id] = batch.Id;
        return ProviderCalls.Answer(answer);
    }

    async Task<JsonObject> AskAsync(HttpContext http, Caller caller, ProviderObject batch, HttpMethod method, string action)
    {
        var answer = await calls.AskAsync(Call(http, caller, batch, method, action), http.RequestAborted);
        if (BatchState.Of(batch, answer).HasEnded)
            settling.Hint(batch);
        return Shown(http, batch, answer);
    }

    static ProviderCall Call(HttpContext http, Caller caller, ProviderObject batch, HttpMethod method, string action) =>
        new(
            http,
            Wires.Messages,
            OwnObjects.ProviderOf(caller.Project, batch),
            batch.ProviderKey,
            method,
            $"{BatchState.PathOf(batch)}{action}")
        {
            About = batch,
        };

    static ReadOnlyMemoryContent Json(ReadOnlyMemory<byte> json) => new(json)
    {
        Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
    };

    /// <summary>
    /// The provider's description under our id. The SDK follows the link with the caller's key, so the link must lead here.
    /// </summary>
    static JsonObject Shown(HttpContext http, ProviderObject batch, JsonObject answer)
    {
        answer[Id] = batch.Id;
        if (answer[ResultsUrl] is not null)
            answer[ResultsUrl] = $"{SchemeOf(http.Request)}://{http.Request.Host}{Path}/{batch.Id}/results";
        return answer;
    }

    /// <summary>A server in front of us that ends TLS names the scheme. Its header can only turn http into https.</summary>
    static string SchemeOf(HttpRequest request) => request.Headers["X-Forwarded-Proto"] == "https" ? "https" : request.Scheme;
}
