using System.Diagnostics;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What an operator sees of one call, and what nobody may see.</summary>
[Collection(nameof(Recorded))]
public sealed class GenAiSpanTests
{
    const string Prompt = "canary-prompt", Words = "canary-answer";

    static readonly byte[] Body = Encoding.UTF8.GetBytes($$"""
        {"model":"small","max_tokens":50,
        "messages":[{"role":"system","content":"{{Prompt}} 1"},{"role":"user","content":"{{Prompt}} 2"}]}
        """);

    static readonly byte[] Whole = Encoding.UTF8.GetBytes($$$"""
        {"id":"x","model":"gpt-x-2026",
        "choices":[{"index":0,"message":{"role":"assistant","content":"{{{Words}}}"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":2} } }
        """);

    static readonly byte[] Stream = Encoding.UTF8.GetBytes(
        $$$"""data: {"model":"gpt-x-2026","choices":[{"index":0,"delta":{"content":"{{{Words}}}"}}]}""" + "\n\n"
        + """data: {"model":"gpt-x-2026","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}""" + "\n\n"
        + """data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}""" + "\n\ndata: [DONE]\n\n");

    static readonly Guid Customer = Ids.New();

    static readonly Credential Credential = new(
        Ids.New(), CredentialKind.CustomerKey, false, CredentialStatus.Active, Ids.New(), Ids.New(), Customer,
        null, null, null, null, [], null);

    [Theory]
    [InlineData(false, "stop")]
    [InlineData(true, "length")]
    public void A_call_s_span_has_model_tokens_finish_reason_cost_and_customer(bool stream, string finish)
    {
        using var recorded = new Recorded();
        using var server = recorded.StartServer();
        Call(NewCall(server), stream);

        var span = Assert.Single(recorded.Spans);
        Assert.Equal((ActivityKind.Client, "chat small", server.SpanId), (span.Kind, span.DisplayName, span.ParentSpanId));
        Assert.Equal("chat", span.GetTagItem("gen_ai.operation.name"));
        Assert.Equal("openai", span.GetTagItem("gen_ai.provider.name"));
        Assert.Equal("small", span.GetTagItem("gen_ai.request.model"));
        Assert.Equal("gpt-x-2026", span.GetTagItem("gen_ai.response.model"));
        Assert.Equal(7L, span.GetTagItem("gen_ai.usage.input_tokens"));
        Assert.Equal(3L, span.GetTagItem("gen_ai.usage.output_tokens"));
        Assert.Equal([finish], Assert.IsType<string[]>(span.GetTagItem("gen_ai.response.finish_reasons")));
        foreach (var seen in (Activity[])[span, server])
        {
            Assert.Equal("0.000001234", seen.GetTagItem("llmgateway.cost"));
            Assert.Equal(Ids.Show(Ids.Customer, Customer), seen.GetTagItem("llmgateway.customer"));
            Assert.Equal("completed", seen.GetTagItem("llmgateway.outcome"));
        }
        Assert.Equal("spooled", Assert.Single(server.Events).Name);
        Assert.Same(server, Activity.Current);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Prompts_and_answers_are_in_no_span_unless_a_setting_of_ours_says_so(bool stream)
    {
        using var recorded = new Recorded();
        using (var server = recorded.StartServer())
            Call(NewCall(server), stream);

        Assert.Equal(2, recorded.Spans.Count);
        Assert.DoesNotContain("canary", recorded.Text);
    }

    [Theory]
    [InlineData(false, "stop")]
    [InlineData(true, "length")]
    public void They_are_recorded_where_our_own_setting_says_so(bool stream, string finish)
    {
        using var recorded = new Recorded();
        using var server = recorded.StartServer();
        Call(NewCall(server), stream, captureContent: true);

        var span = Assert.Single(recorded.Spans);
        Assert.Equal($$"""[{"type":"text","content":"{{Prompt}} 1"}]""", span.GetTagItem("gen_ai.system_instructions"));
        Assert.Equal(
            $$"""[{"role":"user","parts":[{"type":"text","content":"{{Prompt}} 2"}]}]""", span.GetTagItem("gen_ai.input.messages"));
        Assert.Equal(
            $$"""[{"role":"assistant","parts":[{"type":"text","content":"{{Words}}"}],"finish_reason":"{{finish}}"}]""",
            span.GetTagItem("gen_ai.output.messages"));
    }

    [Fact]
    public void What_is_recorded_of_a_long_prompt_is_cut()
    {
        using var recorded = new Recorded();
        using var server = recorded.StartServer();
        var message = new { role = "user", content = new string('x', 1_000_000) };
        var body = JsonSerializer.SerializeToUtf8Bytes(new { model = "small", messages = new[] { message } });
        Call(NewCall(server), stream: false, captureContent: true, body);

        var text = (string)Assert.Single(recorded.Spans).GetTagItem("gen_ai.input.messages")!;
        Assert.InRange(text.Length, GenAiContent.MaxCharacters, GenAiContent.MaxCharacters + 200);
    }

    [Fact]
    public void A_provider_s_failure_is_told_by_a_code_of_ours_and_not_in_its_words()
    {
        using var recorded = new Recorded();
        using var server = recorded.StartServer();
        var call = NewCall(server);
        Problem[] problems =
            [Problems.Upstream(504, "upstream_timeout", Prompt), new(400, "invalid_request_error", Prompt, Prompt, Prompt)];
        foreach (var problem in problems)
        {
            using var attempt = new ProviderAttempt(Wires.Chat, call, Read(Body), Body);
            new GenAiSpan(captureContent: false).Start(call, Wires.Chat, Read(Body), Body);
            GenAiSpan.End(attempt, problem);
        }

        Assert.Equal(["upstream_timeout", "provider_refused"], recorded.Spans.Select(span => span.GetTagItem("error.type")));
        Assert.All(recorded.Spans, span => Assert.Equal(ActivityStatusCode.Error, span.Status));
        Assert.DoesNotContain("canary", recorded.Text);
    }

    [Theory]
    [InlineData("""{"id":"x","model":"m-1","choices":[]}""", "m-1")]
    [InlineData("""{"type":"message_start","message":{"id":"x","role":"assistant","model":"m-1","content":[]}}""", "m-1")]
    [InlineData("""{"type":"response.created","response":{"id":"x","model":"m-1"}}""", "m-1")]
    [InlineData("""{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"model":"secret"}}}]}}],"modelVersion":"m-1"}""", "m-1")]
    [InlineData("""{"content":[{"type":"tool_use","input":{"model":"secret"}}]}""", null)]
    [InlineData("""{"message":{"content":[{"input":{"model":"secret"}}]},"model":5}""", null)]
    [InlineData("""{"model":""", null)]
    [InlineData("RIFF....WAVE", null)]
    public void The_model_that_answered_is_read_where_the_wires_say_it_and_nowhere_else(string answer, string? model) =>
        Assert.Equal(model, GenAiAnswer.ModelOf(Encoding.UTF8.GetBytes(answer)));

    [Theory]
    [InlineData("gpt-4o-2024-08-06", "gpt-4o-2024-08-06")]
    [InlineData("meta/llama-3.1:free", "meta/llama-3.1:free")]
    [InlineData("my dear diary", "other")]
    [InlineData("", "other")]
    public void Where_a_name_is_expected_text_is_not_recorded(string said, string recorded) => Assert.Equal(recorded, Spans.Word(said));

    [Fact]
    public void While_nobody_listens_a_request_gets_no_span_and_allocates_nothing_for_it()
    {
        var (call, spans, request) = (NewCall(null), new GenAiSpan(captureContent: false), Read(Body));
        using var attempt = new ProviderAttempt(Wires.Chat, call, request, Body);
        var (record, cost) = (Record(call), new Money(1));
        long allocated = -1;
        for (var run = 0; run < 2; run++) // the first one initializes what is static
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            Spans.Begin(call.Http, "/v1/chat/completions");
            spans.Start(call, Wires.Chat, request, Body);
            GenAiSpan.See(Whole);
            _ = Spans.ContextOf(call.Http);
            Spans.Settled(record, cost);
            EdgeMetrics.Ended(record, cost);
            GenAiSpan.End(attempt, null);
            EdgeMetrics.Refused("/v1/chat/completions", "expired");
            _ = PublishSpan.Start([]);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, allocated);
        Assert.Null(Activity.Current);
    }

