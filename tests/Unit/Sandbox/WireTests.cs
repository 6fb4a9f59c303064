using System.Text.Json;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <summary>What every chat wire of the sandbox does alike; a word is a token.</summary>
public sealed class WireTests(Provider provider) : IClassFixture<Provider>
{
    const string TwoTools = "[[tool:f {\"city\":\"Zürich 😀😀 am See\"}]] [[tool:g {\"n\": 1, \"list\": [1, 2, 3]}]]";

    public static TheoryData<string> Wires => [.. Wire.All.Select(wire => wire.Name)];

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task A_stream_is_the_whole_answer_however_its_bytes_arrive(string name)
    {
        foreach (var text in new[]
        {
            "[[thinks:4]] [[say:Grüße 😀 an alle]]",
            "[[tokens:40]] [[cached:1]]",
            TwoTools,
            "[[thinks:2]] " + TwoTools,
        })
        {
            foreach (var pieces in new[] { "", "-trickle", "-smooth", "-interleaved" })
            {
                // The name is in the fingerprint: so the same name is asked both ways.
                var ask = new Ask("m" + pieces, text) { OffersTools = true };

                var whole = Wire.Named(name).Read((await SendAsync(name, ask)).Json);
                var streamed = Wire.Named(name).ReadStream((await SendAsync(name, ask with { Streams = true })).Text);

                Assert.Equal(whole, streamed);
                Assert.True(streamed.HasEnded);
                Assert.NotEmpty(whole.Text + whole.Calls);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task A_slow_model_says_it_all(string name)
    {
        foreach (var streams in new[] { false, true })
        {
            Assert.Equal(3, (await HearAsync(name, new("m-slow", "[[thinks:1]] [[tokens:2]]") { Streams = streams })).Words);
        }
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task The_same_question_gets_the_same_bytes(string name)
    {
        foreach (var streams in new[] { false, true })
        {
            var ask = new Ask("m", "[[thinks:2]] hello") { Streams = streams };

            Assert.Equal((await SendAsync(name, ask)).Text, (await SendAsync(name, ask)).Text);
            Assert.NotEqual((await SendAsync(name, ask)).Text, (await SendAsync(name, ask with { Text = "[[thinks:2]] hallo" })).Text);
        }
    }

    [Theory]
    [InlineData("chat", 0, 10L)]
    [InlineData("responses", 0, 10L)]
    [InlineData("anthropic", 1, null)]
    [InlineData("gemini", 0, 10L)]
    [InlineData("gemini array", 0, 10L)]
    public async Task Usage_says_by_the_rules_of_its_wire_what_a_hand_can_count(string name, int written, long? total)
    {
        const string text = "[[thinks:2]] [[tokens:3]] [[cached:1]] [[cachewrite:1]] word";
        var counts = new Counts(5, 1, written, 5, 2, total);

        Assert.Equal(counts, (await HearAsync(name, new("m", text))).Usage);
        Assert.Equal(counts, (await HearAsync(name, new("m", text) { Streams = true })).Usage);
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task Parallel_tool_calls_keep_their_arguments_apart(string name)
    {
        foreach (var model in new[] { "m", "m-interleaved" })
        {
            var heard = await HearAsync(name, new(model, TwoTools) { Streams = true, OffersTools = true });

            var calls = heard.Calls.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(call => call.Split(' ', 3)).ToArray();
            Assert.Equal(["f", "g"], calls.Select(call => call[1]));
            Assert.Equal(2, calls.Select(call => call[0]).Distinct().Count());
            Assert.Equal("Zürich 😀😀 am See", JsonElement.Parse(calls[0][2]).Text("city"));
            Assert.Equal([1, 2, 3], JsonElement.Parse(calls[1][2]).GetProperty("list").EnumerateArray().Select(item => item.GetInt32()));
            // Two names, four words in the first arguments and six in the second.
            Assert.Equal(12, heard.Usage!.Output);
        }
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task Tools_that_are_not_offered_are_not_called(string name) =>
        Assert.Empty((await HearAsync(name, new("m", TwoTools))).Calls);

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task A_limit_ends_what_is_thought_and_said(string name)
    {
        foreach (var streams in new[] { false, true })
        {
            var heard = await HearAsync(name, new("m", "[[thinks:4]] [[tokens:30]]") { MaxTokens = 16, Streams = streams });

            Assert.Equal((16, 4L, 16L), (heard.Words, heard.Usage!.Thoughts, heard.Usage.Output));
            Assert.Equal(Wire.Named(name).Finishes.Limit, heard.Finish);
        }
    }

    [Theory]
    [InlineData("chat")]
    [InlineData("anthropic")]
    [InlineData("gemini")]
    [InlineData("gemini array")]
    public async Task A_stop_text_ends_the_answer_before_it(string name)
    {
        foreach (var streams in new[] { false, true })
        {
            var heard = await HearAsync(name, new("m", "[[say:one two three four]]") { Stop = "three", Streams = streams });

            Assert.Equal(("one two ", 2L), (heard.Text, heard.Usage!.Output));
            Assert.Equal(Wire.Named(name).Finishes.Stop, heard.Finish);
        }
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task One_key_is_bad(string name)
    {
        var refused = await SendAsync(name, new("m", "hello") { Key = "sk-bad" });

        Assert.Equal(name.StartsWith("gemini") ? 400 : 401, refused.Status);
        Assert.NotEmpty(Wire.Named(name).ErrorOf(refused));
    }

    Task<Provider.Arrived> SendAsync(string name, Ask ask) => provider.SendAsync(Wire.Named(name).Request(ask));

    async Task<Heard> HearAsync(string name, Ask ask)
    {
        var arrived = await SendAsync(name, ask);
        Assert.Equal(200, arrived.Status);
        return ask.Streams ? Wire.Named(name).ReadStream(arrived.Text) : Wire.Named(name).Read(arrived.Json);
    }
}
