using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox;

/// <summary>
/// How a kind of server deviates from the documents of the wire that it speaks. It is chosen by the end of a model's name, and changes the
/// faithful answer just before it is sent.
/// </summary>
/// <param name="Deviations">Each changes one object, a whole answer or the data of one event, and passes over what it does not know.
/// </param>
public sealed record Dialect(string Suffix, string Effect, params IReadOnlyList<Action<JsonObject>> Deviations)
{
    /// <summary>The body of an error with this message. Null for the wire's own.</summary>
    public Func<string, object>? Error { get; init; }

    /// <summary>A model that thinks refuses calls of an earlier turn without the <c>reasoning_content</c> that led to them.</summary>
    public bool WantsThoughts { get; init; }

    /// <summary>What the server sends before the first event of a stream.</summary>
    public string Comment { get; init; } = "";

    public static IReadOnlyList<Dialect> All { get; } =
    [
        new("-mistral-like", "content in typed parts, 'model_length'", Chat.ContentInParts, Chat.Ends("length", "model_length")),
        new("-kimi-like", "a stream's usage inside of its choice; all input first as plain input, then split; wants its thoughts back",
            Chat.UsageInChoice, Messages.PlainInputFirst)
        {
            WantsThoughts = true,
        },
        new("-deepseek-like", "cached input as hits and misses; wants its thoughts back", Chat.CacheHits) { WantsThoughts = true },
        new("-openrouter-like", "comments before a stream, thoughts in 'reasoning' and again in 'reasoning_details', wrapped errors",
            Chat.ThoughtsTwice)
        {
            Comment = ": OPENROUTER PROCESSING\n\n",
            Error = message => new
            {
                error = new { message = "Provider returned error", code = 400, metadata = new { raw = RawJson.Quote(message) } },
            },
        },
        new("-litellm-like", "cached input under Anthropic's name, zero under OpenAI's", Chat.CacheInAnthropicsWords),
        new("-vllm-like", "arguments as an object, 'stop' after calls, errors as 'detail'",
            Chat.ArgumentsAsObject, Chat.Ends("tool_calls", "stop"))
        {
            Error = message => new { detail = (object[])[new { loc = (string[])["body"], msg = message, type = "value_error" }] },
        },
        new("-bedrock-like", "cached input beside the prompt, 'content_filtered', bare errors",
            Chat.CacheBesidePrompt, Chat.Ends("content_filter", "content_filtered"))
        {
            Error = message => new { message },
        },
    ];

    public Reply Of(Reply faithful) => faithful switch
    {
        WholeReply whole => whole with { Body = Changed(whole.Body) },
        StreamReply stream => stream with { Events = Commented(stream.Events.Select(Changed)) },
        _ => faithful,
    };

    /// <summary>Only what says that the request is wrong is read by anybody.</summary>
    public IResult OfError(IResult faithful) =>
        Error is not null && faithful is OpenAIError { Status: StatusCodes.Status400BadRequest } error
            ? Results.Text(Encoding.UTF8.GetString(RawJson.Of(Error(error.Message))), "application/json", statusCode: error.Status)
            : faithful;

    IEnumerable<StreamEvent> Commented(IEnumerable<StreamEvent> events) =>
        Comment.Length == 0 ? events : events.Prepend(new(Encoding.UTF8.GetBytes(Comment), 0));

    StreamEvent Changed(StreamEvent e)
    {
        var data = e.Bytes.AsSpan().IndexOf("data: {"u8);
        if (data < 0)
            return e;
        data += "data: ".Length;
        return e with { Bytes = [.. e.Bytes[..data], .. Changed(e.Bytes[data..]), .. "\n\n"u8] };
    }

    byte[] Changed(byte[] json)
    {
        if (JsonNode.Parse(json) is not JsonObject answer)
            return json;
        foreach (var deviation in Deviations)
            deviation(answer);
        return JsonSerializer.SerializeToUtf8Bytes(answer, Relaxed);
    }

    static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Deviations on OpenAI's chat wire.</summary>
    static class Chat
    {
        public static void ContentInParts(JsonObject answer) => EachMessage(answer, message =>
        {
            var parts = new JsonArray();
            if (Take(message, "reasoning_content") is { } thought)
                parts.Add(new JsonObject { ["type"] = "thinking", ["thinking"] = new JsonArray(Part(thought)) });
            if (message["content"] is JsonValue said)
                parts.Add(Part(said.DeepClone()));
            if (parts.Count > 0)
                message["content"] = parts;
        });

