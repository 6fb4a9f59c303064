using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>An answer as a wire's clients understand it.</summary>
/// <param name="Stop">In the wire's own word.</param>
/// <param name="Error">The message of an error in the answer or stream; null when it is whole.</param>
sealed record Said(string Text, string? Stop, int Input, int Output, string? Cost, IReadOnlyList<string> Calls, string? Error);

/// <summary>
/// A caller of one wire without a client library. It asks in the wire's words and reads answers strictly.
/// </summary>
/// <param name="Stopped">The wire's word for an answer that has ended by itself.</param>
/// <param name="Called">Its word for tool calls.</param>
abstract record Speaker(string Name, string Stopped, string Called)
{
    public static readonly IReadOnlyList<Speaker> All =
    [
        new ChatSpeaker(),
        new ResponsesSpeaker(),
        new MessagesSpeaker(),
        new GeminiSpeaker(),
    ];

    public static TheoryData<string> Callers() => [.. All.Select(speaker => speaker.Name)];

    /// <summary>Every wire of callers before every wire of providers, which have the same names.</summary>
    public static TheoryData<string, string> Pairs()
    {
        var pairs = new TheoryData<string, string>();
        foreach (var caller in All)
            foreach (var provider in All)
                pairs.Add(caller.Name, provider.Name);
        return pairs;
    }

    public static Speaker Of(string name) => All.Single(speaker => speaker.Name == name);

    protected const string Schema = """{"type":"object","properties":{"city":{"type":"string"},"zone":{"type":"string"}}}""";

    public abstract string Path(string model, bool stream);

    /// <param name="image">Base64 of a PNG that goes with the question.</param>
    public abstract string Body(string model, string question, bool stream, bool tools = false, string? image = null);

    public abstract Said ReadWhole(JsonElement answer);

    public abstract Said ReadStream(string text);

    /// <summary>The message of a refusal in the wire's own body.</summary>
    public abstract string ReadError(int status, JsonElement body);

    public Task<Reply> AskAsync(string credential, string model, string question, bool stream, bool tools = false, string? image = null) =>
        Gateway.SendAsync("POST", Path(model, stream), credential, Body(model, question, stream, tools, image));

    protected static string Quoted(string text) => JsonSerializer.Serialize(text);

    protected static string Compact(string json) => JsonSerializer.Serialize(JsonSerializer.Deserialize<JsonElement>(json));

    /// <summary>Name and data of each event; the wires never send CRLF.</summary>
    protected static IEnumerable<(string? Name, string Data)> Events(string text)
    {
        Assert.DoesNotContain('\r', text);
        Assert.EndsWith("\n\n", text);
        foreach (var frame in text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var lines = frame.Split('\n');
            Assert.All(
                lines,
                line => Assert.True(
                    line.StartsWith("data: ", StringComparison.Ordinal) || line.StartsWith("event: ", StringComparison.Ordinal),
                    line));
            var name = lines.SingleOrDefault(line => line.StartsWith("event: ", StringComparison.Ordinal))?["event: ".Length..];
            yield return (name, lines.Single(line => line.StartsWith("data: ", StringComparison.Ordinal))["data: ".Length..]);
        }
    }

    protected static JsonElement Parse(string data) => JsonSerializer.Deserialize<JsonElement>(data);

