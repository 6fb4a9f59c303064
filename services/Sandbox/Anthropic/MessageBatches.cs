using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>
/// <c>/v1/messages/batches</c>: a batch is in progress when it is created and has ended at the next look. A model that leaves batches (see
/// <see cref="Faults"/>) ends one only after it was cancelled. Requests are answered as by <c>POST /v1/messages</c>, but never slow, cut or
/// late. A model that fails gives an errored result.
/// </summary>
public sealed class MessageBatches(CommonFault common)
{
    const int MaxBatches = 20;
    const int MaxRequests = 1_000;
    const int MaxResultBytes = 16 * 1024 * 1024;
    const string Created = "2025-01-01T00:00:00Z";
    const string Expires = "2025-01-02T00:00:00Z";

    readonly Lock @lock = new();
    readonly List<Batch> batches = [];
    int sequence;

    /// <param name="Results">A line of JSON for each request.</param>
    /// <param name="Succeeded">How many of them are answers.</param>
    /// <param name="Canceled">The lines of a batch that was cancelled; null when the batch ends by itself.</param>
    sealed record Batch(string Id, IReadOnlyList<byte[]> Results, int Succeeded, IReadOnlyList<byte[]>? Canceled)
    {
        public bool HasEnded { get; set; }

        public bool IsCanceled { get; set; }

        public IReadOnlyList<byte[]> Shown => IsCanceled && Canceled is not null ? Canceled : Results;

