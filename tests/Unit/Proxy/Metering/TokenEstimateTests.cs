using System.Text;
using System.Text.Json;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class TokenEstimateTests
{
    [Theory]
    [InlineData("", 0)]
    [InlineData(" \n\t ", 0)]
    [InlineData("one two  three\nfour", 4)]
    [InlineData("größer naïve Đặng don’t", 4)]
    [InlineData("sixsix", 1)]
    [InlineData("sevenxx", 2)]
    [InlineData("extraordinary", 3)]
    [InlineData("привет", 2)]
    [InlineData("日本語", 3)]
    [InlineData("日本語 text", 4)]
    [InlineData("😀😀", 2)]
    [InlineData("a\u00a0b\u3000c", 3)]
    public void Counts_as_the_rule_says(string text, long expected) => Assert.Equal(expected, Count(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void A_text_of_short_words_costs_one_token_a_word() => Seeds.ForEach(500, random =>
    {
        var words = Enumerable.Range(0, random.Next(50)).Select(_ => new string((char)random.Next('a', 'z'), random.Next(1, 7))).ToArray();
        Assert.Equal(words.Length, Count(Encoding.UTF8.GetBytes(string.Join(random.Next(2) == 0 ? " " : " \n", words))));
    });

    [Fact]
    public void A_word_of_ASCII_costs_a_token_for_every_six_characters_begun() => Seeds.ForEach(2000, random =>
    {
        var text = new string([.. Enumerable.Range(0, random.Next(80)).Select(_ => (char)random.Next(128))]);
        var words = text.Split([' ', '\t', '\n', '\v', '\f', '\r'], StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(words.Sum(word => (word.Length + 5) / 6), Count(Encoding.UTF8.GetBytes(text)));
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
        Assert.Equal(2 + 4 + 2, TokenEstimate.OfRequest(Encoding.UTF8.GetBytes(Body)));
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
        2)]
    [InlineData(
        """{"contents":[{"role":"r","parts":[{"text":"a b"},{"inlineData":{"data":"c d"}},"""
            + """{"functionCall":{"name":"f","args":{"x":"e f"}}}]}],"systemInstruction":{"parts":[{"text":"g"}]}}""",
        5)]
    [InlineData("""{"system_instruction":{"parts":{"text":"g h"}}}""", 2)]
    [InlineData("""{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"result":"a b"}}}]}]}""", 2)]
    [InlineData("""{"instructions":"be kind","input":"a b c"}""", 5)]
    [InlineData("""{"input":["a b","c"]}""", 3)]
    [InlineData(
        """{"input":[{"role":"user","content":[{"type":"input_text","text":"a b"}]},{"type":"function_call","arguments":"c","name":"n"},"""
            + """{"type":"function_call_output","call_id":"i","output":"d e"}]}""",
        5)]
    [InlineData("""{"prompt":["a b","c"],"suffix":"d"}""", 4)]
    [InlineData("""{"metadata":{"messages":"a b","input":"c"},"tools":[{"description":"d"}]}""", 0)]
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
