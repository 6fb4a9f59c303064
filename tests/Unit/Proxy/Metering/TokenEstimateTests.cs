using System.Text;
using System.Text.Json;
using LlmGateway.Proxy;
using Microsoft.ML.Tokenizers;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class TokenEstimateTests
{
    [Theory]
    [InlineData("", 0)]
    [InlineData(" ", 0)]
    [InlineData("one two three four", 4)]
    [InlineData("observatory", 2)]
    [InlineData("camelCase snake_case", 5)]
    [InlineData("12 123 1234", 6)]
    [InlineData("a = b[i];", 6)]
    [InlineData("größer naïve Đặng", 3)]
    [InlineData("привет", 3)]
    [InlineData("日本語日", 3)]
    [InlineData("😀😀", 4)]
    [InlineData("a\u00a0b\u3000c", 3)]
    public void Counts_as_the_rule_says(string text, long expected) => Assert.Equal(expected, Count(Encoding.UTF8.GetBytes(text)));

    public static TheoryData<string> Corpus => ["prose", "code", "json", "chinese", "tools"];

    static readonly TiktokenTokenizer Current = TiktokenTokenizer.CreateForModel("gpt-4o");
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    static readonly TiktokenTokenizer Older = TiktokenTokenizer.CreateForModel("gpt-4");

    /// <summary>The older tokenizer makes half as many tokens again of Chinese, which no rule without a vocabulary can know.</summary>
    [Theory, MemberData(nameof(Corpus))]
    public void The_count_is_within_a_tenth_of_OpenAIs_tokenizer_and_never_below_half_of_an_older_one(string name)
    {
        var text = Text(name);
        AssertClose(Current.CountTokens(text), Count(Encoding.UTF8.GetBytes(text)), 0.9, 1.1);
        AssertClose(Older.CountTokens(text), Count(Encoding.UTF8.GetBytes(text)), 0.5, 1.1);
        foreach (var line in text.Split('\n').Where(line => line.Length > 100))
            AssertClose(Current.CountTokens(line), Count(Encoding.UTF8.GetBytes(line)), 0.5, 1.5);
    }

    /// <summary>router-for-me/CLIProxyAPI #679: the count said 1 with and without twenty tools.</summary>
    [Theory]
    [InlineData("chat", """{"tools":TOOLS,"messages":[{"role":"user","content":TEXT}]}""")]
    [InlineData("messages", """{"system":TEXT,"tools":TOOLS,"messages":[{"role":"user","content":"hi"}]}""")]
    [InlineData("responses", """{"instructions":"be kind","input":[{"role":"user","content":TEXT}],"tools":TOOLS}""")]
    [InlineData("Gemini", """{"systemInstruction":{"parts":[{"text":TEXT}]},"tools":TOOLS,"contents":[]}""")]
    public void A_request_with_tools_is_within_a_tenth(string wire, string body)
    {
        var (tools, text) = (Text("tools"), Text("prose"));
        // Blanks between the members of a definition do not reach the model.
        var spaced = JsonSerializer.Serialize(JsonDocument.Parse(tools).RootElement, Indented);
        foreach (var form in (string[])[tools, spaced])
        {
            var request = body.Replace("TOOLS", form, StringComparison.Ordinal)
                .Replace("TEXT", JsonSerializer.Serialize(text), StringComparison.Ordinal);
            var expected = Current.CountTokens(tools) + Current.CountTokens(text);
            Assert.True(
                TokenEstimate.OfRequest(Encoding.UTF8.GetBytes(request)) is var count && count > 0.9 * expected && count < 1.1 * expected,
                $"{wire}: {count} for {expected}");
        }
    }

    static string Text(string name)
    {
        using var file = new StreamReader(typeof(TokenEstimateTests).Assembly.GetManifestResourceStream(name)!);
        return file.ReadToEnd().ReplaceLineEndings("\n");
    }

    static void AssertClose(int expected, long count, double least, double most) =>
        Assert.True(count >= least * expected && count <= most * expected, $"{count} for {expected}");

    [Fact]
    public void A_text_of_short_words_costs_one_token_a_word() => Seeds.ForEach(500, random =>
    {
        var words = Enumerable.Range(0, random.Next(50)).Select(_ => new string((char)random.Next('a', 'z'), random.Next(1, 7))).ToArray();
        Assert.Equal(words.Length, Count(Encoding.UTF8.GetBytes(string.Join(' ', words))));
    });

    [Fact]
    public void No_bytes_cost_more_tokens_than_they_are_and_pieces_do_not_matter() => Seeds.ForEach(5000, random =>
    {
        var bytes = random.Next(2) == 0 ? RandomBytes(random) : Encoding.UTF8.GetBytes(RandomText(random));
        var whole = Count(bytes);
        Assert.InRange(whole, 0, bytes.Length);

        var pieces = new TokenEstimate();
        for (var start = 0; start < bytes.Length;)
        {
            var length = Math.Min(random.Next(1, 5), bytes.Length - start);
            pieces.Add(bytes.AsSpan(start, length));
            start += length;
        }
        Assert.Equal(whole, pieces.Tokens);
    });

    [Fact]
    public void An_escaped_text_counts_like_the_text() => Seeds.ForEach(3000, random =>
    {
        var text = RandomText(random);
        var escaped = JsonSerializer.SerializeToUtf8Bytes(text);
        var estimate = new TokenEstimate();
        estimate.AddJson(escaped.AsSpan(1, escaped.Length - 2));
        Assert.Equal(Count(Encoding.UTF8.GetBytes(text)), estimate.Tokens);
    });

    [Theory]
    [InlineData("""{"prompt":[1,22,333]}""", 3)]
    [InlineData("""{"input":[[1,2],[3]]}""", 3)]
    [InlineData("""{"prompt":"one two","suffix":"three","max_tokens":7}""", 3)]
    [InlineData("""{"prompt":["one two","three"],"n":7}""", 3)]
    public void A_prompt_may_be_tokens_already(string body, long expected) =>
        Assert.Equal(expected, TokenEstimate.OfRequest(Encoding.UTF8.GetBytes(body)));

    [Fact]
    public void A_request_costs_its_texts_and_not_its_wrapping()
    {
        var Body = """
            {"model":"one two three","messages":[{"role":"system","content":"be kind"},
                {"role":"user","name":"x","content":[{"type":"text","text":"hi\nall 日本"},
             {"type":"image_url","image_url":{"url":"https://a b c"}}]},
                {"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"1 2"}}]}],"user":"a b"}
            """.Unwrapped();
        Assert.Equal(10 + TokenEstimate.UsualTokensPerImage, TokenEstimate.OfRequest(Encoding.UTF8.GetBytes(Body)));
    }

    [Theory]
    [InlineData("""{"system":"be kind","messages":[{"content":"hi"}]}""", 3)]
    [InlineData("""{"system":[{"type":"text","text":"be kind","cache_control":{"type":"a b"}}],"messages":[]}""", 2)]
    [InlineData(
        """{"messages":[{"content":[{"type":"thinking","thinking":"a b","signature":"x y"},"""
            + """{"type":"tool_use","id":"i j","name":"n","input":{"city":"New York","n":1,"x":{"y":["z"]}}}]}]}""",
        5)]
    [InlineData(
        """{"messages":[{"content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"a b"},"""
            + """{"type":"image","source":{"data":"c d"}}]}]}]}""",
        2 + TokenEstimate.UsualTokensPerImage)]
    [InlineData(
        """{"messages":[{"content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"c d"}}]}]}""", 6)]
    [InlineData(
        """{"contents":[{"role":"r","parts":[{"text":"a b"},{"inlineData":{"data":"c d"}},"""
            + """{"functionCall":{"name":"f","args":{"x":"e f"}}}]}],"systemInstruction":{"parts":[{"text":"g"}]}}""",
        5 + TokenEstimate.UsualTokensPerImage)]
    [InlineData("""{"system_instruction":{"parts":{"text":"g h"}}}""", 2)]
    [InlineData("""{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"result":"a b"}}}]}]}""", 2)]
    [InlineData("""{"instructions":"be kind","input":"a b c"}""", 5)]
    [InlineData("""{"input":["a b","c"]}""", 3)]
    [InlineData(
        """{"input":[{"role":"user","content":[{"type":"input_text","text":"a b"}]},{"type":"function_call","arguments":"c","name":"n"},"""
            + """{"type":"function_call_output","call_id":"i","output":"d e"}]}""",
        5)]
    [InlineData("""{"prompt":["a b","c"],"suffix":"d"}""", 4)]
    [InlineData("""{"metadata":{"messages":"a b","input":"c"},"user":"d"}""", 0)]
    public void The_texts_of_every_wire_count(string body, long expected) =>
        Assert.Equal(expected, TokenEstimate.OfRequest(Encoding.UTF8.GetBytes(body)));

    [Fact]
    public void No_bytes_make_a_request_count_throw() => Seeds.ForEach(5000, random =>
    {
        var body = Encoding.UTF8.GetBytes("""{"messages":[{"content":"a \ud83d\ude00 b"},{"content":[{"text":"c"}]}],"x":[1,{}]}""");
        for (var i = random.Next(1, 5); i > 0; i--)
            body[random.Next(body.Length)] = (byte)random.Next(256);
        Assert.InRange(TokenEstimate.OfRequest(body), 0, body.Length);
    });

    static long Count(ReadOnlySpan<byte> text)
    {
        var estimate = new TokenEstimate();
        estimate.Add(text);
        return estimate.Tokens;
    }

    static byte[] RandomBytes(Random random)
    {
        var bytes = new byte[random.Next(60)];
        random.NextBytes(bytes);
        return bytes;
    }

    static string RandomText(Random random)
    {
        string[] letters = ["a", "bc", " ", "\n", "é", "я", "日", "😀", "\"", "\\", "/", "\t", "\u0001", "’", "&"];
        return string.Concat(Enumerable.Range(0, random.Next(40)).Select(_ => letters[random.Next(letters.Length)]));
    }
}
