using System.Runtime.InteropServices;
using System.Text.Json;
using LlmGateway.Sandbox;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <summary>What OpenAI serves beside chat, and what the three lists of models have to do with each other.</summary>
public sealed class OpenAITests(Provider provider) : IClassFixture<Provider>
{
    [Fact]
    public async Task Responses_number_their_events_also_when_they_fail()
    {
        foreach (var (model, last) in new[] { ("m", "response.completed"), ("m-error-mid", "response.failed") })
        {
            var stream = await provider.PostAsync(
                "/v1/responses",
                "{\"model\":\"" + model + "\",\"stream\":true,\"input\":\"[[thinks:2]] [[tokens:4]]\"}");

            var events = Wire.Events(stream.Text).Select(item => JsonElement.Parse(item.Data)).ToArray();
            Assert.Equal(Enumerable.Range(0, events.Length), events.Select(item => item.GetProperty("sequence_number").GetInt32()));
            Assert.Equal(
                ["response.created", "response.in_progress", "response.output_item.added"],
                events.Take(3).Select(item => item.Text("type")));
            Assert.Equal(last, events[^1].Text("type"));
            Assert.DoesNotContain("[DONE]", stream.Text);
        }
    }

    [Fact]
    public async Task Responses_read_every_kind_of_item()
    {
        var body = """
            {"model":"m","instructions":"be nice","tools":[{"type":"function","name":"f"}],
                "text":{"format":{"type":"json_schema","name":"a","schema":{}}},"input":[
              {"role":"user","content":[{"type":"input_text","text":"[[tool:f {}]] [[tokens:3]]"},{"type":"input_image","image_url":"x"}]},
              {"type":"reasoning","id":"rs_1","encrypted_content":"sealed rs_1"},
              {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
              {"type":"function_call_output","call_id":"c","output":"it is done"}]}
            """.Unwrapped();

        var answer = (await provider.PostAsync("/v1/responses", body)).Json;

        // Instructions, two markers of three words, an image and the result; the call is not made again.
        Assert.Equal(2 + 3 + 85 + 3, answer.GetProperty("usage").Long("input_tokens"));
        var heard = new ResponsesWire().Read(answer);
        Assert.Empty(heard.Calls);
        Assert.Equal(3, JsonElement.Parse(heard.Text).Text("answer").Split(' ').Length);
    }

    [Theory]
    [InlineData("""{"type":"item_reference","id":"msg_1"}"""), InlineData("""{"type":"reasoning","id":"rs_1","summary":[]}""")]
    [InlineData("""{"type":"reasoning","id":"rs_2","encrypted_content":"sealed rs_1"}""")]
    public async Task Responses_refuse_what_only_a_store_would_know(string item) => Assert.Equal(
        400, (await provider.PostAsync("/v1/responses", $$"""{"model":"m","input":[{{item}},{"role":"user","content":"x"}]}""")).Status);

    [Fact]
    public async Task Responses_refuse_what_OpenAI_refuses()
    {
        Assert.Equal(400, (await provider.PostAsync("/v1/responses", "{\"model\":\"m\",\"input\":\"x\",\"max_output_tokens\":15}")).Status);
        Assert.Equal(
            400,
            (await provider.PostAsync("/v1/responses", "{\"model\":\"m\",\"input\":\"x\",\"previous_response_id\":\"resp_1\"}")).Status);
        Assert.Equal(400, (await provider.PostAsync("/v1/responses", "{\"model\":\"m\"}")).Status);
    }

    [Fact]
    public async Task Chat_does_not_make_a_call_again_whose_result_is_there()
    {
        var body = """
            {"model":"m","tools":[{"type":"function"}],"messages":[{"role":"user","content":"[[tool:f {}]]"},
              {"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
                {"role":"tool","tool_call_id":"c","content":"done"}]}
            """.Unwrapped();

        Assert.Equal("stop", new ChatWire().Read((await provider.PostAsync("/v1/chat/completions", body)).Json).Finish);
    }

    [Fact]
    public async Task Vectors_have_length_one_and_are_the_same_as_numbers_and_as_bytes()
    {
        var numbers =
            (await provider.PostAsync("/v1/embeddings", "{\"model\":\"m\",\"input\":[\"two words\",\"x\"],\"dimensions\":12}")).Json;
        var bytes = (await provider.PostAsync(
            "/v1/embeddings",
            "{\"model\":\"m\",\"input\":[\"two words\",\"x\"],\"dimensions\":12,\"encoding_format\":\"base64\"}")).Json;
        var tokens = (await provider.PostAsync("/v1/embeddings", "{\"model\":\"m-badusage-sum\",\"input\":[[1,2,3],[4]]}")).Json;

        var vector = numbers.GetProperty("data")[0].GetProperty("embedding").EnumerateArray().Select(value => value.GetSingle()).ToArray();
        Assert.Equal(12, vector.Length);
        Assert.Equal(1, vector.Sum(value => value * value), 0.0001);
        Assert.Equal(
            vector,
            MemoryMarshal.Cast<byte, float>(bytes.GetProperty("data")[0].GetProperty("embedding").GetBytesFromBase64()).ToArray());
        Assert.Equal((3, 3), (numbers.GetProperty("usage").Long("prompt_tokens"), numbers.GetProperty("usage").Long("total_tokens")));
        Assert.Equal((4, 11), (tokens.GetProperty("usage").Long("prompt_tokens"), tokens.GetProperty("usage").Long("total_tokens")));
        Assert.Equal(1536, tokens.GetProperty("data")[1].GetProperty("embedding").GetArrayLength());
    }

