using System.Buffers;
using System.Net;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Whatever a provider says of its credentials and its address, on every wire and in every way: no caller reads it.</summary>
public sealed class UpstreamSecretsTests : IDisposable
{
    const string One = "sk-SECRET-1234567890/abcdef", Two = "user:sk-SECRET-other", Words = "Incorrect API key provided";

    static readonly string Said =
        $"{Words}: Bearer {One}, {Uri.EscapeDataString(One)}, Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes(Two))} "
        + "(sk-SECRET-other) "
        + "at http://10.1.2.3:8000/tenant/v1, 10.1.2.3:8000, behind it 192.168.7.8:9";

    static readonly string[] Secrets =
        ["SECRET", Convert.ToBase64String(Encoding.UTF8.GetBytes(Two)), "10.1.2.3", ":8000", "tenant", "192.168.7.8"];

    static readonly Dictionary<string, (Wire Wire, string Body)> Callers = new()
    {
        ["chat"] = (Wires.Chat, """{"model":"m","stream":false,"messages":[{"role":"user","content":"a"}]}"""),
        ["responses"] = (Wires.Responses, """{"model":"m","stream":false,"store":false,"input":"a"}"""),
        ["messages"] = (Wires.Messages, """{"model":"m","stream":false,"max_tokens":9,"messages":[{"role":"user","content":"a"}]}"""),
        ["gemini"] = (Wires.Gemini, """{"contents":[{"role":"user","parts":[{"text":"a"}]}]}"""),
        ["completions"] = (Wires.Completions, """{"model":"m","stream":false,"prompt":"a"}"""),
        ["embeddings"] = (Wires.Embeddings, """{"model":"m","input":"a"}"""),
        ["moderations"] = (Wires.Moderations, """{"model":"m","input":"a"}"""),
        ["images"] = (Wires.Images, """{"model":"m","prompt":"a"}"""),
    };

    /// <summary>How a provider may say it: its status, the type and the body, and whether the caller asked for a stream.</summary>
    static readonly Dictionary<string, Func<string, ConversationWire, (int Status, bool Stream, string Body)>> Ways = new()
    {
        ["whole 400"] = (said, _) => (400, false, Error(said)),
        ["whole 404"] = (said, _) => (404, false, Error(said)),
        ["whole 422 with escapes"] = (said, _) => (422, false,
            Error(said).Replace("/", "\\/", StringComparison.Ordinal).Replace("S", "\\u0053", StringComparison.Ordinal)),
        ["whole 400 before a stream"] = (said, _) => (400, true, Error(said)),
        ["whole 400 within another text"] = (said, _) => (400, false, JsonSerializer.Serialize(new
        {
            error = new { message = "failed", metadata = new { raw = Error(said).Replace("/", "\\/", StringComparison.Ordinal) } },
        })),
        ["whole 400 that is cut"] = (said, _) =>
            (400, false, Error(new string('x', UpstreamErrors.MaxMessage - Words.Length - 20) + said)),
        ["plain text"] = (said, _) => (400, false, said),
        ["a good status"] = (said, _) => (200, false, Error(said)),
        ["a good status and plain text"] = (said, _) => (200, false, said),
        ["an answer with an error"] = (said, wire) => (200, false, $"{Whole(wire).TrimEnd()[..^1]},{Error(said)[1..]}"),
        ["an event of a stream"] = (said, wire) => (200, true, Begun(wire) + $"event: error\ndata: {Error(said)}\n\n"),
        ["the first event of a stream"] = (said, _) => (200, true, $"event: error\ndata: {Error(said)}\n\n"),
        ["an event in lines"] = (said, wire) => (200, true,
            Begun(wire) + $"data: {Error(said).Replace(",", ",\ndata: ", StringComparison.Ordinal)}\n\n"),
        ["plain text in a stream"] = (said, wire) => (200, true, Begun(wire) + $"data: {said}\n\n"),
        ["a failed response in a stream"] = (said, wire) => (200, true, Begun(wire) + "data: "
            + $$"""{"type":"response.failed","response":{"status":"failed","error":{{Inner(said)}}},"error":{{Inner(said)}}}""" + "\n\n"),
        ["a choice's error in a stream"] = (said, wire) => (200, true, Begun(wire) + "data: "
            + $$"""{"choices":[{"index":0,"error":{{Inner(said)}}}],"candidates":[],"error":{{Inner(said)}},"type":"error"}""" + "\n\n"),
        ["only a choice's error in a stream"] = (said, wire) => (200, true, wire == Wires.Chat
            ? Begun(wire) + $$"""data: {"choices":[{"index":0,"error":{{Inner(said)}}}]}""" + "\n\n"
            : $"data: {Error(said)}\n\n"),
    };

    static readonly string[] Providers =
        [ProviderWire.OpenAi, ProviderWire.OpenAiCompatible, ProviderWire.Responses, ProviderWire.Anthropic, ProviderWire.Gemini];

    readonly string _folder = Directory.CreateTempSubdirectory("llmgateway-secrets-").FullName;
    readonly Spool _spool;

    public UpstreamSecretsTests() => _spool = new(_folder, NullLogger<Spool>.Instance);

