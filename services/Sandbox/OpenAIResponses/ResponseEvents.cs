namespace LlmGateway.Sandbox;

/// <summary>The events of one streamed response of OpenAI's, numbered from 0. The last one has the usage; there is no other end
/// marker.</summary>
public sealed class ResponseEvents(ResponseRequest request, Answer answer, Behaviour behaviour)
{
    readonly Choice choice = answer.Choices[0];
    int sequence;

    public IEnumerable<StreamEvent> All()
    {
        var usages = answer.Usage.As(behaviour.Usage);
        yield return OfResponse("response.created", ResponseShapes.InProgress, [], null);
        yield return OfResponse("response.in_progress", ResponseShapes.InProgress, [], usages.Count > 1 ? usages[0] : null);

        var hasReasoning = choice.Thoughts.Count > 0;
        var hasMessage = ResponseShapes.HasMessage(choice);
        var search = hasReasoning ? 1 : 0;
        var message = search + answer.Usage.Searches;
        foreach (var step in (hasReasoning ? Reasoning() : [])
            .Concat(Enumerable.Range(0, answer.Usage.Searches).SelectMany(number => Search(number, search + number)))
            .Concat(hasMessage ? Message(message) : [])
            .Concat(Calls(hasMessage ? message + 1 : message)))
        {
            yield return step;
        }
        if (!behaviour.OmitsDone)
        {
            var end = ResponseShapes.End(choice);
            yield return OfResponse("response." + end, end, ResponseShapes.Items(request, answer), usages.Count > 0 ? usages[^1] : null);
        }
    }

    /// <summary>The failure event; it replaces the event that was requested last and not sent, and has its number.</summary>
    public byte[] Failure()
    {
        sequence--;
        var message = OpenAIError.OfStatus(StatusCodes.Status500InternalServerError, "").Message;
        return
        [
            .. Event("error", new { code = "server_error", message, param = RawJson.Null }).Bytes,
            .. OfResponse("response.failed", "failed", [], null).Bytes,
        ];
    }

    IEnumerable<StreamEvent> Reasoning()
    {
        var (item_id, output_index, summary_index, text) = (ResponseShapes.ReasoningId(answer), 0, 0, string.Concat(choice.Thoughts));
        yield return Added(output_index, ResponseShapes.Reasoning(request, answer, null));
        yield return Event(
            "response.reasoning_summary_part.added",
            new { item_id, output_index, summary_index, part = ResponseShapes.SummaryPart("") });
        foreach (var delta in choice.Thoughts)
        {
            yield return Event("response.reasoning_summary_text.delta", new { item_id, output_index, summary_index, delta }, 1);
        }
        yield return Event("response.reasoning_summary_text.done", new { item_id, output_index, summary_index, text });
        yield return Event(
            "response.reasoning_summary_part.done",
            new { item_id, output_index, summary_index, part = ResponseShapes.SummaryPart(text) });
        yield return Done(output_index, ResponseShapes.Reasoning(request, answer, text));
    }

    IEnumerable<StreamEvent> Search(int number, int output_index)
    {
        var item_id = ResponseShapes.SearchId(answer, number);
        yield return Added(output_index, ResponseShapes.Search(answer, number, isDone: false));
        foreach (var step in (string[])["in_progress", "searching", "completed"])
        {
            yield return Event($"response.web_search_call.{step}", new { output_index, item_id });
        }
        yield return Done(output_index, ResponseShapes.Search(answer, number, isDone: true));
    }

    IEnumerable<StreamEvent> Message(int output_index)
    {
        var (item_id, content_index, logprobs, text) =
            (ResponseShapes.MessageId(answer), 0, Array.Empty<object>(), string.Concat(choice.Text));
        yield return Added(output_index, ResponseShapes.Message(answer, ResponseShapes.InProgress, null));
        yield return Event("response.content_part.added", new { item_id, output_index, content_index, part = ResponseShapes.TextPart("") });
        foreach (var delta in choice.Text)
        {
            yield return Event("response.output_text.delta", new { item_id, output_index, content_index, delta, logprobs }, 1);
        }
        yield return Event("response.output_text.done", new { item_id, output_index, content_index, text, logprobs });
        yield return Event(
            "response.content_part.done",
            new { item_id, output_index, content_index, part = ResponseShapes.TextPart(text) });
        yield return Done(output_index, ResponseShapes.Message(answer, ResponseShapes.End(choice), text));
    }

    IEnumerable<StreamEvent> Calls(int firstOutput)
    {
        foreach (var (index, piece) in InTurn.OfCalls(choice.ToolCalls, behaviour.Interleaves))
        {
            if (piece.Begins is null)
            {
                var item_id = ResponseShapes.CallId(choice.ToolCalls[index]);
                yield return Event(
                    $"response.{Input(choice.ToolCalls[index])}.delta",
                    new { item_id, output_index = firstOutput + index, delta = piece.Arguments },
                    piece.Tokens);
                continue;
            }
            foreach (var end in index > 0 && !behaviour.Interleaves ? EndOfCall(firstOutput, index - 1) : [])
            {
                yield return end;
            }
            yield return Added(firstOutput + index, ResponseShapes.Call(piece.Begins, ResponseShapes.InProgress, ""), piece.Tokens);
        }
        for (var index = behaviour.Interleaves ? 0 : Math.Max(0, choice.ToolCalls.Count - 1); index < choice.ToolCalls.Count; index++)
        {
            foreach (var end in EndOfCall(firstOutput, index))
            {
                yield return end;
            }
        }
    }

    IEnumerable<StreamEvent> EndOfCall(int firstOutput, int index)
    {
        var call = choice.ToolCalls[index];
        var (item_id, output_index, arguments) = (ResponseShapes.CallId(call), firstOutput + index, string.Concat(call.Arguments));
        yield return Event(
            $"response.{Input(call)}.done",
            call.IsText
                ? (object)new { item_id, output_index, input = arguments }
                : new { item_id, output_index, arguments, name = call.Name });
        yield return Done(output_index, ResponseShapes.Call(call, ResponseShapes.EndOfCall(choice, index), arguments));
    }

    static string Input(ToolCall call) => call.IsText ? "custom_tool_call_input" : "function_call_arguments";

    StreamEvent OfResponse(string type, string status, object[] output, Usage? usage) =>
        Event(type, new { response = ResponseShapes.Response(request, answer, status, output, usage) });

    StreamEvent Added(int output_index, object item, int tokens = 0) =>
        Event("response.output_item.added", new { output_index, item }, tokens);

    StreamEvent Done(int output_index, object item) => Event("response.output_item.done", new { output_index, item });

    StreamEvent Event(string type, object members, int tokens = 0)
    {
        byte[] data = [.. RawJson.Of(new { type, sequence_number = sequence++ })[..^1], (byte)',', .. RawJson.Of(members)[1..]];
        return new(RawJson.Frame(type, data), tokens);
    }
}
