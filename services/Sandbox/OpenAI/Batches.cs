using System.Text;
using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>
/// <c>/v1/batches</c>: a batch is being validated when it is created and completed at the next look. A model that leaves batches ends one
/// only after it was cancelled. Lines are answered as outside of a batch, but never slow, cut or late.
/// </summary>
public sealed class Batches(Files files, CommonFault common)
{
    const int MaxBatches = 20;
    const int MaxLines = 1_000;
    const long Created = 1735689600;

    readonly Lock @lock = new();
    readonly List<Batch> batches = [];
    int sequence;

    sealed record Line(byte[] Result, bool Answered);

    sealed record Batch(string Id, string Input, string Endpoint, JsonElement? Metadata, IReadOnlyList<Line> Lines, bool Leaves)
    {
        public string Status { get; set; } = "validating";
        public string? Output { get; set; }
        public string? Errors { get; set; }

        public object Described => new
        {
            id = Id,
            @object = "batch",
            endpoint = Endpoint,
            errors = RawJson.Null,
            input_file_id = Input,
            completion_window = "24h",
            status = Status,
            output_file_id = Output ?? RawJson.Null,
            error_file_id = Errors ?? RawJson.Null,
            created_at = Created,
            request_counts = new
            {
                total = Lines.Count,
                completed = Status == "completed" ? Lines.Count(line => line.Answered) : 0,
                failed = Status == "completed" ? Lines.Count(line => !line.Answered) : 0,
            },
            metadata = Metadata ?? RawJson.Null,
        };
    }

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapTurn("/v1/batches", exchange =>
            OpenAIError.Read(exchange, fields => exchange.Context.RequestServices.GetRequiredService<Batches>().Create(fields)));
        var group = routes
            .MapGroup("/v1/batches")
            .AddEndpointFilter(async (context, next) =>
                OpenAIError.OfCredential(context.HttpContext.Request) is { } error ? error : await next(context));
        group.MapGet(
            "/{id}",
            (string id, Batches all) =>
                all.Show(
                    id,
                    batch => batch.Status is "validating" && !batch.Leaves ? "completed"
                        : batch.Status is "cancelling" ? "cancelled"
                        : batch.Status));
        group.MapPost(
            "/{id}/cancel",
            (string id, Batches all) => all.Show(id, batch => batch.Status is "validating" ? "cancelling" : batch.Status));
    }

    Turn Create(RequestFields fields)
    {
        var (input, endpoint) = (fields.RequiredText("input_file_id"), fields.RequiredText("endpoint"));
        var metadata = fields.Any("metadata")?.Clone();
        if (fields.RequiredText("completion_window") != "24h")
        {
            fields.Fail("Invalid value for 'completion_window'.", "completion_window", "invalid_value");
        }
        var (lines, leaves) = files.Find(input) is { } file ? Answer(file.Bytes, endpoint, fields) : ([], false);
        if (lines.Count == 0)
        {
            fields.Fail($"Invalid input file: {input}", "input_file_id", "invalid_file");
        }
        var question = new Question("batch", Question.FingerprintOf("batch"), 0, Markers.Read(""));
        return new(question, status => OpenAIError.OfStatus(status, ""), (_, _) =>
        {
            lock (@lock)
            {
                var batch = new Batch($"batch_{++sequence:d12}", input, endpoint, metadata, lines, leaves);
                batches.Add(batch);
                batches.RemoveRange(0, Math.Max(0, batches.Count - MaxBatches));
                return new WholeReply(batch.Described);
            }
        })
        {
            Answer = (_, _) => Sandbox.Answer.OfTokens(question, 0),
        };
    }

    /// <summary>Moves a batch to its next state and shows it.</summary>
    IResult Show(string id, Func<Batch, string> next)
    {
        lock (@lock)
        {
            if (batches.Find(batch => batch.Id == id) is not { } batch)
            {
                return new OpenAIError(StatusCodes.Status404NotFound, OpenAIError.InvalidRequest, $"No batch found with id '{id}'.", "id");
            }
            batch.Status = next(batch);
            if (batch is { Status: "completed", Output: null, Errors: null })
            {
                (batch.Output, batch.Errors) = (Write(batch, answered: true), Write(batch, answered: false));
            }
            return Results.Json(batch.Described);
        }
    }

    /// <summary>Null when there is nothing to write.</summary>
    string? Write(Batch batch, bool answered)
    {
        byte[] bytes = [.. batch.Lines.Where(line => line.Answered == answered).SelectMany(line => line.Result.Append((byte)'\n'))];
        return bytes.Length == 0 ? null : files.Add($"{batch.Id}_{(answered ? "output" : "error")}.jsonl", "batch_output", bytes).Id;
    }

    (List<Line> Lines, bool Leaves) Answer(byte[] file, string endpoint, RequestFields fields)
    {
        var (lines, leaves) = (new List<Line>(), false);
        foreach (var (index, text) in Encoding.UTF8
            .GetString(file)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Take(MaxLines)
            .Index())
        {
            var line = JsonElement.Parse(text);
            if (line.TextMember("custom_id") is not { } id || line.TextMember("url") != endpoint || line.AnyMember("body") is not { } body)
            {
                fields.Fail($"line {index + 1} is no request of {endpoint}", "input_file_id", "invalid_file");
                break;
            }
            var inner = new RequestFields(body);
            var turn = endpoint switch
            {
                "/v1/embeddings" => Embeddings.ReadTurn(inner),
                "/v1/responses" => Responses.ReadTurn(inner),
                _ => ChatCompletions.ReadTurn(inner),
            };
            var behaviour = common.Of(turn.Question.Model);
            leaves |= behaviour.LeavesBatches;
            lines.Add(Answered(id, lines.Count, turn, behaviour, inner.Bad));
        }
        return (lines, leaves);
    }

    static Line Answered(string custom_id, int index, Turn turn, Behaviour behaviour, BadField? bad)
    {
        var refusal = bad is not null ? OpenAIError.Invalid(bad.Message, bad.Param, bad.Code)
            : behaviour.ErrorStatus > 0 ? OpenAIError.OfStatus(behaviour.ErrorStatus, turn.Question.Model)
            : null;
        var body = refusal is not null
            ? RawJson.Of(new { error = refusal.Body })
            : ((WholeReply)turn.Reply(turn.Answer(turn.Question, behaviour), behaviour)).Body;
        return new(RawJson.Of(new
        {
            id = $"batch_req_{index:d6}",
            custom_id,
            response = new
            {
                status_code = refusal?.Status ?? StatusCodes.Status200OK,
                request_id = $"req_{index:d6}",
                body = JsonElement.Parse(body),
            },
            error = RawJson.Null,
        }), refusal is null);
    }
}