    public void Dispose()
    {
        _spool.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    public static TheoryData<string, string> CallersAndProviders() => [
        .. from caller in Callers
           from provider in Providers
           where Wires.Of(provider, caller.Value.Wire) is not null
           select (caller.Key, provider)];

    [Theory, MemberData(nameof(CallersAndProviders))]
    public async Task Nothing_that_was_sent_as_a_credential_and_no_address_reaches_a_caller(string caller, string provider)
    {
        var (wire, body) = Callers[caller];
        foreach (var (name, way) in Ways)
        {
            var (status, stream, answer) = way(Said, Wires.Of(provider, wire) as ConversationWire ?? Wires.Chat);
            if (stream && wire is not (ConversationWire or LlmGateway.Proxy.OneShots.CompletionsWire))
                continue;
            var told = await TellAsync(wire, body, provider, status, stream, answer);

            foreach (var secret in Secrets)
                Assert.False(told.Contains(secret, StringComparison.OrdinalIgnoreCase), $"{name}: {told}");
            // The words themselves are the caller's help where they always were.
            if (name is "whole 400" or "whole 404" or "plain text" or "whole 400 before a stream" or "an event of a stream")
                Assert.True(told.Contains(Words, StringComparison.Ordinal), $"{name}: {told}");
        }
    }

    [Fact]
    public void Everything_else_stays_as_it_is()
    {
        var secrets = new UpstreamSecrets(Connection(ProviderWire.OpenAi) with { BaseUrl = "http://vllm:8000/v1" }, ["none", One]);

        Assert.Equal(
            "nonexistent 'none': none vllm model sk-SECRET...cdef, 8.8.8.8, version 1.2.3, 10.1.2.3.4.5 ***/models ***",
            secrets.Hide("nonexistent 'none': none vllm model sk-SECRET...cdef, 8.8.8.8, version 1.2.3, 10.1.2.3.4.5 "
                + "http://vllm:8000/v1/models VLLM:8000").Replace("'***': ***", "'none': none", StringComparison.Ordinal));
        var json = """{ "a" : 1.50, "b":[ "\u00e9", null,true ],"c":"ü\/" }"""u8;
        Assert.True(json.SequenceEqual(secrets.Hide(json)));
        Assert.Equal<byte>([0xff, 0x00, (byte)'x'], secrets.Hide([0xff, 0x00, (byte)'x']));
        Assert.Equal("""{"a":"*** no","***":[1]}""", Encoding.UTF8.GetString(secrets.Hide(
            Encoding.UTF8.GetBytes("{\"a\":\"" + One + " no\",\"" + One.ToUpperInvariant() + "\":[1]}"))));
    }

    static string Inner(string said) => JsonSerializer.Serialize(new { message = said, code = 400, type = "error", status = "INVALID" });

    static string Error(string said) => $$"""{"type":"error","message":{{JsonSerializer.Serialize(said)}},"error":{{Inner(said)}}}""";

    static string Begun(ConversationWire wire)
    {
        var (writer, sent) = (wire.NewWriter(Head()), new ArrayBufferWriter<byte>());
        foreach (var e in (AnswerEvent[])[new(AnswerEventKind.Start, Id: "x"), AnswerEvent.Words("Hello ")])
            writer.Write(e, sent);
        return Encoding.UTF8.GetString(sent.WrittenSpan);
    }

    static string Whole(ConversationWire wire) => Encoding.UTF8.GetString(TranslationCases.WriteWhole(
        wire, Head(), [new(AnswerEventKind.Start, Id: "x"), AnswerEvent.Words("Hello"), AnswerEvent.Finished(StopReason.End)]));

    static AnswerHead Head() => new("req_1", "m", DateTimeOffset.UnixEpoch, Read(Wires.Chat, Callers["chat"].Body, stream: true));

    static ModelRequest Read(Wire wire, string body, bool stream) => wire.Read(
        Encoding.UTF8.GetBytes(stream ? body.Replace("\"stream\":false", "\"stream\":true", StringComparison.Ordinal) : body),
        new("m", stream, Sse: true));

    static ProviderConnection Connection(string provider) => new(
        "p", provider, "http://10.1.2.3:8000/tenant/v1", "bearer", null, [new("", 1), new("", 1)], 60, 0, "cancel", Sandbox: false);

    async Task<string> TellAsync(Wire wire, string body, string provider, int status, bool stream, string answer)
    {
        var http = new DefaultHttpContext();
        http.Response.Body = new MemoryStream();
        http.SetRequestId(Ids.New());
        http.Speak(wire);
        var credential = new Credential(
            Ids.New(), CredentialKind.CustomerKey, false, CredentialStatus.Active, Ids.New(), Ids.New(), Ids.New(),
            null, null, null, null, [], null);
        var prices = new Prices { Input = new Rate(1), Output = new Rate(1) };
        var call = new ModelCall(http, "e", new(TimeProvider.System), TimeProvider.System)
        {
            Caller = new(credential, null!, ""),
            Route = new(new("m", wire.Kind, "p", "m", 1000, 100, null, prices), new(Connection(provider), [One, Two])),
            Stream = stream,
        };
        var request = Read(wire, body, stream);
        using var publisher = new SpoolPublisher(_spool, null!, NullLogger<SpoolPublisher>.Instance);
        using var runningCalls = new RunningCalls(null!, TimeProvider.System, NullLogger<RunningCalls>.Instance);
        using var limits = new RateLimits(null!, TimeProvider.System, NullLogger<RateLimits>.Instance);
        var type = stream && status == 200 ? "text/event-stream" : "application/json";
        var answers = new Answers(
            new(new(new Provider(status, answer, type)), NullLogger<Forwarding>.Instance), publisher, limits, null!,
            NullLogger<Answers>.Instance);
        using var run = runningCalls.Start(call.Caller, call.Route.Upstream, default);
        using var attempt = new ProviderAttempt(wire, call, request, Encoding.UTF8.GetBytes(body));
        Assert.True(call.TryBegin(_spool.Journal));
        if (await answers.AnswerAsync(call, attempt, 10, run) is { } problem)
            await answers.FailAsync(call, problem);
        return Encoding.UTF8.GetString(((MemoryStream)http.Response.Body).ToArray());
    }

    sealed class Provider(int status, string answer, string type) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(answer, Encoding.UTF8, type) });
    }
}
