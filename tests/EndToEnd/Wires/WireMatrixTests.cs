using System.Globalization;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Every wire of callers before every wire of providers: the right shape for the caller, the provider's own wire upstream, and the bill
/// right to the nano-dollar. Models are those of <c>wires.seed.json</c>, named by their provider's wire.
/// </summary>
public sealed class WireMatrixTests
{
    const string ToolQuestion = """call [[tool:weather {"city":"Rome"}]] [[tool:clock {"zone":"CET"}]]""";

    /// <summary>Where each provider is called, and a member that only its wire has.</summary>
    static readonly Dictionary<string, (string Path, string Member)> Providers = new()
    {
        ["chat"] = ("/v1/chat/completions", "\"messages\""),
        ["responses"] = ("/v1/responses", "\"input\""),
        ["messages"] = ("/v1/messages", "\"max_tokens\""),
        ["gemini"] = ("/v1beta/models/sandbox-small:", "\"contents\""),
    };

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task Text_whole_and_streamed(string caller, string provider)
    {
        var speaker = Speaker.Of(caller);
        var user = await Backend.Wires.NewUserAsync();

        var whole = (await speaker.AskAsync(user.Token, $"{provider}-small", Price.Question, stream: false)).MustBe(200);
        var stream = (await speaker.AskAsync(user.Token, $"{provider}-small", Price.Question, stream: true)).MustBe(200);

        var (said, streamed) = (speaker.ReadWhole(whole.Json), speaker.ReadStream(stream.Text));
        Assert.Equal((20, speaker.Stopped, 3, 20), (said.Text.Split(' ').Length, said.Stop, said.Input, said.Output));
        Assert.Equal((said.Text, said.Stop, said.Input, said.Output), (streamed.Text, streamed.Stop, streamed.Input, streamed.Output));
        Assert.Equal(("0.000043", "0.000043"), (whole["X-LLMGateway-Cost"], streamed.Cost));
        Assert.Equal($"{provider}-small", whole["X-LLMGateway-Model"]);
        await AssertChargedAsync(user, 2, Price.OfQuestion + Price.OfAnswer, estimated: false);
    }

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task Tools_whole_and_streamed(string caller, string provider)
    {
        var speaker = Speaker.Of(caller);
        var user = await Backend.Wires.NewUserAsync();

        var said = speaker.ReadWhole(
            (await speaker.AskAsync(user.Token, $"{provider}-small", ToolQuestion, stream: false, tools: true)).MustBe(200).Json);
        var streamed = speaker.ReadStream(
            (await speaker.AskAsync(user.Token, $"{provider}-small", ToolQuestion, stream: true, tools: true)).MustBe(200).Text);

        foreach (var answer in (Said[])[said, streamed])
        {
            Assert.Equal(speaker.Called, answer.Stop);
            Assert.Equal(["""weather {"city":"Rome"}""", """clock {"zone":"CET"}"""], answer.Calls);
        }
        // Five words asked; each call is a token for its name and one for its arguments.
        await AssertChargedAsync(user, 2, 5 * Price.Input + 4 * Price.Output, estimated: false);
    }

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task An_image_goes_in(string caller, string provider)
    {
        var speaker = Speaker.Of(caller);
        var user = await Backend.Wires.NewUserAsync();

        var said = speaker.ReadWhole(
            (await speaker.AskAsync(user.Token, $"{provider}-small", Price.Question, stream: false, image: Chat.Png)).MustBe(200).Json);

        Assert.Equal(3 + 85, said.Input);
        await AssertChargedAsync(user, 1, (3 + 85) * Price.Input + Price.OfAnswer, estimated: false);
    }

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task The_provider_hears_its_own_wire(string caller, string provider)
    {
        var user = await Backend.Wires.NewUserAsync();
        var tag = Sandbox.NewTag();

        (await Speaker.Of(caller).AskAsync(user.Token, $"{provider}-small", $"[[tag:{tag}]] hello", stream: true)).MustBe(200);

        var call = await Sandbox.CallAsync(tag, call => call.Outcome == "completed", "the call");
        var (path, member) = Providers[provider];
        Assert.StartsWith(path, call.Path);
        Assert.Contains(member, call.Body);
        Assert.DoesNotContain(user.Token, string.Join(' ', call.Headers.Values) + call.Body + call.Path);
    }

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task Errors_have_the_shape_of_the_caller_s_wire_and_cost_nothing(string caller, string provider)
    {
        var speaker = Speaker.Of(caller);
        var user = await Backend.Wires.NewUserAsync();

        foreach (var (model, status) in ((string, int)[])
        [
            ("error-400", 400),
            ("error-401", 502),
            ("error-404", 404),
            ("error-429", 429),
            ("error-500", 502),
        ])
        {
            var reply =
                (await speaker.AskAsync(user.Token, $"{provider}-{model}", Price.Question, stream: model != "error-400")).MustBe(status);
            Assert.NotEmpty(speaker.ReadError(status, reply.Json));
            Assert.Equal(status == 429 ? "1" : null, reply["Retry-After"]);
            Assert.StartsWith("req_", reply["X-Request-Id"]);
        }
        var poor = await Backend.Wires.NewUserAsync(null);
        var refused = (await speaker.AskAsync(poor.Token, $"{provider}-small", Price.Question, stream: true)).MustBe(402);
        Assert.Contains("wallet", speaker.ReadError(402, refused.Json));
        await AssertChargedAsync(user, 5, 0, estimated: false);
    }

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task A_stream_that_fails_in_the_middle_is_an_error_and_costs_what_was_delivered(string caller, string provider)
    {
        var speaker = Speaker.Of(caller);
        foreach (var model in (string[])["cut", "error-mid"])
        {
            var user = await Backend.Wires.NewUserAsync();
            var said = speaker.ReadStream(
                (await speaker.AskAsync(user.Token, $"{provider}-{model}", Price.Question, stream: true)).MustBe(200).Text);

            Assert.NotNull(said.Error);
            var delivered = said.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
            Assert.InRange(delivered, 9, 11);
            await AssertChargedAsync(user, 1, Price.OfQuestion + delivered * Price.Output, estimated: true);
        }
    }

    [Theory, MemberData(nameof(Speaker.Pairs), MemberType = typeof(Speaker))]
    public async Task An_answer_without_usage_is_counted_and_marked(string caller, string provider)
    {
        var speaker = Speaker.Of(caller);
        var user = await Backend.Wires.NewUserAsync();

        var said =
            speaker.ReadWhole((await speaker.AskAsync(user.Token, $"{provider}-nousage", Price.Question, stream: false)).MustBe(200).Json);
        var streamed =
            speaker.ReadStream((await speaker.AskAsync(user.Token, $"{provider}-nousage", Price.Question, stream: true)).MustBe(200).Text);

        Assert.Equal((20, 20), (said.Text.Split(' ').Length, streamed.Text.Split(' ').Length));
        await AssertChargedAsync(user, 2, Price.OfQuestion + Price.OfAnswer, estimated: true);
    }

    static async Task AssertChargedAsync(User user, int requests, long each, bool estimated)
    {
        foreach (var row in await Books.UsageAsync(user, requests))
            Assert.True(
                (row.Charged, row.Estimated) == (each, estimated),
                string.Create(CultureInfo.InvariantCulture, $"{each} and estimated {estimated} expected: {row}"));
        Assert.Equal(requests, (await Books.UsageAsync(user)).Count);
        Assert.Equal(1_000_000_000 - requests * each, await user.BalanceAfterAsync(requests));
    }
}
