using System.Net;
using System.Net.WebSockets;
using System.Text;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>A proxy that is taken out of service by whoever runs the gateway, and taken back.</summary>
[Collection(nameof(Outages))]
public sealed class DrainTests : IAsyncLifetime
{
    const long Start = 1_000_000_000, Cost = Price.OfQuestion + Price.OfAnswer;

    const string Drain = "/internal/drain", Resume = "/internal/resume";

    static readonly Uri Drained = Stack.Proxy2;

    static readonly Speaker Messages = Speaker.Of("messages");

    static readonly (bool Drained, int Running, int Unsent, int Leases) NothingLeft = (true, 0, 0, 0);

    public async ValueTask InitializeAsync() => await Books.WaitUntilRightAsync();

    public async ValueTask DisposeAsync()
    {
        await ResumeAsync();
        await Books.WaitUntilRightAsync();
    }

    [Fact]
    public async Task It_takes_nobody_finishes_what_runs_and_hands_in_everything()
    {
        var (streaming, served) = (await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync());
        var caller = await Backend.Wires.NewUserAsync();
        (await served.ChatAsync("small", Price.Question, at: Drained)).MustBe(200);
        var (stream, group) = await Barrier.StartAsync(prompt => streaming.StreamAsync("barrier", prompt, at: Drained));

        var left = await DrainAsync(seconds: 0);

        Assert.Equal((false, 1), (left.Drained, left.Running));
        foreach (var speaker in Speaker.All)
            foreach (var streams in (bool[])[false, true])
                MustBeRefused(speaker, await AskAsync(speaker, caller, streams));
        MustBeRefused(await Backend.App.GetAsync($"/v1/wallets/{served.WalletId}", Drained));
        MustBeRefused(await Backend.App.PostAsync("/v1/sessions", """{"customer":"nobody"}""", at: Drained));
        foreach (var path in (string[])["/v1/models", "/v1/files", "/v1/batches"])
            MustBeRefused(await Gateway.SendAsync("GET", path, caller.Token, at: Drained));
        foreach (var path in (string[])["/v1/messages/batches", "/v1/messages/count_tokens"])
            MustBeRefused(Messages, await Gateway.SendAsync("POST", path, caller.Token, "{}", Drained));
        // Whoever asks learns nothing about a credential.
        MustBeRefused(await Chat.AskAsync("garbage", "small", Price.Question, at: Drained));
        Assert.Equal("""{"status":"Unhealthy"}""", (await HealthAsync(503)).Text);
        var known = (await SendAsync("GET", "/health", Operator)).MustBe(503).Json;
        Assert.Equal("draining", known.GetProperty("checks").Text("intake"));
        (await Gateway.SendAsync("GET", "/alive", at: Drained)).MustBe(200);
        (await caller.ChatAsync("chat-small", Price.Question, at: Stack.Proxy)).MustBe(200);

        var draining = DrainAsync(seconds: 60);
        Assert.Equal(1, await Sandbox.ReleaseAsync(group));

        var answer = (await stream).MustBe(200);
        Assert.Equal(("[DONE]", 5), (answer.Events.Last(), answer.Content.Split(' ').Length));
        Assert.Equal(NothingLeft, await draining);
        Assert.Equal(NothingLeft, await DrainAsync(seconds: 60));
        Assert.Equal(Start - 4 * Price.Input - 5 * Price.Output, await streaming.BalanceAfterAsync(1));
        Assert.Equal(Start - Cost, await served.BalanceAfterAsync(1));
        Assert.Equal(0, await Books.HeldAsync([streaming, served]));

        await ResumeAsync();

        await HealthAsync(200);
        (await caller.ChatAsync("chat-small", Price.Question, at: Drained)).MustBe(200);
        Assert.Equal(Start - 2 * Cost, await caller.BalanceAfterAsync(2));
    }

