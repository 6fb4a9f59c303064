using System.Text;
using System.Text.Json.Nodes;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using LlmGateway.Sandbox;
using LlmGateway.UnitTests.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <summary>Servers that deviate from their wire: the gateway's callers see and pay the same as with a faithful one.</summary>
public sealed class DialectTests(Provider provider) : IClassFixture<Provider>
{
    const string Asked = "one two three four [[thinks:3]] [[cached:2]] [[say:The answer is 42]]";

    static readonly (string From, string To)[] Pairs =
        [("chat", "messages"), ("chat", "responses"), ("messages", "chat"), ("messages", "gemini")];

    public static TheoryData<string, string, string, bool> Cases
    {
        get
        {
            var cases = new TheoryData<string, string, string, bool>();
            foreach (var dialect in Dialect.All)
                foreach (var (from, to) in Pairs)
                    foreach (var stream in (bool[])[false, true])
                        cases.Add(dialect.Suffix, from, to, stream);
            return cases;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public async Task A_deviation_changes_neither_the_answer_nor_its_price(string dialect, string from, string to, bool stream)
    {
        foreach (var order in (string[])[Asked, $"{Asked} [[tool:look {{\"at\":\"the sea\"}}]]"])
        {
            var (faithful, deviant) = (await AskAsync("m", from, stream, order), await AskAsync("m" + dialect, from, stream, order));
            Assert.Equal(TranslatedBy(from, to, faithful, stream), TranslatedBy(from, to, deviant, stream));
        }
    }

    [Fact]
    public async Task Each_deviates()
    {
        foreach (var dialect in Dialect.All)
        {
            var changes = 0;
            foreach (var wire in (string[])["chat", "messages"])
                foreach (var order in (string[])[Asked, "[[tool:look {\"at\": 1}]]"])
                {
                    var (whole, stream) = (await AskAsync("m", wire, false, order), await AskAsync("m", wire, true, order));
                    var said = Assert.IsType<WholeReply>(dialect.Of(new WholeReply(Encoding.UTF8.GetBytes(whole))));
                    // A faithful answer that is only written anew.
                    changes += Same(whole, Encoding.UTF8.GetString(said.Body)) ? 0 : 1;
                    var events = stream.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
                        .Select(e => new StreamEvent(Encoding.UTF8.GetBytes(e + "\n\n"), 0));
                    var sent = Assert.IsType<StreamReply>(dialect.Of(new StreamReply(events, () => [])));
                    changes += sent.Events.Count() != events.Count() || sent.Events.Zip(events).Any(pair =>
                        Data(pair.First) is { } one && Data(pair.Second) is { } other && !Same(one, other)) ? 1 : 0;
                }
            Assert.True(changes > 0, dialect.Suffix);
        }
    }

    static bool Same(string one, string other) => JsonNode.DeepEquals(JsonNode.Parse(one), JsonNode.Parse(other));

    static string? Data(StreamEvent e) =>
        Encoding.UTF8.GetString(e.Bytes) is var text && text.IndexOf('{', StringComparison.Ordinal) is >= 0 and var at ? text[at..] : null;

    [Fact]
    public async Task A_reason_is_found_in_the_errors_of_all()
    {
        foreach (var dialect in Dialect.All)
        {
            var refused = await SendAsync($"m{dialect.Suffix}-error-400", "chat", stream: false, Asked);
            Assert.Equal(400, refused.Status);
            var told = UpstreamErrors.Map(400, refused.Body, null).Message;
            Assert.Contains("asked to find this request invalid", told, StringComparison.Ordinal);
        }
    }

    /// <summary>What the caller is told, without the model's name, and what it pays.</summary>
    static string TranslatedBy(string from, string to, string answer, bool stream)
    {
        var events = new List<AnswerEvent>();
        var (said, failure) = stream ? AnswerCases.Stream(from, to, answer) : AnswerCases.Whole(from, to, answer);
        Assert.Null(failure);
        if (stream)
            events = TranslationCases.ReadStream(AnswerCases.Wires[to], Encoding.UTF8.GetBytes(said), new Random(1)).Events;
        else
            Assert.True(AnswerCases.Wires[to].NewReader().ReadWhole(Encoding.UTF8.GetBytes(said), events));
        // Ids and thoughts are chosen by the model's name, which differs. Only 'reasoning_content' is marked to come back.
        events.RemoveAll(e => e.Kind is AnswerEventKind.Start or AnswerEventKind.Signature);
        return TranslationCases.Show(events.Select(e => e.Kind switch
        {
            AnswerEventKind.Reasoning => e with { Text = "thought" },
            AnswerEventKind.ToolCall => e with { Id = "" },
            _ => e,
        }));
    }

    async Task<string> AskAsync(string model, string wire, bool stream, string order)
    {
        var answer = await SendAsync(model, wire, stream, order);
        Assert.Equal(200, answer.Status);
        return answer.Text;
    }

    Task<Provider.Arrived> SendAsync(string model, string wire, bool stream, string order) =>
        provider.SendAsync(
            Wire.Named(wire == "messages" ? "anthropic" : wire).Request(new(model, order) { Streams = stream, OffersTools = true }),
            TestContext.Current.CancellationToken);
}
