using System.Text;

namespace LlmGateway.Sandbox;

/// <summary>One inference call and its answer, whatever the wire. It is received, logged, and ended as its model's name demands.</summary>
public sealed class Exchange
{
    readonly RequestLog log;
    LoggedRequest record;

    Exchange(HttpContext context, byte[] body, RequestLog log, TimeProvider time)
    {
        Context = context;
        Body = body;
        this.log = log;
        Time = time;
        var headers = context.Request.Headers;
        record = new(
            log.NextId(),
            Markers.Tag(body) ?? (context.Request.Query["tag"].ToString() is { Length: > 0 } tag ? tag : null),
            context.Request.Path,
            context.Request.QueryString.Value ?? "",
            headers.Authorization.Count > 0,
            headers.ToDictionary(header => header.Key, header => header.Value.ToString()),
            Encoding.UTF8.GetString(body),
            time.GetUtcNow());
        log.Add(record);
    }

    public HttpContext Context { get; }

    public string Id => record.Id;

    public byte[] Body { get; }

    public TimeProvider Time { get; }

    /// <summary>Cancelled when the caller has left.</summary>
    public CancellationToken CallerLeft => Context.RequestAborted;

    /// <summary>True tokens generated so far.</summary>
    public int TokensOut { get; set; }

    /// <summary>Reads the request, has it answered and logs how it ended. The server's own 413 and 400 of an unreadable body pass through,
    /// unlogged.</summary>
    public static async Task HandleAsync(HttpContext context, RequestLog log, TimeProvider time, Func<Exchange, Task> answer)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var exchange = new Exchange(context, body.ToArray(), log, time);
        context.Response.Headers["x-request-id"] = exchange.record.Id;
        try
        {
            await answer(exchange);
            exchange.End(Outcome.Completed);
        }
        catch (OperationCanceledException) when (exchange.CallerLeft.IsCancellationRequested)
        {
            exchange.End(Outcome.Aborted);
        }
    }

    /// <summary>Answers as the model's name demands. What could not be read is refused with <paramref name="refusal"/>.</summary>
    public async Task AnswerAsync(Turn? turn, IResult? refusal, Barriers barriers)
    {
        if (turn is null)
        {
            await refusal!.ExecuteAsync(Context);
            return;
        }
        var question = turn.Question;
        log.Update(record = record with { Model = question.Model, TokensIn = question.PromptTokens });

        var behaviour = Context.RequestServices.GetRequiredService<CommonFault>().Of(question.Model);
        if (await IsOverBeforeAnswerAsync(behaviour, barriers, question.Markers.Group))
        {
            return;
        }
        if ((behaviour.ErrorStatus > 0 ? turn.Error(behaviour.ErrorStatus) : turn.Refusal(behaviour)) is { } error)
        {
            await (behaviour.Dialect?.OfError(error) ?? error).ExecuteAsync(Context);
            return;
        }

        var answer = turn.Answer(question, behaviour);
        var reply = turn.Reply(answer, behaviour);
        await ((behaviour.Dialect?.Of(reply) ?? reply) switch
        {
            StreamReply stream => Delivery.SendStreamAsync(this, behaviour, answer, stream),
            WholeReply when behaviour.FailsInTheMiddle => turn.Error(StatusCodes.Status500InternalServerError).ExecuteAsync(Context),
            WholeReply whole => Delivery.SendWholeAsync(this, behaviour, answer, whole),
            _ => throw new InvalidOperationException("A reply is whole or a stream."),
        });
    }

    /// <summary>Drops the connection, without a proper end of the HTTP response.</summary>
    public void Drop()
    {
        End(Outcome.Cut);
        Context.Abort();
    }

    /// <summary>
    /// Does what happens before the first byte of an answer. It waits, hangs, cuts, or shows a web page. True when that was all.
    /// </summary>
    async Task<bool> IsOverBeforeAnswerAsync(Behaviour behaviour, Barriers barriers, string group)
    {
        if (behaviour.WaitsAtBarrier)
        {
            await barriers.WaitAsync(group, CallerLeft);
        }
        if (behaviour.Hangs)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, Time, CallerLeft);
        }
        if (behaviour.Cut == Cut.BeforeFirstByte)
        {
            Drop();
            return true;
        }
        if (behaviour.AnswersHtml)
        {
            Context.Response.ContentType = "text/html; charset=utf-8";
            await Context.Response.WriteAsync("<!DOCTYPE html><html><body><h1>Please sign in to continue</h1></body></html>", CallerLeft);
            return true;
        }
        return false;
    }

    void End(Outcome outcome)
    {
        if (record.Outcome != Outcome.Running)
        {
            return;
        }
        var status = Context.Response.HasStarted ? Context.Response.StatusCode : 0;
        log.Update(record = record with { Outcome = outcome, Status = status, TokensOut = TokensOut, Finished = Time.GetUtcNow() });
    }
}
