namespace LlmGateway.Sandbox;

/// <summary>A response of OpenAI's and its items, finished or in the making.</summary>
public static class ResponseShapes
{
    public const string InProgress = "in_progress";

    static readonly object[] Empty = [];

    public static object Whole(ResponseRequest request, Answer answer, Behaviour behaviour) =>
        Response(
            request,
            answer,
            End(answer.Choices[0]),
            Items(request, answer),
            answer.Usage.As(behaviour.Usage) is [.., var usage] ? usage : null);

    /// <summary>How a choice ends, as the status of the response and of its last item.</summary>
    public static string End(Choice choice) => choice.Finish == Finish.Length ? "incomplete" : "completed";

    /// <summary>The finished items: what was thought, the message and the calls, as far as there are any. A message without words stands
    /// only where there is nothing else.</summary>
    public static object[] Items(ResponseRequest request, Answer answer)
    {
        var choice = answer.Choices[0];
        var items = new List<object>();
        if (choice.Thoughts.Count > 0)
        {
            items.Add(Reasoning(request, answer, string.Concat(choice.Thoughts)));
        }
        items.AddRange(Enumerable.Range(0, answer.Usage.Searches).Select(search => Search(answer, search, isDone: true)));
        if (HasMessage(choice))
        {
            items.Add(Message(answer, End(choice), string.Concat(choice.Text)));
        }
        for (var i = 0; i < choice.ToolCalls.Count; i++)
        {
            items.Add(Call(choice.ToolCalls[i], EndOfCall(choice, i), string.Concat(choice.ToolCalls[i].Arguments)));
        }
        return [.. items];
    }

    public static bool HasMessage(Choice choice) => choice.Text.Count > 0 || choice is { Thoughts.Count: 0, ToolCalls.Count: 0 };

    /// <summary>Only the last call can be cut short.</summary>
    public static string EndOfCall(Choice choice, int index) => index < choice.ToolCalls.Count - 1 ? "completed" : End(choice);

    public static string ReasoningId(Answer answer) => "rs_" + answer.Fingerprint[..32];

    public static string MessageId(Answer answer) => "msg_" + answer.Fingerprint[..32];

    public static string CallId(ToolCall call) => (call.IsText ? "ctc_" : "fc_") + call.Id["call_".Length..];

    /// <summary>What was thought, as a summary; null while it is in the making.</summary>
    public static object Reasoning(ResponseRequest request, Answer answer, string? text)
    {
        var (id, summary) = (ReasoningId(answer), text is null ? Empty : [SummaryPart(text)]);
        return request.SealsThoughts
            ? new { id, type = "reasoning", encrypted_content = ResponseRequest.SealOf(id), summary }
            : new { id, type = "reasoning", summary };
    }

    public static string SearchId(Answer answer, int search) => $"ws_{answer.Fingerprint[..28]}{search:x4}";

    /// <summary>A search. What it looks for shows at its end.</summary>
    public static object Search(Answer answer, int search, bool isDone) => isDone
        ? new
        {
            id = SearchId(answer, search), type = "web_search_call", status = "completed", action = new { type = "search", query = "news" },
        }
        : new { id = SearchId(answer, search), type = "web_search_call", status = InProgress };

    public static object SummaryPart(string text) => new { type = "summary_text", text };

    /// <summary>The message; its text is null while it is in the making.</summary>
    public static object Message(Answer answer, string status, string? text) =>
        new { id = MessageId(answer), type = "message", status, content = text is null ? Empty : [TextPart(text)], role = "assistant" };

    public static object TextPart(string text) => new { type = "output_text", annotations = Empty, logprobs = Empty, text };

    public static object Call(ToolCall call, string status, string arguments) => call.IsText
        ? new { id = CallId(call), type = "custom_tool_call", status, input = arguments, call_id = call.Id, name = call.Name }
        : new { id = CallId(call), type = "function_call", status, arguments, call_id = call.Id, name = call.Name };

    public static object Response(ResponseRequest request, Answer answer, string status, object[] output, Usage? usage) => new
    {
        id = "resp_" + answer.Fingerprint[..32],
        @object = "response",
        created_at = ChatShapes.Created,
        status,
        background = false,
        error = status == "failed"
            ? new { code = "server_error", message = OpenAIError.OfStatus(StatusCodes.Status500InternalServerError, "").Message }
            : RawJson.Null,
        incomplete_details = status == "incomplete" ? new { reason = "max_output_tokens" } : RawJson.Null,
        instructions = request.Instructions ?? RawJson.Null,
        // The response does not repeat the request, so that a gateway that adds a limit gets the same bytes as a direct call.
        max_output_tokens = RawJson.Null,
        metadata = new { },
        model = request.Question.Model,
        output,
        parallel_tool_calls = true,
        previous_response_id = RawJson.Null,
        reasoning = new { effort = RawJson.Null, summary = RawJson.Null },
        service_tier = "default",
        store = false,
        temperature = 1.0,
        text = new { format = new { type = "text" } },
        tool_choice = "auto",
        tools = Empty,
        top_p = 1.0,
        truncation = "disabled",
        usage = usage is null ? RawJson.Null : Describe(usage),
        user = RawJson.Null,
    };

    static object Describe(Usage usage) => new
    {
        input_tokens = usage.Prompt,
        input_tokens_details = new { cached_tokens = usage.Cached },
        output_tokens = usage.Completion,
        output_tokens_details = new { reasoning_tokens = usage.Thoughts },
        total_tokens = usage.Total,
    };
}