        public static Action<JsonObject> Ends(string faithful, string instead) => answer => EachChoice(answer, choice =>
        {
            if (choice["finish_reason"]?.GetValue<string>() == faithful)
                choice["finish_reason"] = instead;
        });

        public static void UsageInChoice(JsonObject answer)
        {
            if (IsChunk(answer) && answer["choices"] is JsonArray choices && answer["usage"] is JsonObject)
                choices.Add(new JsonObject { ["index"] = 0, ["delta"] = new JsonObject(), ["usage"] = Take(answer, "usage") });
        }

        public static void CacheHits(JsonObject answer) => Usage(answer, (usage, cached) =>
        {
            usage["prompt_cache_hit_tokens"] = cached;
            usage["prompt_cache_miss_tokens"] = usage["prompt_tokens"]!.GetValue<long>() - cached;
        });

        public static void CacheInAnthropicsWords(JsonObject answer) => Usage(answer, (usage, cached) =>
        {
            usage["prompt_tokens_details"] = new JsonObject { ["cached_tokens"] = 0 };
            usage["cache_read_input_tokens"] = cached;
            usage["cache_creation_input_tokens"] = 0;
        });

        public static void CacheBesidePrompt(JsonObject answer) => Usage(answer, (usage, cached) =>
        {
            usage["prompt_tokens"] = usage["prompt_tokens"]!.GetValue<long>() - cached;
            usage["cache_read_input_tokens"] = cached;
        });

        public static void ThoughtsTwice(JsonObject answer) => EachMessage(answer, message =>
        {
            if (Take(message, "reasoning_content") is not { } thought)
                return;
            message["reasoning"] = thought;
            message["reasoning_details"] = new JsonArray(new JsonObject { ["type"] = "reasoning.text", ["text"] = thought.DeepClone() });
        });

        /// <summary>Only calls that come whole: a piece of JSON is no object.</summary>
        public static void ArgumentsAsObject(JsonObject answer) => EachMessage(answer, message =>
        {
            foreach (var call in message["tool_calls"] as JsonArray ?? [])
                if (!IsChunk(answer) && call?["function"] is JsonObject function)
                    function["arguments"] = JsonNode.Parse(function["arguments"]!.GetValue<string>());
        });

        static void Usage(JsonObject answer, Action<JsonObject, long> change)
        {
            if (answer["choices"] is JsonArray && answer["usage"] is JsonObject usage
                && Take(usage, "prompt_tokens_details") is JsonObject details)
                change(usage, details["cached_tokens"]!.GetValue<long>());
        }

        static bool IsChunk(JsonObject answer) => answer["object"]?.GetValue<string>() == "chat.completion.chunk";

        static JsonObject Part(JsonNode text) => new() { ["type"] = "text", ["text"] = text };

        static void EachChoice(JsonObject answer, Action<JsonObject> change)
        {
            foreach (var choice in (answer["choices"] as JsonArray ?? []).OfType<JsonObject>())
                change(choice);
        }

        static void EachMessage(JsonObject answer, Action<JsonObject> change) => EachChoice(answer, choice =>
        {
            if ((choice["message"] ?? choice["delta"]) is JsonObject message)
                change(message);
        });
    }

    /// <summary>Deviations on Anthropic's wire.</summary>
    static class Messages
    {
        public static void PlainInputFirst(JsonObject answer)
        {
            if (answer["message"]?["usage"] is JsonObject first)
                answer["message"]!["usage"] = new JsonObject { ["input_tokens"] = Input(first), ["output_tokens"] = 0 };
            else if (answer["type"]?.GetValue<string>() == "message_delta" && answer["usage"] is JsonObject usage)
                usage["prompt_tokens"] = Input(usage);
        }

        static readonly string[] Counts = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];

        static long Input(JsonObject usage) => Counts.Sum(name => usage[name]?.GetValue<long>() ?? 0);
    }

    static JsonNode? Take(JsonObject from, string member)
    {
        var value = from[member];
        from.Remove(member);
        return value;
    }
}
