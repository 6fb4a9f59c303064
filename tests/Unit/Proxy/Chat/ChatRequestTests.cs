using System.Text;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class ChatRequestTests
{
    const string Messages = """[{"role":"user","content":"hello"}]""";

    [Fact]
    public void Reads_what_decides_the_cost_of_a_request()
    {
        var request = Accepted("""
            {"model":"gpt-4o-mini","stream":true,"n":3,"user":"u-1","metadata":{"session_id":"s-1","x":1},"max_tokens":50,
                "max_completion_tokens":40,
             "stream_options":{"include_usage":true},"tools":[{"type":"function","function":{"name":"f"}}],"temperature":0.5,
                "service_tier":"auto",
             "messages":[{"role":"system","content":"a"},
                {"role":"user","content":[{"type":"text","text":"b"},{"type":"image_url","image_url":{"url":"https://x/y.png"}},
             {"image_url":{"url":"data:image/png;base64,AAAA"},"type":"image_url"}]}]}
            """.Unwrapped());

        Assert.Equal("gpt-4o-mini", request.Model);
        Assert.True(request.Stream && request.WantsUsage && request.HasTools);
        Assert.Equal((3, 40, 2, 2), (request.Choices, request.MaxTokens, request.Messages, request.Images));
        Assert.Equal(("u-1", "s-1"), (request.User, request.SessionId));
    }

    [Fact]
    public void Null_members_are_as_good_as_absent_ones()
    {
        var request = Accepted($$"""
            {"model":"m","messages":{{Messages}},"stream":null,"stream_options":null,"max_tokens":null,"max_completion_tokens":null,
                "n":null,"user":null,
             "tools":null,"audio":null,"modalities":null,"service_tier":null,"prediction":null,"web_search":false}
            """.Unwrapped());

        Assert.Equal(
            (false, false, null, 1, false),
            (request.Stream, request.WantsUsage, request.MaxTokens, request.Choices, request.HasTools));
    }

    [Theory]
    [InlineData("""{"messages":[{}]}""", "missing_field", "model")]
    [InlineData("""{"model":7,"messages":[{}]}""", "invalid_value", "model")]
    [InlineData("""{"model":"","messages":[{}]}""", "invalid_value", "model")]
    [InlineData("""{"model":null,"messages":[{}]}""", "invalid_value", "model")]
    [InlineData("""{"model":"m"}""", "missing_field", "messages")]
    [InlineData("""{"model":"m","messages":"hi"}""", "invalid_value", "messages")]
    [InlineData("""{"model":"m","messages":[]}""", "invalid_value", "messages")]
    [InlineData("""{"model":"m","messages":[{},"hi"]}""", "invalid_value", "messages[1]")]
    [InlineData("""{"model":"m","messages":[{"content":7}]}""", "invalid_value", "messages[0].content")]
    [InlineData("""{"model":"m","messages":[{"content":["x"]}]}""", "invalid_value", "messages[0].content[0]")]
    public void A_request_without_a_model_or_messages_is_refused(string body, string code, string param) => Refused(body, code, param);

    [Theory]
    [InlineData("-1")]
    [InlineData("0")]
    [InlineData("1e3")]
    [InlineData("1.5")]
    [InlineData("10.0")]
    [InlineData("2147483648")]
    [InlineData("9223372036854775808")]
    [InlineData("\"10\"")]
    [InlineData("[1]")]
    [InlineData("true")]
    public void A_limit_that_is_no_plain_count_is_refused(string value)
    {
        Refused($$"""{"model":"m","messages":{{Messages}},"max_tokens":{{value}}}""", "invalid_value", "max_tokens");
        Refused($$"""{"model":"m","messages":{{Messages}},"max_completion_tokens":{{value}}}""", "invalid_value", "max_completion_tokens");
        Refused($$"""{"model":"m","messages":{{Messages}},"n":{{value}}}""", "invalid_value", "n");
    }

    [Theory]
    [InlineData("\"n\":129", "n")]
    [InlineData("\"stream\":\"yes\"", "stream")]
    [InlineData("\"stream\":1", "stream")]
    [InlineData("\"stream_options\":[]", "stream_options")]
    [InlineData("\"stream_options\":{\"include_usage\":1}", "stream_options.include_usage")]
    [InlineData("\"user\":{}", "user")]
    [InlineData("\"metadata\":{\"session_id\":5}", "metadata.session_id")]
    [InlineData("\"modalities\":\"text\"", "modalities")]
    [InlineData("\"MAX_TOKENS\":5", "MAX_TOKENS")]
    [InlineData("\"Stream\":true", "Stream")]
    public void A_member_of_the_wrong_form_is_refused_by_name(string member, string param) =>
        Refused($$"""{"model":"m",{{member}},"messages":{{Messages}}}""", "invalid_value", param);

    [Theory]
    [InlineData("\"service_tier\":\"priority\"", "service_tier")]
    [InlineData("\"service_tier\":\"flex\"", "service_tier")]
    [InlineData("\"modalities\":[\"text\",\"audio\"]", "modalities")]
    [InlineData("\"audio\":{\"voice\":\"alloy\"}", "audio")]
    [InlineData("\"web_search_options\":{}", "web_search_options")]
    [InlineData("\"prediction\":{\"type\":\"content\"}", "prediction")]
    [InlineData("\"best_of\":5", "best_of")]
    [InlineData("\"models\":[\"dear\"]", "models")]
    [InlineData("\"api_base\":\"https://attacker.example\"", "api_base")]
    [InlineData("\"Prediction\":{}", "Prediction")]
    [InlineData("\"tools\":[{\"type\":\"web_search\"}]", "tools[0].type")]
    public void A_parameter_whose_cost_has_no_price_is_refused_by_name(string member, string param) =>
        Refused($$"""{"model":"m","messages":{{Messages}},{{member}}}""", "unpriceable_parameter", param);

    [Theory]
    [InlineData("""{"type":"input_audio","input_audio":{}}""", "messages[0].content[0].input_audio")]
    [InlineData("""{"input_audio":{}}""", "messages[0].content[0].input_audio")]
    [InlineData("""{"type":"file","file":{"file_id":"f"}}""", "messages[0].content[0].file.file_id")]
    [InlineData("""{"type":"film","video_url":{}}""", "messages[0].content[0].video_url")]
    public void Content_with_rates_of_its_own_or_of_others_is_refused_by_name(string part, string param) =>
        Refused($$"""{"model":"m","messages":[{"role":"user","content":[{{part}}]}]}""", "unpriceable_parameter", param);

    [Fact]
    public void A_reference_to_an_earlier_spoken_answer_is_refused() =>
        Refused(
            """{"model":"m","messages":[{"role":"assistant","audio":{"id":"audio_1"}}]}""",
            "unpriceable_parameter",
            "messages[0].audio");

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("[]")]
    [InlineData("{\"model\":\"m\"")]
    [InlineData("{\"model\":\"m\",}")]
    [InlineData("{\"model\":\"m\"/*x*/}")]
    [InlineData("{\"model\":\"m\"} {}")]
    [InlineData("\ufeff{\"model\":\"m\",\"messages\":[{}]}")]
    [InlineData("{\"model\":\"m\",\"model\":\"m\",\"messages\":[{}]}")]
    [InlineData("{\"model\":\"m\",\"\\u006dodel\":\"m\",\"messages\":[{}]}")]
    [InlineData("{\"model\":\"m\",\"messages\":[{\"content\":\"a\",\"content\":\"b\"}]}")]
    [InlineData("{\"model\":\"m\",\"messages\":[{}],\"logit_bias\":{\"1\":1,\"1\":2}}")]
    [InlineData("{\"model\":\"m\",\"messages\":[{\"content\":\"\\ud83d\"}]}")]
    [InlineData("{\"model\":\"m\",\"messages\":[{\"content\":\"\\ud83dx\\ude00\"}]}")]
    [InlineData("{\"model\":\"m\",\"messages\":[{\"content\":\"\\ude00\"}]}")]
    [InlineData("{\"model\":\"m\",\"messages\":[{\"\\ud83d\":1}]}")]
    [InlineData("{\"model\":\"m\",\"messages\":[{\"content\":\"a\nb\"}]}")]
    [InlineData("{\"model\":\"m\",\"messages\":[{}],\"x\":NaN}")]
    public void Text_that_two_parsers_could_read_differently_is_refused(string body) =>
        Refused(body, "malformed_json", param: null, anyParam: true);

    [Fact]
    public void Invalid_utf8_is_refused()
    {
        var body = Encoding.UTF8.GetBytes($$"""{"model":"m","messages":{{Messages}},"x":"?"}""");
        foreach (var bytes in (byte[][])[[0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xE4, 0xB8]])
        {
            byte[] broken = [.. body.AsSpan(0, body.Length - 3), .. bytes, (byte)'"', (byte)'}'];
            Assert.False(Wires.Chat.TryRead(broken, default, out _, out var problem));
            Assert.Equal((400, "malformed_json"), (problem.Status, problem.Code));
        }
    }

    [Fact]
    public void Whole_surrogate_pairs_and_escaped_names_are_accepted()
    {
        var request = Accepted("""{"\u006dodel":"m\ud83d\ude00","messages":[{"content":"\\ud83d \ud83d\ude00\n"}]}""");
        Assert.Equal("m😀", request.Model);
    }

    [Fact]
    public void Nesting_is_allowed_up_to_64_levels()
    {
        Accepted(Nested(63));
        Refused(Nested(64), "malformed_json", param: null);

        static string Nested(int levels) =>
            $$"""{"model":"m","messages":{{Messages}},"x":{{new string('[', levels)}}{{new string(']', levels)}}}""";
    }

    [Fact]
    public void Duplicates_are_found_in_objects_with_many_members_and_their_number_is_bounded()
    {
        Accepted(Wide(1000, "m1000"));
        Refused(Wide(1000, "m777"), "malformed_json", "m777");
        Refused(Wide(1000, "\\u006d777"), "malformed_json", "m777");
        Refused(Wide(5000, "m5000"), "malformed_json", param: null);

        static string Wide(int members, string last) =>
            $$$"""{"model":"m","messages":{{{Messages}}},"logit_bias":"""
                + $$$"""{{{{string.Join(',', Enumerable.Range(0, members).Select(i => $"\"m{i}\":1"))}}},"{{{last}}}":1}}""";
    }

    [Fact]
    public void A_model_name_may_have_256_characters()
    {
        Accepted($$"""{"model":"{{new string('m', 256)}}","messages":{{Messages}}}""");
        Refused($$"""{"model":"{{new string('m', 257)}}","messages":{{Messages}}}""", "invalid_value", "model");
    }

    [Fact]
    public void No_mutation_of_a_request_makes_the_reader_throw() => Seeds.ForEach(20_000, random =>
    {
        var body = Encoding.UTF8.GetBytes(
            """
            {"model":"m\u0061","stream":true,"stream_options":{"include_usage":false},"n":2,
            "messages":[{"content":[{"type":"text","text":"😀"}]}]}
            """.ReplaceLineEndings(""));
        for (var i = random.Next(1, 4); i > 0; i--)
            body[random.Next(body.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : body[random.Next(body.Length)];
        var length = random.Next(3) == 0 ? random.Next(body.Length) : body.Length;
        if (Wires.Chat.TryRead(body.AsSpan(0, length), default, out var request, out var problem))
            Accepted(Encoding.UTF8.GetString(request.Rewrite(body.AsMemory(0, length), "up", 5, true).Span));
        else
            Assert.Equal(400, problem.Status);
    });

    internal static ChatRequest Accepted(string body)
    {
        Assert.True(Wires.Chat.TryRead(Encoding.UTF8.GetBytes(body), default, out var request, out var problem), problem?.Message);
        return (ChatRequest)request;
    }

    static void Refused(string body, string code, string? param, bool anyParam = false)
    {
        Assert.False(Wires.Chat.TryRead(Encoding.UTF8.GetBytes(body), default, out _, out var problem));
        Assert.Equal((400, code), (problem.Status, problem.Code));
        if (!anyParam)
            Assert.Equal(param, problem.Param);
        if (param is not null)
            Assert.Contains(param, problem.Message, StringComparison.Ordinal);
    }
}