    static void Call(ModelCall call, bool stream, bool captureContent = false, byte[]? body = null)
    {
        body ??= stream ? [.. "{\"stream\":true,"u8, .. Body[1..]] : Body;
        var request = Read(body);
        new GenAiSpan(captureContent).Start(call, Wires.Chat, request, body);
        using var attempt = new ProviderAttempt(Wires.Chat, call, request, body);
        if (stream)
        {
            foreach (var piece in Stream.Chunk(50))
            {
                GenAiSpan.See(piece);
                attempt.Relay!.Push(piece, new System.Buffers.ArrayBufferWriter<byte>());
            }
        }
        else
        {
            GenAiSpan.See(Whole);
            Assert.Null(attempt.SeeWhole(Whole));
        }
        Spans.Settled(Record(call), new Money(1234));
        GenAiSpan.End(attempt, null);
    }

    static ModelRequest Read(byte[] body) => Wires.Chat.Read(body, default);

    static UsageRecord Record(ModelCall call) => new(
        Ids.New(), Ids.New(), Customer, Ids.New(), null, false, "/v1/chat/completions", "small", "azure", "small-deployment", null, false,
        call.StartedAt, 5, 3, 200, RequestOutcome.Completed,
        new Usage { [Meter.Input] = 5, [Meter.CachedInput] = 2, [Meter.Output] = 3 }.Units, new Money(1234), false, null, null);

    static ModelCall NewCall(Activity? server)
    {
        var http = new DefaultHttpContext();
        if (server is not null)
            http.Features.Set(Recorded.Feature(server));
        var prices = new Prices { Input = new Rate(1), Output = new Rate(1) };
        var provider = new ProviderConnection(
            "azure", ProviderWire.OpenAi, "https://provider.example/v1", "none", null, [], 60, 0, "cancel", Sandbox: false);
        return new(http, "/v1/chat/completions", new(TimeProvider.System), TimeProvider.System)
        {
            Caller = new(Credential, null!, ""),
            Route = new(new("small", "chat", "azure", "small-deployment", 0, 0, null, prices), new(provider, [])),
        };
    }
}
