using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>Whatever a provider does with a request: nothing of what was asked and answered is in any span, log or metric.</summary>
[Collection(nameof(Recorded))]
public sealed class NothingOfAConversationTests : IDisposable
{
    const string Canary = "canary";

    readonly string _folder = Directory.CreateTempSubdirectory("llmgateway-canary-").FullName;
    readonly Recorded _recorded = new();
    readonly Lines _lines = new();
    readonly MeterListener _meters = new();
    readonly Spool _spool;

    public NothingOfAConversationTests()
    {
        _spool = new(_folder, NullLogger<Spool>.Instance);
        _meters.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == "LlmGateway.Proxy")
                self.EnableMeasurementEvents(instrument);
        };
        _meters.SetMeasurementEventCallback<long>((instrument, _, tags, _) =>
            _lines.Add($"{instrument.Name} {string.Join(' ', tags.ToArray())}"));
        _meters.Start();
    }

    public void Dispose()
    {
        _meters.Dispose();
        _recorded.Dispose();
        _spool.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(200, """
        {"model":"canary text","choices":[{"index":0,"message":{"content":"canary"},"finish_reason":"canary text"}],
        "usage":{"prompt_tokens":1,"completion_tokens":1}}
        """)]
    [InlineData(200, """{"choices":[{"index":0,"message":{"content":"canary"}}],"usage":{"prompt_tokens":"canary"}}""")]
    [InlineData(200, """{"canary":"canary""")]
    [InlineData(400, """{"error":{"message":"canary","code":"canary","param":"canary","type":"canary"}}""")]
    [InlineData(404, "canary")]
    [InlineData(429, """{"error":{"message":"canary"}}""")]
    [InlineData(500, """{"error":{"message":"canary"}}""")]
    public Task An_answer_that_is_no_stream(int status, string answer) => RunAsync(stream: false, status, answer);

    [Theory]
    [InlineData("""{"model":"m","choices":[{"index":0,"delta":{"content":"canary"},"finish_reason":"stop"}]}""", "[DONE]")]
    [InlineData("""{"model":"m","choices":[{"index":0,"delta":{"content":"canary"}}]}""")]
    [InlineData("""{"choices":[{"index":0,"delta":{"content":"canary"}}]}""", """{"error":{"message":"canary"}}""")]
    [InlineData("canary", "canary\n\nevent: canary\n\n: canary")]
    [InlineData("canary")]
    public Task A_stream(params string[] events) => RunAsync(stream: true, 200, string.Concat(events.Select(data => $"data: {data}\n\n")));

    async Task RunAsync(bool stream, int status, string answer)
    {
        var http = new DefaultHttpContext();
        http.Response.Body = new MemoryStream();
        using (var server = _recorded.StartServer())
        {
            http.Features.Set(Recorded.Feature(server));
            await AnswerAsync(http, stream, new(new Provider(status, answer, stream ? "text/event-stream" : "application/json")));
        }

        var told = Encoding.UTF8.GetString(((MemoryStream)http.Response.Body).ToArray());
        Assert.NotEqual("", told);
        Assert.Contains(_recorded.Spans, span => span.OperationName == "gen_ai");
        Assert.DoesNotContain(Canary, _recorded.Text);
        Assert.Contains(_lines, line => line.StartsWith("gateway.", StringComparison.Ordinal));
        Assert.DoesNotContain(_lines, line => line.Contains(Canary, StringComparison.Ordinal));
    }

    async Task AnswerAsync(HttpContext http, bool stream, HttpMessageInvoker provider)
    {
        var streams = stream ? "true" : "false";
        var body = Encoding.UTF8.GetBytes(
            $$"""{"model":"small","stream":{{streams}},"messages":[{"role":"user","content":"{{Canary}}"}]}""");
        var request = Wires.Chat.Read(body, default);
        var call = NewCall(http, stream);
        using var publisher = new SpoolPublisher(_spool, null!, _lines.Logger<SpoolPublisher>());
        using var runningCalls = new RunningCalls(null!, TimeProvider.System, _lines.Logger<RunningCalls>());
        using var limits = new RateLimits(null!, TimeProvider.System, _lines.Logger<RateLimits>());
        var answers = new Answers(new(provider, _lines.Logger<Forwarding>()), publisher, limits, null!, _lines.Logger<Answers>());
        using var run = runningCalls.Start(call.Caller, call.Route.Upstream, default);
        using var attempt = new ProviderAttempt(Wires.Chat, call, request, body);
        Assert.True(call.TryBegin(_spool.Journal));

        new GenAiSpan(captureContent: false).Start(call, Wires.Chat, request, body);
        var problem = await answers.AnswerAsync(call, attempt, 10, run);
        GenAiSpan.End(attempt, problem);
        if (problem is null)
            return;
        EdgeMetrics.ProviderFailed(call.Route.Upstream.Provider.Wire, problem);
        await answers.FailAsync(call, problem);
    }

    static ModelCall NewCall(HttpContext http, bool stream)
    {
        var provider = new ProviderConnection(
            "p", ProviderWire.OpenAi, "https://provider.example/v1", "none", null, [], 60, 0, "cancel", Sandbox: false);
        var prices = new Prices { Input = new Rate(1), Output = new Rate(1) };
        var credential = new Credential(
            Ids.New(), CredentialKind.CustomerKey, false, CredentialStatus.Active, Ids.New(), Ids.New(), Ids.New(),
            null, null, null, null, [], null);
        return new(http, "/v1/chat/completions", new(TimeProvider.System), TimeProvider.System)
        {
            Caller = new(credential, null!, ""),
            Route = new(new("small", "chat", "p", "small", 0, 0, null, prices), new(provider, [])),
            Stream = stream,
        };
    }

    sealed class Provider(int status, string answer, string type) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(answer, Encoding.UTF8, type) });
    }

    /// <summary>What was logged at any level, exceptions included, and what was measured.</summary>
    sealed class Lines : List<string>
    {
        public ILogger<T> Logger<T>() => new Of<T>(this);

        sealed class Of<T>(Lines lines) : ILogger<T>
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(
                LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                lines.Add($"{formatter(state, exception)} {exception}");
        }
    }
}
