using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Responses;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>One request to one provider and its answer, in the caller's wire all the way or translated.</summary>
public sealed class ProviderAttempt(Wire caller, ModelCall call, ModelRequest request, ReadOnlyMemory<byte> body) : IDisposable
{
    readonly Wire _provider = Wires.Of(call.Route.Upstream.Provider.Wire, caller)!;

    StreamRelay? _relay;
    WholeMeter? _whole;

    public ModelRequest Request => request;

    /// <summary>The body as the caller sent it.</summary>
    public ReadOnlyMemory<byte> Body => body;

    /// <summary>Null for an answer that is no stream.</summary>
    public StreamRelay? Relay => request.Stream ? _relay ??= NewRelay() : null;

    /// <summary>What becomes of the answer, where it is a response that can be continued.</summary>
    public ResponseTurn? Turn => (request as ResponsesRequest)?.Turn;

    public AnswerMeter Meter =>
        Relay?.Meter
            ?? (
                _whole ??= Translates
                    ? new EventMeter(Translatable(_provider).NewReader())
                    : _provider.NewWholeMeter(request, counts: false));

    /// <summary>Something was asked for by the gateway alone, and the provider may not know it.</summary>
    public bool AskedForMore => Translates ? request.Stream : request.AsksForMore;

    bool Translates => _provider != caller;

    AnswerHead Head => new(call.Http.RequestId(), call.Route.Model.Id, call.StartedAt, request);

    /// <summary>Only conversations go to providers of another wire; see <see cref="Wires.Of"/>.</summary>
    static ConversationWire Translatable(Wire wire) => (ConversationWire)wire;

    /// <summary>The body for the provider.</summary>
    public ReadOnlyMemory<byte> Compose(long outputLimit, bool injectUsage)
    {
        var (model, most) = (call.Route.Model.UpstreamModel, call.Route.Model.MaxOutputTokens);
        if (most > 0)
            outputLimit = Math.Min(outputLimit, most); // the provider that takes over may have a smaller limit
        return Translates
            ? Translatable(_provider).Compose(Translatable(caller).Understand(body.Span, request), model, outputLimit, request.Stream)
            : request.Rewrite(body, model, outputLimit, injectUsage && !IsKnownToRefuse);
    }

    /// <summary>The provider refused what was asked for by the gateway alone, and took the request without it.</summary>
    public void WasRefused()
    {
        if (Turn is not null && !Translates)
            ThoughtlessModels.Add(call.Route);
    }

    bool IsKnownToRefuse => Turn is not null && ThoughtlessModels.Contains(call.Route);

    StreamRelay NewRelay()
    {
        var relay = Translates
            ? new TranslatedRelay(Translatable(_provider), Translatable(caller), Head)
            : caller.NewRelay(request);
        return Turn is { } turn ? turn.Relay(relay) : relay;
    }

    public HttpRequestMessage Post(ReadOnlyMemory<byte> sent) => _provider.Post(
        Translates ? null : call.Http,
        call.Route.Upstream,
        _provider.Path(call.Route.Model.UpstreamModel, request.Stream),
        sent,
        request.Stream,
        call.Route.Model);

    /// <summary>The content type for the caller; null when the provider's answer is not of its wire.</summary>
    public string? AnswerType(HttpResponseMessage response) => caller.AnswerType(response.Content.Headers.ContentType?.ToString());

    /// <summary>Meters an answer that is no stream; false when it is not of the provider's wire.</summary>
    public bool SeeWhole(ReadOnlySpan<byte> answer)
    {
        if (!((WholeMeter)Meter).See(answer))
            return false;
        if (_whole!.UsageIsBelieved || Translates)
            return true;
        _whole = _provider.NewWholeMeter(request, counts: true);
        return _whole.See(answer);
    }

    /// <summary>The caller's form of an answer that is no stream.</summary>
    public ReadOnlyMemory<byte> Retell(ReadOnlyMemory<byte> answer, Usage settled, Money cost)
    {
        if (!Translates)
            return answer;
        var told = new ArrayBufferWriter<byte>(answer.Length);
        Translatable(caller).NewWriter(Head).WriteWhole(((EventMeter)_whole!).Whole, settled, cost, told);
        return told.WrittenMemory;
    }

    public void Dispose() => _relay?.Dispose();
}
