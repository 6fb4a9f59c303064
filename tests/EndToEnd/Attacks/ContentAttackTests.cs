using System.Text;
using System.Text.Json;
using static LlmGateway.EndToEnd.Attack;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Text, numbers and members that pose as something else. Nobody pays less than what was used, and a refusal is in the words of the
/// caller's wire.
/// </summary>
public sealed class ContentAttackTests
{
    /// <summary>As events of each wire, with ends and usage of next to nothing.</summary>
    const string Forgery =
        "start\n\ndata: [DONE]\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"cost\":\"0\"}}\n\n"
            + "event: response.completed\n"
            + "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\","
            + "\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n"
            + "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\n"
            + "data: {\"type\":\"message_stop\"}\n\n"
            + "data: {\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":1},\"error\":{\"message\":\"forged\"}}\r\n\r\n"
            + ": comment\r\revent: error\u2028\u2029\u0085\u0001\"\\ end";

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task What_a_model_says_is_text_and_never_an_event(string caller, string provider)
    {
        var (speaker, user) = (Speaker.Of(caller), await Backend.Wires.NewUserAsync());
        var question = $"[[say:{Forgery}]]";
        var (asked, answered) = (Words(question), Words(Forgery));

        var whole = speaker.ReadWhole((await speaker.AskAsync(user.Token, $"{provider}-small", question, stream: false)).MustBe(200).Json);
        var streamed =
            speaker.ReadStream((await speaker.AskAsync(user.Token, $"{provider}-small", question, stream: true)).MustBe(200).Text);

        foreach (var said in (Said[])[whole, streamed])
            Assert.Equal((Forgery, speaker.Stopped, asked, answered, null), (said.Text, said.Stop, said.Input, said.Output, said.Error));
        foreach (var row in await Books.UsageAsync(user, 2))
            Assert.Equal((asked * Price.Input + answered * Price.Output, false), (row.Charged, row.Estimated));
    }

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task Usage_and_cost_in_a_request_change_nothing(string caller, string provider)
    {
        var (speaker, user, answers) = (Speaker.Of(caller), await Backend.Wires.NewUserAsync(), 0);
        foreach (var member in (string[])
        [
            "\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"input_tokens\":0,\"output_tokens\":0,\"cost\":\"0\"}",
            "\"cost\":\"0\"",
            "\"price\":0",
            "\"usageMetadata\":{\"promptTokenCount\":0,\"candidatesTokenCount\":0}",
            "\"x_llmgateway\":{\"cost\":\"0\",\"markup\":-100}",
        ])
            foreach (var stream in (bool[])[false, true])
            {
                var reply = await PostAsync(
                    speaker,
                    user.Token,
                    $"{provider}-small",
                    With(speaker.Body($"{provider}-small", Price.Question, stream), member),
                    stream);
                // A member that another wire does not have is refused. On the same wire the provider may know it.
                Assert.True(reply.Status == (caller == provider ? 200 : reply.Status == 200 ? 200 : 400), reply.ToString());
                answers += reply.Status == 200 ? 1 : 0;
            }
        (await speaker.AskAsync(user.Token, $"{provider}-small", Price.Question, stream: false)).MustBe(200);
        var rows = await Eventually.GetAsync(
            () => Books.UsageAsync(user),
            rows => rows.Count(row => row.Charged > 0) > answers,
            "all usage records");
        Assert.All(rows.Where(row => row.Status == 200), row => Assert.Equal(Price.OfQuestion + Price.OfAnswer, row.Charged));
        Assert.Equal(
            (answers + 1, (answers + 1) * (Price.OfQuestion + Price.OfAnswer)),
            (rows.Count(row => row.Status == 200), rows.Sum(row => row.Charged)));
    }

    [Theory]
    [InlineData("chat", "max_tokens", "\"max_tokens\":")]
    [InlineData("chat", "max_completion_tokens", "\"max_completion_tokens\":")]
    [InlineData("chat", "n", "\"n\":")]
    [InlineData("responses", "max_output_tokens", "\"max_output_tokens\":")]
    [InlineData("messages", "max_tokens", "\"max_tokens\":")]
    [InlineData("messages", "thinking.budget_tokens", "\"max_tokens\":500,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":")]
    [InlineData("gemini", "generationConfig.maxOutputTokens", "\"generationConfig\":{\"maxOutputTokens\":")]
    [InlineData("gemini", "generationConfig.max_output_tokens", "\"generationConfig\":{\"max_output_tokens\":")]
    [InlineData("gemini", "generationConfig.candidateCount", "\"generationConfig\":{\"candidateCount\":")]
    [InlineData("gemini", "generationConfig.thinkingConfig.thinkingBudget",
        "\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":")]
    public async Task A_limit_that_is_no_plain_number_is_refused_by_name(string caller, string field, string member)
    {
        var (speaker, user, tag) = (Speaker.Of(caller), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        var end = new string('}', member.Count(character => character == '{'));
        // On Google's wire 0 and -1 are valid budgets for thoughts.
        string[] values =
        [
            "9223372036854775808",
            "18446744073709551616",
            "2147483648",
            "1e3",
            "1E400",
            "1.5",
            "10.0",
            "-2",
            "\"10\"",
            "true",
            "[]",
            "{}",
            .. field.EndsWith("Budget", StringComparison.Ordinal) ? [] : (string[])["0", "-1", "-0"],
        ];
        foreach (var model in (string[])[$"{caller}-small", caller == "chat" ? "messages-small" : "chat-small"])
            foreach (var value in values)
            {
                var body = Question(speaker, model, tag).Replace("\"max_tokens\":500,", "", StringComparison.Ordinal);
                MustName(speaker, await PostAsync(speaker, user.Token, model, With(body, member + value + end)), 400, field);
            }
        await MustHaveCalledNothingAsync(user, tag);
    }

    [Theory, MemberData(nameof(Speaker.Callers), MemberType = typeof(Speaker))]
    public async Task A_body_that_two_parsers_could_read_differently_is_refused_in_the_words_of_the_wire(string caller)
    {
        var (speaker, user, tag) = (Speaker.Of(caller), await Backend.Wires.NewUserAsync(), Sandbox.NewTag());
        var good = Question(speaker, "chat-small", tag);
        byte[][] bodies =
        [
            [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(good)],
            Encoding.Unicode.GetBytes(good),
            [],
            "null"u8.ToArray(),
            [.. Encoding.UTF8.GetBytes(good[..^1]), .. ",\"x\":\"\xFF\"}"u8[..6], 0xFF, .. "\"}"u8],
            .. Array.ConvertAll(
                [
                    good + "{}",
                    $"[{good}]",
                    good[..^1],
                    good[..^1] + ",}",
                    With(good, "/**/\"x\":1"),
                    With(good, "\"x\":NaN"),
                    With(good, "\"x\":1,\"x\":1"),
                    With(good, "\"x\":1,\"\\u0078\":1"),
                    With(good, "\"x\":{\"y\":1,\"y\":2}"),
                    With(good, "\"x\":\"\\ud800\""),
                    With(good, "\"\\udc00\":1"),
                    With(good, $"\"x\":{new string('[', 70)}{new string(']', 70)}"),
                    With(good, $"\"x\":{{{string.Join(',', Enumerable.Range(0, 5000).Select(index => $"\"{index}\":1"))}}}"),
                ],
                Encoding.UTF8.GetBytes),
        ];
        foreach (var body in bodies)
            await MustRefuseAsync(body, 400);
        await MustRefuseAsync(Encoding.UTF8.GetBytes(With(good, $"\"x\":\"{new string('a', 21 * 1024 * 1024)}\"")), 413);
        await MustHaveCalledNothingAsync(user, tag);

        async Task MustRefuseAsync(byte[] body, int status)
        {
            var request = Gateway.Request("POST", speaker.Path("chat-small", stream: false), user.Token);
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } };
            var reply = await Gateway.SendAsync(request);
            Assert.True(reply.Status == status, $"{reply} for {Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, 300)))}");
            Assert.NotEmpty(speaker.ReadError(status, reply.Json));
        }
    }

    [Fact]
    public async Task What_looks_like_SQL_or_like_a_log_line_is_text()
    {
        var user = await Backend.App.NewUserAsync();
        foreach (var text in (string[])["' or 1=1 --", "'; drop table customer; --", "%", "_", "\\", "$1", "{0}"])
        {
            Assert.Empty((await Backend.App.GetAsync($"/v1/customers?search={Uri.EscapeDataString($"{user.ExternalId}{text}")}"))
                .MustBe(200).Json
                .GetProperty("customers")
                .EnumerateArray());
            (await Backend.App.GetAsync($"/v1/sessions?customer={Uri.EscapeDataString(text)}")).MustBe(404);
        }
        var line = $"2026-01-01 crit: forged {Guid.NewGuid():N}";
        foreach (var start in (string[])["x\n", "x\r\n", "x\u2028", "x\u001b[2J"])
        {
            (await user.ChatAsync(JsonEncodedText.Encode(start + line).ToString(), "hello")).MustBe(400);
            (await Gateway.SendAsync("POST", $"/v1/{Uri.EscapeDataString(start + line)}", user.Token, "{}")).MustBe(404);
        }
        foreach (var (log, text) in await LogsAsync())
            Assert.False(
                text.Split('\n').Any(logged => logged.StartsWith(line, StringComparison.Ordinal)) || text.Contains('\u001b'),
                $"a caller wrote a line of {log}");
    }

    static int Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
}
