using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>An answer in the bytes of Anthropic's messages.</summary>
public static class MessageShapes
{
    /// <summary>The body of an answer that is not streamed.</summary>
    public static object Whole(MessageRequest request, Answer answer, Behaviour behaviour)
    {
        var choice = answer.Choices[0];
        return Message(
            request,
            answer,
            Blocks(answer, choice),
            choice,
            answer.Usage.As(behaviour.Usage) is [.., var usage] ? Usage(usage, request) : null);
    }

    /// <summary>The events of a streamed answer. The usage at its start has a placeholder for the output; the usages at its end are
    /// cumulative.</summary>
    public static IEnumerable<StreamEvent> Stream(MessageRequest request, Answer answer, Behaviour behaviour)
    {
        var choice = answer.Choices[0];
        var usages = answer.Usage.As(behaviour.Usage);
        var atStart = usages is [var first, ..]
            ? Usage(first with { Completion = Math.Clamp(first.Completion, -1, 1), Thoughts = 0, Searches = 0 }, request)
            : null;
        yield return Event("message_start", new { type = "message_start", message = Message(request, answer, [], null, atStart) });
        yield return Event("ping", new { type = "ping" });

        var blocks = new[] { Thinking(choice) }.Concat(Searches(answer)).Append(Text(choice)).Where(block => block.Length > 0).ToArray();
        foreach (var (steps, index) in blocks.Select((steps, index) => (steps, index)))
        {
            yield return Start(index, steps[0].Step);
            foreach (var (step, tokens) in steps.Skip(1))
            {
                yield return Delta(index, step, tokens);
            }
            yield return Stop(index);
        }
        foreach (var step in ToolUse(choice, blocks.Length, behaviour.Interleaves))
        {
            yield return step;
        }

        var delta = new { stop_reason = Name(choice.Finish), stop_sequence = choice.StoppedAt ?? RawJson.Null };
        foreach (var usage in usages.Select(usage => Usage(usage, request)).DefaultIfEmpty())
        {
            yield return Event("message_delta", new { type = "message_delta", delta, usage });
        }
        if (!behaviour.OmitsDone)
        {
            yield return Event("message_stop", new { type = "message_stop" });
        }
    }

    /// <summary>A block's start, then its additions.</summary>
    static (object Step, int Tokens)[] Thinking(Choice choice) => choice.Thoughts.Count == 0 ? [] :
    [
        (new { type = "thinking", thinking = "", signature = "" }, 0),
        .. choice.Thoughts.Select(thought => ((object)new { type = "thinking_delta", thinking = thought }, 1)),
        (new { type = "signature_delta", signature = Signature(choice) }, 0),
    ];

    /// <summary>Two blocks for each search: the model's words for it, in pieces, and at once what was found.</summary>
    static IEnumerable<(object Step, int Tokens)[]> Searches(Answer answer)
    {
        for (var i = 0; i < answer.Usage.Searches; i++)
        {
            yield return
            [
                (new { type = "server_tool_use", id = SearchId(answer, i), name = "web_search", input = new { } }, 0),
                (new { type = "input_json_delta", partial_json = "{\"query\":\"news\"}" }, 0),
            ];
            yield return [(Found(answer, i), 0)];
        }
    }

    static object Found(Answer answer, int search) => new
    {
        type = "web_search_tool_result",
        tool_use_id = SearchId(answer, search),
        content = (object[])[new
        {
            type = "web_search_result", url = "https://example.com/", title = "Example", encrypted_content = "EqgfCioIARgB",
            page_age = RawJson.Null,
        }],
    };

    static string SearchId(Answer answer, int search) => $"srvtoolu_{answer.Fingerprint[..20]}{search:x4}";

    static (object Step, int Tokens)[] Text(Choice choice) => choice.Text.Count == 0 ? [] :
    [
        (new { type = "text", text = "" }, 0),
        .. choice.Text.Select(token => ((object)new { type = "text_delta", text = token }, 1)),
    ];