    protected static JsonElement? Member(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    /// <summary>Zeros where a provider gave none and the answer was passed on.</summary>
    static (int Input, int Output, string? Cost) Usage(JsonElement holder, string input, string output, string name = "usage") =>
        Member(holder, name) is { } usage
            ? (Member(usage, input)?.GetInt32() ?? 0, Member(usage, output)?.GetInt32() ?? 0, Member(usage, "cost")?.GetString())
            : default;

    sealed record ChatSpeaker() : Speaker("chat", "stop", "tool_calls")
    {
        public override string Path(string model, bool stream) => "/v1/chat/completions";

        public override string Body(string model, string question, bool stream, bool tools, string? image)
        {
            var content = image is null
                ? Quoted(question)
                : $$$"""[{"type":"text","text":{{{Quoted(question)}}}},"""
                    + $$$"""{"type":"image_url","image_url":{"url":"data:image/png;base64,{{{image}}}"}}]""";
            var more = (stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "")
                + (tools
                    ? $$$""","tools":[{"type":"function","function":{"name":"weather","parameters":{{{Schema}}}}},"""
                        + $$$"""{"type":"function","function":{"name":"clock","parameters":{{{Schema}}}}}]"""
                    : "");
            return $$$"""{"model":"{{{model}}}","messages":[{"role":"user","content":{{{content}}}}]{{{more}}}}""";
        }

        public override Said ReadWhole(JsonElement answer)
        {
            Assert.Equal("chat.completion", answer.Text("object"));
            var choice = Assert.Single(answer.Items("choices"));
            var message = choice.GetProperty("message");
            Assert.Equal("assistant", message.Text("role"));
            var calls = (Member(message, "tool_calls")?.EnumerateArray() ?? default)
                .Select(call => $"{call.GetProperty("function").Text("name")} {Compact(call.GetProperty("function").Text("arguments"))}");
            var (input, output, _) = Usage(answer, "prompt_tokens", "completion_tokens");
            return new(Member(message, "content")?.GetString() ?? "", choice.Text("finish_reason"), input, output, null, [.. calls], null);
        }

        public override Said ReadStream(string text)
        {
            var said = new Said("", null, 0, 0, null, [], null);
            var calls = new SortedDictionary<int, (string Name, string Arguments)>();
            var events = Events(text).ToList();
            Assert.Equal("[DONE]", events[^1].Data);
            foreach (var chunk in events.SkipLast(1).Select(e => Parse(e.Data)))
            {
                if (Member(chunk, "error") is { } error)
                    return said with { Error = error.Text("message") };
                Assert.Equal("chat.completion.chunk", chunk.Text("object"));
                foreach (var choice in chunk.Items("choices"))
                {
                    var delta = choice.GetProperty("delta");
                    said = said with
                    {
                        Text = said.Text + Member(delta, "content")?.GetString(),
                        Stop = Member(choice, "finish_reason")?.GetString() ?? said.Stop,
                    };
                    foreach (var call in Member(delta, "tool_calls")?.EnumerateArray() ?? default)
                    {
                        var (name, arguments) = calls.GetValueOrDefault(call.Int("index"), ("", ""));
                        var function = call.GetProperty("function");
                        calls[call.Int("index")] =
                            (name + Member(function, "name")?.GetString(), arguments + Member(function, "arguments")?.GetString());
                    }
                }
                if (Member(chunk, "usage") is { } usage)
                    said = said with
                    {
                        Input = usage.Int("prompt_tokens"),
                        Output = usage.Int("completion_tokens"),
                        Cost = Member(usage, "cost")?.GetString(),
                    };
            }
            return said with { Calls = [.. calls.Values.Select(call => $"{call.Name} {Compact(call.Arguments)}")] };
        }

        public override string ReadError(int status, JsonElement body) => body.GetProperty("error").Text("message");
    }

    sealed record ResponsesSpeaker() : Speaker("responses", "completed", "completed")
    {
        public override string Path(string model, bool stream) => "/v1/responses";

        public override string Body(string model, string question, bool stream, bool tools, string? image)
        {
            var input = image is null
                ? Quoted(question)
                : $$$"""[{"role":"user","content":[{"type":"input_text","text":{{{Quoted(question)}}}},"""
                    + $$$"""{"type":"input_image","image_url":"data:image/png;base64,{{{image}}}"}]}]""";
            var more = (stream ? ",\"stream\":true" : "")
                + (tools
                    ? $$$""","tools":[{"type":"function","name":"weather","parameters":{{{Schema}}}},"""
                        + $$$"""{"type":"function","name":"clock","parameters":{{{Schema}}}}]"""
                    : "");
            return $$$"""{"model":"{{{model}}}","input":{{{input}}}{{{more}}}}""";
        }

        public override Said ReadWhole(JsonElement answer)
        {
            Assert.Equal("response", answer.Text("object"));
            var output = answer.Items("output").ToList();
            var text = string.Concat(output
                .Where(item => item.Text("type") == "message")
                .SelectMany(item => item.Items("content"))
                .Where(part => part.Text("type") == "output_text")
                .Select(part => part.Text("text")));
            var calls = output
                .Where(item => item.Text("type") == "function_call")
                .Select(call => $"{call.Text("name")} {Compact(call.Text("arguments"))}");
            var (input, tokens, cost) = Usage(answer, "input_tokens", "output_tokens");
            return new(text, answer.Text("status"), input, tokens, cost, [.. calls], null);
        }

        public override Said ReadStream(string text)
        {
            var (words, number) = ("", -1);
            foreach (var (name, data) in Events(text))
            {
                var e = Parse(data);
                Assert.Equal(name, e.Text("type"));
                if (name != "error" && Member(e, "sequence_number") is { } sequence)
                    Assert.True(sequence.GetInt32() > number, $"sequence number {sequence} after {number}");
                number = Member(e, "sequence_number")?.GetInt32() ?? number;
                switch (name)
                {
                    case "response.output_text.delta": words += e.Text("delta"); break;
                    case "error": return new(words, null, 0, 0, null, [], e.Text("message"));
                    case "response.failed": return new(
                        words,
                        "failed",
                        0,
                        0,
                        null,
                        [],
                        Member(e.GetProperty("response"), "error")?.Text("message") ?? "failed");
                    case "response.completed" or "response.incomplete":
                        var whole = ReadWhole(e.GetProperty("response"));
                        Assert.Equal(whole.Text, words);
                        return whole;
                }
            }
            throw new InvalidDataException($"no end: {text}");
        }

        public override string ReadError(int status, JsonElement body) => body.GetProperty("error").Text("message");
    }

    sealed record MessagesSpeaker() : Speaker("messages", "end_turn", "tool_use")
    {
        public override string Path(string model, bool stream) => "/v1/messages";

        public override string Body(string model, string question, bool stream, bool tools, string? image)
        {
            var content = image is null
                ? Quoted(question)
                : $$$"""[{"type":"text","text":{{{Quoted(question)}}}},"""
                    + $$$"""{"type":"image","source":{"type":"base64","media_type":"image/png","data":"{{{image}}}"}}]""";
            var more = (stream ? ",\"stream\":true" : "") + (tools
                ? $$$""","tools":[{"name":"weather","input_schema":{{{Schema}}}},{"name":"clock","input_schema":{{{Schema}}}}]"""
                : "");
            return $$$"""{"model":"{{{model}}}","max_tokens":500,"messages":[{"role":"user","content":{{{content}}}}]{{{more}}}}""";
        }

        public override Said ReadWhole(JsonElement answer)
        {
            Assert.Equal(("message", "assistant"), (answer.Text("type"), answer.Text("role")));
            var content = answer.Items("content").ToList();
            var (input, output, cost) = Usage(answer, "input_tokens", "output_tokens");
            return new(
                string.Concat(content.Where(block => block.Text("type") == "text").Select(block => block.Text("text"))),
                answer.Text("stop_reason"),
                input,
                output,
                cost,
                [.. content
                    .Where(block => block.Text("type") == "tool_use")
                    .Select(block => $"{block.Text("name")} {Compact(block.GetProperty("input").GetRawText())}")],
                null);
        }

        public override Said ReadStream(string text)
        {
            var said = new Said("", null, 0, 0, null, [], null);
            var (blocks, open, ended) = (new SortedDictionary<int, (string? Name, string Text)>(), new HashSet<int>(), false);
            foreach (var (name, data) in Events(text))
            {
                var e = Parse(data);
                Assert.Equal(name, e.Text("type"));
                Assert.False(ended);
                switch (name)
                {
                    case "message_start":
                        Assert.Empty(e.GetProperty("message").Items("content"));
                        said = said with { Input = Usage(e.GetProperty("message"), "input_tokens", "output_tokens").Input };
                        break;
                    case "content_block_start":
                        Assert.True(open.Add(e.Int("index")));
                        blocks.Add(e.Int("index"), (Member(e.GetProperty("content_block"), "name")?.GetString(), ""));
                        break;
                    case "content_block_delta":
                        Assert.Contains(e.Int("index"), open);
                        var (block, delta) = (blocks[e.Int("index")], e.GetProperty("delta"));
                        blocks[e.Int("index")] =
                            (block.Name, block.Text + (Member(delta, "text") ?? Member(delta, "partial_json"))?.GetString());
                        break;
                    case "content_block_stop":
                        Assert.True(open.Remove(e.Int("index")));
                        break;
                    case "message_delta":
                        var (input, output, cost) = Usage(e, "input_tokens", "output_tokens");
                        said = said with
                        {
                            Stop = Member(e.GetProperty("delta"), "stop_reason")?.GetString() ?? said.Stop,
                            Output = output,
                            Input = input > 0 ? input : said.Input,
                            Cost = cost,
                        };
                        break;
                    case "message_stop":
                        Assert.Empty(open);
                        ended = true;
                        break;
                    case "error":
                        return Gathered() with { Error = e.GetProperty("error").Text("message") };
                    case "ping":
                        break;
                    default:
                        Assert.Fail($"an unknown event: {name}");
                        break;
                }
            }
            Assert.True(ended, text);
            return Gathered();

            Said Gathered() => said with
            {
                Text = string.Concat(blocks.Values.Where(block => block.Name is null).Select(block => block.Text)),
                Calls = [.. blocks.Values.Where(block => block.Name is not null).Select(block => $"{block.Name} {Compact(block.Text)}")],
            };
        }

        public override string ReadError(int status, JsonElement body)
        {
            Assert.Equal("error", body.Text("type"));
            var type = status switch
            {
                400 => "invalid_request_error",
                401 => "authentication_error",
                402 => "billing_error",
                403 => "permission_error",
                404 => "not_found_error",
                413 => "request_too_large",
                429 => "rate_limit_error",
                503 => "overloaded_error",
                _ => "api_error",
            };
            Assert.Equal(type, body.GetProperty("error").Text("type"));
            return body.GetProperty("error").Text("message");
        }
    }

    sealed record GeminiSpeaker() : Speaker("gemini", "STOP", "STOP")
    {
        public override string Path(string model, bool stream) =>
            $"/v1beta/models/{model}:{(stream ? "streamGenerateContent?alt=sse" : "generateContent")}";

        public override string Body(string model, string question, bool stream, bool tools, string? image)
        {
            var picture = image is null ? "" : $$$""",{"inlineData":{"mimeType":"image/png","data":"{{{image}}}"}}""";
            var more = tools
                ? $$$""","tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":{{{Schema}}}},"""
                    + $$$"""{"name":"clock","parametersJsonSchema":{{{Schema}}}}]}]"""
                : "";
            return $$$"""{"contents":[{"role":"user","parts":[{"text":{{{Quoted(question)}}}}{{{picture}}}]}]{{{more}}}}""";
        }

        public override Said ReadWhole(JsonElement answer) => Add(new("", null, 0, 0, null, [], null), answer);

        public override Said ReadStream(string text) =>
            Events(text).Aggregate(new Said("", null, 0, 0, null, [], null), (said, e) => Add(said, Parse(e.Data)));

        static Said Add(Said said, JsonElement chunk)
        {
            if (Member(chunk, "error") is { } error)
                return said with { Error = error.Text("message") };
            foreach (var candidate in Member(chunk, "candidates")?.EnumerateArray() ?? default)
            {
                foreach (var part in Member(candidate, "content") is { } content
                    ? Member(content, "parts")?.EnumerateArray() ?? default
                    : default)
                    said = Member(part, "functionCall") is { } call
                        ? said with { Calls = [.. said.Calls, $"{call.Text("name")} {Compact(call.GetProperty("args").GetRawText())}"] }
                        : said with { Text = said.Text + Member(part, "text")?.GetString() };
                said = said with { Stop = Member(candidate, "finishReason")?.GetString() ?? said.Stop };
            }
            var (input, output, cost) = Usage(chunk, "promptTokenCount", "candidatesTokenCount", "usageMetadata");
            return input == 0 ? said : said with { Input = input, Output = output, Cost = cost ?? said.Cost };
        }

        public override string ReadError(int status, JsonElement body)
        {
            Assert.Equal(status, body.GetProperty("error").Int("code"));
            Assert.NotEmpty(body.GetProperty("error").Text("status"));
            return body.GetProperty("error").Text("message");
        }
    }
}