    [Fact]
    public async Task Moderations_flag_what_is_ordered()
    {
        var results =
            (await provider.PostAsync("/v1/moderations", "{\"input\":[\"fine\",\"[[flag:violence]]\"]}")).Json.GetProperty("results");

        Assert.Equal((false, true), (results[0].GetProperty("flagged").GetBoolean(), results[1].GetProperty("flagged").GetBoolean()));
        Assert.True(results[1].GetProperty("categories").GetProperty("violence").GetBoolean());
        Assert.False(results[1].GetProperty("categories").GetProperty("hate").GetBoolean());
    }

    [Fact]
    public async Task Images_cost_by_their_size()
    {
        var answer = (await provider.PostAsync(
            "/v1/images/generations",
            "{\"model\":\"gpt-image-1\",\"prompt\":\"a red cat\",\"n\":2,\"size\":\"1024x1536\"}")).Json;

        Assert.Equal((3, 2 * 384), (answer.GetProperty("usage").Long("input_tokens"), answer.GetProperty("usage").Long("output_tokens")));
        Assert.All(
            answer.GetProperty("data").EnumerateArray(),
            image => Assert.Equal((byte[])[0x89, .. "PNG"u8], image.GetProperty("b64_json").GetBytesFromBase64()[..4]));
        Assert.Equal(400, (await provider.PostAsync("/v1/images/generations", "{\"prompt\":\"x\",\"size\":\"big\"}")).Status);
    }

    [Theory]
    [InlineData("whisper-1", "{\"type\":\"duration\",\"seconds\":2}")]
    [InlineData("gpt-4o-transcribe",
        "{\"type\":\"tokens\",\"input_tokens\":22,\"input_token_details\":{\"text_tokens\":2,\"audio_tokens\":20},\"output_tokens\":2,"
            + "\"total_tokens\":24}")]
    public async Task What_is_spoken_can_be_transcribed(string model, string usage)
    {
        // A tenth of a second for each of twelve words.
        var speech = await provider.PostAsync(
            "/v1/audio/speech",
            "{\"model\":\"tts-1\",\"voice\":\"alloy\",\"input\":\"1 2 3 4 5 6 7 8 9 10 11 12\"}");
        Assert.Equal((200, "audio/wav"), (speech.Status, speech.Headers["Content-Type"]));
        using var form = new MultipartFormDataContent
        {
            { new StringContent(model), "model" },
            { new StringContent("[[say:hello there]]"), "prompt" },
            { new ByteArrayContent(speech.Body), "file", "a.wav" },
        };

        var heard = (await provider.SendAsync(
            new(HttpMethod.Post, "/v1/audio/transcriptions") { Headers = { { "Authorization", "Bearer k" } }, Content = form },
            TestContext.Current.CancellationToken)).Json;

        Assert.Equal(("hello there", usage), (heard.Text("text"), heard.GetProperty("usage").GetRawText()));
    }

    [Fact]
    public async Task Completions_without_chat_stream_what_they_answer()
    {
        const string body = "{\"model\":\"m\",\"prompt\":[\"one two\",\"[[tokens:5]]\"],\"n\":2";

        var whole = (await provider.PostAsync("/v1/completions", body + "}")).Json;
        var stream = await provider.PostAsync("/v1/completions", body + ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");

        var chunks = Wire.Events(stream.Text).SkipLast(1).Select(item => JsonElement.Parse(item.Data)).ToArray();
        Assert.Equal("[DONE]", Wire.Events(stream.Text).Last().Data);
        var texts = chunks
            .SelectMany(chunk => chunk.GetProperty("choices").EnumerateArray())
            .GroupBy(choice => choice.Long("index"), choice => choice.Text("text"))
            .OrderBy(choice => choice.Key);
        Assert.Equal(
            whole.GetProperty("choices").EnumerateArray().Select(choice => choice.Text("text")),
            texts.Select(choice => string.Concat(choice)));
        Assert.Equal(whole.GetProperty("usage").GetRawText(), chunks[^1].GetProperty("usage").GetRawText());
        Assert.Equal((3, 20), (whole.GetProperty("usage").Long("prompt_tokens"), whole.GetProperty("usage").Long("completion_tokens")));
    }

    [Fact]
    public async Task The_headers_choose_whose_models_are_listed()
    {
        Assert.Equal("list", (await provider.GetAsync("/v1/models", ("Authorization", "Bearer k"))).Json.Text("object"));
        Assert.False(
            (await provider.GetAsync("/v1/models?limit=1000", ("Authorization", "Bearer k"), ("anthropic-version", "2023-06-01"))).Json
                .GetProperty("has_more")
                .GetBoolean());
        Assert.Equal("models/any", (await provider.GetAsync("/v1/models/any?key=k")).Json.Text("name"));
        Assert.Equal("model", (await provider.GetAsync("/v1/models/any", ("Authorization", "Bearer k"))).Json.Text("object"));
        Assert.Equal(401, (await provider.GetAsync("/v1/models")).Status);
    }

    [Fact]
    public void Every_fault_stands_in_the_README()
    {
        var text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "services/Sandbox/README.md"));

        // "-error-429" may stand as `-429`, after `-error`.
        Assert.All(Faults.All, fault => Assert.True(
            text.Contains($"`{fault.Suffix}`") || (text.Contains($"`{fault.Suffix[..fault.Suffix.LastIndexOf('-')]}`")
                && text.Contains($"`{fault.Suffix[fault.Suffix.LastIndexOf('-')..]}`")),
            fault.Suffix));
    }
}