    /// <summary>They would keep it for hours.</summary>
    [Fact]
    public async Task It_ends_WebSockets_and_their_callers_find_another_proxy()
    {
        var token = TestContext.Current.CancellationToken;
        var user = await Backend.Apis.NewUserAsync();
        using var socket = new ClientWebSocket();
        socket.Options.Proxy = null;
        socket.Options.SetRequestHeader("Authorization", $"Bearer {user.Token}");
        await socket.ConnectAsync(new UriBuilder(new Uri(Drained, "/v1/socket/says/1")) { Scheme = "ws" }.Uri, token);
        await socket.ReceiveAsync(new byte[100].AsMemory(), token);

        var draining = DrainAsync(seconds: 60);

        await socket.ReceiveAsync(new byte[100].AsMemory(), token);
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, socket.CloseStatus);
        Assert.StartsWith("{\"code\":\"draining\"", socket.CloseStatusDescription);
        await socket.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, null, token);
        Assert.Equal(NothingLeft, await draining);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Aborted, "drained", 1_000_000), (row.Outcome, row.Reason, row.Charged));
    }

    [Fact]
    public async Task It_says_what_the_broker_has_not_confirmed_and_hands_it_in_when_the_broker_is_back()
    {
        var user = await Backend.App.NewUserAsync();

        await using (await Outage.StopAsync("rabbitmq"))
        {
            (await user.ChatAsync("small", Price.Question, at: Drained)).MustBe(200);
            Assert.Equal((false, 0, 1, 1), await DrainAsync(seconds: 1));
            await ResumeAsync();
        }

        Assert.Equal(NothingLeft, await DrainAsync(seconds: 60));
        Assert.Equal(Start - Cost, await user.BalanceAfterAsync(1));
    }

    [Theory]
    [InlineData("chat")]
    [InlineData("file")]
    [InlineData("management")]
    public async Task A_request_whose_body_is_still_coming_in_is_counted_and_finished(string kind)
    {
        var user = await Backend.Wires.NewUserAsync();
        (string, string, HttpContent, int, long) asked = kind switch
        {
            "chat" => (Chat.Path, user.Token, Json(Chat.Body("chat-small", Price.Question)), 200, Cost),
            "file" => ("/v1/files", user.Token, Upload(), 200, 0),
            _ => ("/v1/sessions", Backend.Wires.Key, Json($$"""{"customer":"{{Guid.NewGuid():N}}"}"""), 201, 0),
        };
        var (path, credential, body, status, cost) = asked;
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false, Expect100ContinueTimeout = TimeSpan.FromMinutes(1) });
        var call = Gateway.Request("POST", path, credential, at: Drained);
        // The server asks for the body when the caller has been let in.
        call.Headers.ExpectContinue = true;
        (bool Drained, int Running, int Unsent, int Leases)? meanwhile = null;
        call.Content = new LateBody(body, async () => meanwhile = await DrainAsync(seconds: 0));

        (await Reply.ReadAsync(await client.SendAsync(call, TestContext.Current.CancellationToken))).MustBe(status);

        Assert.Equal((false, 1), (meanwhile!.Value.Drained, meanwhile.Value.Running));
        Assert.Equal(NothingLeft, await DrainAsync(seconds: 60));
        Assert.Equal(Start - cost, await (cost > 0 ? user.BalanceAfterAsync(1) : user.BalanceAsync()));
    }

    [Fact]
    public async Task Who_asks_for_text_is_told_in_words_that_are_true()
    {
        var user = await Backend.App.NewUserAsync();
        var (call, group) = await Barrier.StartAsync(prompt => user.ChatAsync("barrier", prompt, at: Drained));

        Assert.StartsWith("Not drained after 0 s: 1 requests run", await SayAsync(500, $"{Drain}?seconds=0"), StringComparison.Ordinal);

        var draining = SayAsync(500, $"{Drain}?seconds=600");
        await ResumeUntilAsync(draining);
        Assert.Equal("Not drained: somebody has resumed, and this proxy takes requests.", await draining);
        Assert.Equal("This proxy takes requests.", await SayAsync(200, Resume));

        Assert.Equal(1, await Sandbox.ReleaseAsync(group));
        (await call).MustBe(200);
        Assert.StartsWith("Drained: nothing runs", await SayAsync(200, $"{Drain}?seconds=60"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_resumes_ends_the_waiting()
    {
        var user = await Backend.App.NewUserAsync();
        var (call, group) = await Barrier.StartAsync(prompt => user.ChatAsync("barrier", prompt, at: Drained));
        await DrainAsync(seconds: 0);

        var draining = DrainAsync(seconds: 600);
        await ResumeUntilAsync(draining);

        var left = await draining;
        Assert.Equal((false, 1), (left.Drained, left.Running));
        await Sandbox.ReleaseAsync(group);
        (await call).MustBe(200);
    }

    [Theory]
    [InlineData("601")]
    [InlineData("soon")]
    public async Task A_time_that_is_none_changes_nothing(string seconds)
    {
        (await SendAsync($"{Drain}?seconds={seconds}")).MustBeProblem(400, "invalid_value", "seconds");

        await HealthAsync(200);
    }

    [Fact]
    public async Task For_everyone_but_the_operator_the_routes_are_not_there()
    {
        const string nothing = "/internal/nothing";
        foreach (var method in (string[])["POST", "GET", "PUT"])
            foreach (var call in ((string, string)?[])
            [
                null, (ServiceCall.Header, ""), (ServiceCall.Header, "wrong"), ("X-Gateway-Internal", Stack.App.InternalKey),
                Stack.Signed("operator", "wallet"), Stack.Signed("sessions", "proxy"), Stack.Signed("operator", "proxy", new('k', 43)),
            ])
            {
                var unknown = await SendAsync(method, nothing, call);
                foreach (var path in (string[])[Drain, Drain + "?seconds=soon", Resume])
                {
                    var reply = await SendAsync(method, path, call);
                    reply.MustBeProblem(404, "not_found");
                    Assert.Equal(Names(unknown), Names(reply));
                    Assert.Equal(Without(unknown, nothing), Without(reply, path.Split('?')[0]));
                }
            }
        (await SendAsync("GET", Drain, Operator)).MustBeProblem(404, "not_found");

        await HealthAsync(200);

        static IEnumerable<string> Names(Reply reply) =>
            reply.Headers.Concat(reply.ContentHeaders).Select(header => header.Key).Order(StringComparer.Ordinal);

        static string Without(Reply reply, string path) => reply.Text.Replace(path, "PATH").Replace(reply["X-Request-Id"]!, "ID");
    }

    static Task<Reply> AskAsync(Speaker speaker, User user, bool streams)
    {
        var model = $"{speaker.Name}-small";
        return Gateway.SendAsync("POST", speaker.Path(model, streams), user.Token, speaker.Body(model, Price.Question, streams), Drained);
    }

    static void MustBeRefused(Speaker speaker, Reply reply)
    {
        reply.MustBe(503);
        Assert.NotEmpty(speaker.ReadError(503, reply.Json));
        Assert.Equal("draining", speaker.Name == "gemini" ? reply.Json.Text("code") : reply.Code);
        Assert.NotNull(reply["Retry-After"]);
    }

    static void MustBeRefused(Reply reply)
    {
        reply.MustBeProblem(503, "draining");
        Assert.NotNull(reply["Retry-After"]);
    }

    static async Task<(bool Drained, int Running, int Unsent, int Leases)> DrainAsync(int seconds)
    {
        var left = (await SendAsync($"{Drain}?seconds={seconds}")).MustBe(200).Json;
        return (left.GetProperty("drained").GetBoolean(), left.Int("running"), left.Int("unsent"), left.Int("leases"));
    }

    /// <summary>A drain that has not begun yet would close the gate after one resume.</summary>
    static Task ResumeUntilAsync(Task drained) => Eventually.HoldsAsync(
        async () =>
        {
            await ResumeAsync();
            return drained.IsCompleted;
        },
        "the end of the waiting");

    static async Task<string> SayAsync(int status, string path)
    {
        var reply = await Gateway.SendAsync(
            "POST", path, at: Drained, headers: [Operator, ("Accept", "text/plain")]);
        return reply.MustBe(status).Text;
    }

    static async Task ResumeAsync() => (await SendAsync(Resume)).MustBe(200);

    static async Task<Reply> HealthAsync(int status) => (await Gateway.SendAsync("GET", "/health", at: Drained)).MustBe(status);

    static Task<Reply> SendAsync(string path) => SendAsync("POST", path, Operator);

    static Task<Reply> SendAsync(string method, string path, (string, string)? call) =>
        Gateway.SendAsync(method, path, at: Drained, headers: call is { } header ? [header] : []);

    static (string, string) Operator => Stack.Signed("operator", "proxy");

    static StringContent Json(string json) => new(json, Encoding.UTF8, "application/json");

    static MultipartFormDataContent Upload()
    {
        const string line = """{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":"""
            + """{"model":"chat-batch","messages":[{"role":"user","content":"hi"}]}}""";
        return new() { { new StringContent("batch"), "purpose" }, { new StringContent(line), "file", "a.jsonl" } };
    }

    /// <summary>A body that is sent after something else has happened.</summary>
    sealed class LateBody : HttpContent
    {
        readonly HttpContent _body;
        readonly Func<Task> _before;

        public LateBody(HttpContent body, Func<Task> before)
        {
            (_body, _before) = (body, before);
            Headers.ContentType = body.Headers.ContentType;
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await _before();
            await _body.CopyToAsync(stream);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _body.Headers.ContentLength!.Value;
            return true;
        }
    }
}