        public int CountOf(int ended) => HasEnded ? ended : 0;
    }

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapTurn("/v1/messages/batches", exchange =>
            AnthropicError.Read(
                exchange,
                fields => exchange.Context.RequestServices.GetRequiredService<MessageBatches>().Create(fields, exchange.Context.Request)));
        var group = routes.MapGroup("/v1/messages/batches").AddEndpointFilter(async (context, next) =>
            AnthropicError.OfHeaders(context.HttpContext.Request) is { } error ? error : await next(context));
        group.MapGet("", (MessageBatches all, HttpRequest request) => all.List(request));
        group.MapGet("/{id}", (string id, MessageBatches all, HttpRequest request) =>
            all.Find(id) is { } batch ? Results.Json(Describe(batch, request)) : NoSuch(id));
        group.MapPost("/{id}/cancel", (string id, MessageBatches all, HttpRequest request) => all.Cancel(id, request));
        group.MapDelete("/{id}", (string id, MessageBatches all) => all.Delete(id));
        group.MapGet("/{id}/results", (string id, MessageBatches all) => all.Find(id) is { HasEnded: true } batch
            ? Results.Bytes([.. batch.Shown.SelectMany(line => line.Append((byte)'\n'))], "application/x-jsonl")
            : NoSuch(id));
    }

    /// <summary>Has every request answered at once. The oldest of too many batches is forgotten.</summary>
    Turn Create(RequestFields fields, HttpRequest request)
    {
        var requests = fields.RequiredArray("requests");
        if (requests.GetArrayLength() > MaxRequests)
        {
            fields.Fail($"at most {MaxRequests} requests", "requests");
        }
        var (results, tokens, bytes, leaves) = (new List<(byte[] Line, bool Succeeded)>(), 0, 0, false);
        var canceled = new List<byte[]>();
        foreach (var (index, item) in requests.EnumerateArray().Take(MaxRequests).Index())
        {
            if (Read(item, index, fields) is not ({ } id, { } one) || bytes > MaxResultBytes)
            {
                fields.Fail($"the results have more than {MaxResultBytes} bytes", "requests");
                break;
            }
            results.Add(Answered(id, one));
            canceled.Add(RawJson.Of(new { custom_id = id, result = new { type = "canceled" } }));
            leaves |= common.Of(one.Question.Model).LeavesBatches;
            tokens += one.Question.PromptTokens;
            bytes += results[^1].Line.Length;
        }
        var question = new Question("batch", Question.FingerprintOf("batch", requests), tokens, Markers.Read(""));
        return new(question, status => AnthropicError.OfStatus(status, ""), (_, _) =>
        {
            Batch batch;
            lock (@lock)
            {
                batch = new(
                    $"msgbatch_{++sequence:d12}",
                    [.. results.Select(result => result.Line)],
                    results.Count(result => result.Succeeded),
                    leaves ? canceled : null);
                batches.Add(batch);
                batches.RemoveRange(0, Math.Max(0, batches.Count - MaxBatches));
            }
            var reply = new WholeReply(Describe(batch, request));
            batch.HasEnded = !leaves;
            return reply;
        })
        {
            Answer = (_, _) => Answer.OfTokens(question, 0),
        };
    }

    static (string? Id, MessageRequest? Request) Read(JsonElement item, int index, RequestFields fields)
    {
        if (item.TextMember("custom_id") is not { Length: > 0 } id || item.AnyMember("params") is not { } parameters)
        {
            fields.Miss($"requests.{index}.custom_id");
            return (null, null);
        }
        var inner = new RequestFields(parameters);
        var request = MessageRequest.Read(inner);
        if (inner.Bad is { } bad)
        {
            fields.Fail(bad.Message, $"requests.{index}.params.{bad.Param}", bad.Code);
        }
        return fields.Bad is null ? (id, request) : (null, null);
    }

    (byte[] Line, bool Succeeded) Answered(string custom_id, MessageRequest request)
    {
        var behaviour = common.Of(request.Question.Model);
        var status = behaviour is { ErrorStatus: 0, FailsInTheMiddle: true }
            ? StatusCodes.Status500InternalServerError
            : behaviour.ErrorStatus;
        if (status > 0)
        {
            var error = AnthropicError.OfStatus(status, request.Question.Model);
            var told = new { type = "error", error = new { type = error.Type, message = error.Message }, request_id = RawJson.Null };
            return (RawJson.Of(new { custom_id, result = new { type = "errored", error = told } }), false);
        }
        var message = MessageShapes.Whole(request, Answer.To(request.Question, behaviour), behaviour);
        return (RawJson.Of(new { custom_id, result = new { type = "succeeded", message } }), true);
    }

    IResult List(HttpRequest request)
    {
        lock (@lock)
        {
            var data = batches.AsEnumerable().Reverse().Select(batch => Describe(batch, request)).ToArray();
            return Results.Json(new
            {
                data,
                has_more = false,
                first_id = batches.LastOrDefault()?.Id,
                last_id = batches.FirstOrDefault()?.Id,
            });
        }
    }

    IResult Cancel(string id, HttpRequest request)
    {
        if (Find(id) is not { } batch)
        {
            return NoSuch(id);
        }
        batch.IsCanceled |= !batch.HasEnded;
        var reply = Results.Json(Describe(batch, request));
        batch.HasEnded = true;
        return reply;
    }

    IResult Delete(string id)
    {
        if (Find(id) is not { } batch)
        {
            return NoSuch(id);
        }
        if (!batch.HasEnded)
        {
            return AnthropicError.Invalid($"Message Batch {id} cannot be deleted while it is in progress");
        }
        lock (@lock)
        {
            batches.Remove(batch);
        }
        return Results.Json(new { id, type = "message_batch_deleted" });
    }

    Batch? Find(string id)
    {
        lock (@lock)
        {
            return batches.Find(batch => batch.Id == id);
        }
    }

    static AnthropicError NoSuch(string id) => new(StatusCodes.Status404NotFound, "not_found_error", $"batch: {id}");

    /// <summary>
    /// The link to the results has the sandbox's own address, as Anthropic's has. A gateway that passes it on unchanged leads callers past
    /// itself.
    /// </summary>
    static object Describe(Batch batch, HttpRequest request) => new
    {
        id = batch.Id,
        type = "message_batch",
        processing_status = batch.HasEnded ? "ended" : batch.IsCanceled ? "canceling" : "in_progress",
        request_counts = new
        {
            processing = batch.HasEnded ? 0 : batch.Results.Count,
            succeeded = batch.CountOf(batch.IsCanceled ? 0 : batch.Succeeded),
            errored = batch.CountOf(batch.IsCanceled ? 0 : batch.Results.Count - batch.Succeeded),
            canceled = batch.CountOf(batch.IsCanceled ? batch.Results.Count : 0),
            expired = 0,
        },
        created_at = Created,
        expires_at = Expires,
        ended_at = batch.HasEnded ? Created : RawJson.Null,
        archived_at = RawJson.Null,
        cancel_initiated_at = batch.IsCanceled ? Created : RawJson.Null,
        results_url = batch.HasEnded ? $"{request.Scheme}://{request.Host}/v1/messages/batches/{batch.Id}/results" : RawJson.Null,
    };
}
