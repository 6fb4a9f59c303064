using System.Diagnostics;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// The span of one provider's answer to one request, from what it is sent to its last byte, with the attributes that OpenTelemetry names
/// for calls to models (<c>gen_ai.*</c>). It is the current span while it lasts, so that nobody has to hand it on.
/// </summary>
/// <param name="captureContent">Whether prompts and answers are recorded, too.</param>
public sealed class GenAiSpan(bool captureContent)
{
    /// <summary>Records prompts and answers, too. Ours alone: what frameworks say in their variables does not turn it on.</summary>
    public const string ContentSetting = "Telemetry:CaptureContent";

    const string Name = "gen_ai", Answer = "answer";

    public static GenAiSpan Read(WebApplicationBuilder builder) => new(captureContent: builder.Switch(ContentSetting));

    /// <summary>The one that lasts; null when the request's trace is not recorded.</summary>
    public static Activity? Current => Spans.Source.HasListeners() && Activity.Current is { OperationName: Name } span ? span : null;

    /// <param name="wire">The caller's wire.</param>
    public void Start(ModelCall call, Wire wire, ModelRequest request, ReadOnlyMemory<byte> body)
    {
        if (!Spans.Source.HasListeners() || Spans.Source.StartActivity(Name, ActivityKind.Client) is not { IsAllDataRequested: true } span)
            return;
        var (model, provider) = (call.Route.Model, call.Route.Upstream.Provider);
        var operation = OperationOf(wire);
        span.DisplayName = $"{operation} {model.Id}";
        span.SetTag("gen_ai.operation.name", operation);
        span.SetTag("gen_ai.provider.name", VendorOf(provider));
        span.SetTag("gen_ai.request.model", model.Id);
        if (request.MaxTokens is { } most)
            span.SetTag("gen_ai.request.max_tokens", most);
        span.SetTag("llmgateway.provider", provider.Id);
        span.SetTag("llmgateway.request_id", call.Http.RequestId());
        var content = captureContent ? new GenAiContent(Wires.Of(provider.Wire, wire) as ConversationWire) : null;
        span.SetCustomProperty(Answer, new GenAiAnswer(request.Stream, content));
        if (captureContent && wire is ConversationWire conversation)
            GenAiContent.Ask(span, conversation, request, body.Span);
    }

    /// <summary>Bytes of the provider's answer: all of one that is no stream, else the next piece.</summary>
    public static void See(ReadOnlySpan<byte> answer)
    {
        if (Current?.GetCustomProperty(Answer) is GenAiAnswer seen)
            seen.See(answer);
    }

    /// <summary>The provider's part is over.</summary>
    /// <param name="problem">Why there is no answer, when another provider may be tried.</param>
    public static void End(ProviderAttempt attempt, Problem? problem)
    {
        if (Current is not { } span)
            return;
        if (span.GetCustomProperty(Answer) is GenAiAnswer seen)
            seen.End(span);
        if (attempt.Meter.FinishReason is { } reason)
            span.SetTag("gen_ai.response.finish_reasons", new[] { Spans.Word(reason) });
        if (problem is not null)
            Fail(span, CodeOf(problem));
        span.Stop();
    }

    /// <summary>A code of ours: those of providers' refusals are theirs to choose.</summary>
    public static string CodeOf(Problem problem) => problem.Type == "upstream_error" ? problem.Code : "provider_refused";

    public static void Settled(Activity span, UsageRecord record)
    {
        span.SetTag("gen_ai.usage.input_tokens", MeterReading.InputOf(record.Meters));
        span.SetTag("gen_ai.usage.output_tokens", MeterReading.OutputOf(record.Meters));
        if (record.Meters[(int)Meter.CachedInput] is > 0 and var cached)
            span.SetTag("gen_ai.usage.cache_read.input_tokens", cached);
        if (record.Estimated)
            span.SetTag("llmgateway.estimated", true);
        if (record.Outcome is RequestOutcome.Interrupted or RequestOutcome.Failed)
            Fail(span, Spans.NameOf(record.Outcome));
    }

    static void Fail(Activity span, string type)
    {
        span.SetTag("error.type", type);
        span.SetStatus(ActivityStatusCode.Error);
    }

    static string OperationOf(Wire wire) => wire.Kind switch
    {
        "embedding" => "embeddings",
        "chat" => wire == Wires.Completions ? "text_completion" : "chat",
        var kind => kind,
    };

    /// <summary>The provider's name in the convention. A provider that imitates OpenAI's wire has its connection's name.</summary>
    static string VendorOf(ProviderConnection provider) => provider.Wire switch
    {
        ProviderWire.OpenAi or ProviderWire.Responses => "openai",
        ProviderWire.Anthropic => "anthropic",
        ProviderWire.Gemini => "gcp.gemini",
        _ => provider.Id,
    };
}