    static IEnumerable<StreamEvent> ToolUse(Choice choice, int firstIndex, bool interleaved)
    {
        foreach (var (call, piece) in InTurn.OfCalls(choice.ToolCalls, interleaved))
        {
            var index = firstIndex + call;
            if (piece.Begins is null)
            {
                yield return Delta(index, new { type = "input_json_delta", partial_json = piece.Arguments }, piece.Tokens);
                continue;
            }
            if (call > 0 && !interleaved)
            {
                yield return Stop(index - 1);
            }
            yield return Start(
                index,
                new { type = "tool_use", id = Id(piece.Begins), name = piece.Begins.Name, input = new { } },
                piece.Tokens);
        }
        for (var call = interleaved ? 0 : Math.Max(0, choice.ToolCalls.Count - 1); call < choice.ToolCalls.Count; call++)
        {
            yield return Stop(firstIndex + call);
        }
    }

    static StreamEvent Start(int index, object block, int tokens = 0) =>
        Event("content_block_start", new { type = "content_block_start", index, content_block = block }, tokens);

    static StreamEvent Delta(int index, object delta, int tokens) =>
        Event("content_block_delta", new { type = "content_block_delta", index, delta }, tokens);

    static StreamEvent Stop(int index) => Event("content_block_stop", new { type = "content_block_stop", index });

    static StreamEvent Event(string name, object data, int tokens = 0) => new(RawJson.Event(name, data), tokens);

    static object Message(MessageRequest request, Answer answer, object[] content, Choice? end, object? usage) => new
    {
        id = "msg_" + answer.Fingerprint[..24],
        type = "message",
        role = "assistant",
        model = request.Question.Model,
        content,
        stop_reason = end is null ? RawJson.Null : Name(end.Finish),
        stop_sequence = end?.StoppedAt ?? RawJson.Null,
        usage,
    };

    static object[] Blocks(Answer answer, Choice choice)
    {
        var blocks = new List<object>();
        if (choice.Thoughts.Count > 0)
        {
            blocks.Add(new { type = "thinking", thinking = string.Concat(choice.Thoughts), signature = Signature(choice) });
        }
        for (var i = 0; i < answer.Usage.Searches; i++)
        {
            blocks.Add(new { type = "server_tool_use", id = SearchId(answer, i), name = "web_search", input = new { query = "news" } });
            blocks.Add(Found(answer, i));
        }
        if (choice.Text.Count > 0)
        {
            blocks.Add(new { type = "text", text = string.Concat(choice.Text) });
        }
        blocks.AddRange(
            choice.ToolCalls.Select(call => new { type = "tool_use", id = Id(call), name = call.Name, input = call.ParsedArguments() }));
        return [.. blocks];
    }

    /// <summary>
    /// Input excludes the tokens read from and written to a cache. Only the sum of the written tokens can be misreported.
    /// </summary>
    static object Usage(Usage usage, MessageRequest request) => new
    {
        input_tokens = usage.Prompt - usage.Cached - usage.CacheWritten,
        cache_creation_input_tokens = usage.CacheWritten + usage.Excess,
        cache_read_input_tokens = usage.Cached,
        cache_creation = new
        {
            ephemeral_5m_input_tokens = request.CachesForAnHour ? 0 : usage.CacheWritten,
            ephemeral_1h_input_tokens = request.CachesForAnHour ? usage.CacheWritten : 0,
        },
        output_tokens = usage.Completion,
        output_tokens_details = new { thinking_tokens = usage.Thoughts },
        server_tool_use = usage.Searches == 0 ? null : new { web_search_requests = usage.Searches, web_fetch_requests = 0 },
        service_tier = "standard",
    };

    static string Id(ToolCall call) => "toolu_" + call.Id["call_".Length..];

    static string Signature(Choice choice) => Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(choice.Thoughts.Count));

    static string Name(Finish finish) => finish switch
    {
        Finish.Length => "max_tokens",
        Finish.ToolCalls => "tool_use",
        Finish.StopSequence => "stop_sequence",
        _ => "end_turn",
    };
}
