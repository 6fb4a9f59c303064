using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>One request to one provider and its answer, in the caller's wire all the way or translated.</summary>
public sealed class ProviderAttempt(Wire caller, ModelCall call, ModelRequest request, ReadOnlyMemory<byte> body) : IDisposable
{
    readonly Wire _provider = Wires.Of(call.Route.Upstream.Provider.Wire, caller)!;

    StreamRelay? _relay;
    WholeMeter? _whole;
    ToolNames? _names;

    public ModelRequest Request => request;

    /// <summary>The body as the caller sent it.</summary>
    public ReadOnlyMemory<byte> Body => body;

    /// <summary>Null for an answer that is no stream.</summary>
    public StreamRelay? Relay =>
        request.Stream
            ? _relay ??= Translates
            ? new TranslatedRelay(Translatable(_provider), Translatable(caller), Head, _names)
            : caller.NewRelay(request)
            : null;

    public AnswerMeter Meter =>
        Relay?.Meter
            ?? (
                _whole ??= Translates
                    ? new EventMeter(Translatable(_provider).NewReader())
                    : _provider.NewWholeMeter(request, counts: false));

    /// <summary>Usage in the stream was asked for by the gateway alone, and the provider may not know how to send it.</summary>
    public bool AskedForUsage => request.Stream && (Translates || !request.WantsUsage);

    bool Translates => _provider != caller;

    AnswerHead Head => new(call.Http.RequestId(), call.Route.Model.Id, call.StartedAt, request);

    /// <summary>Only conversations go to providers of another wire; see <see cref="Wires.Of"/>.</summary>
    static ConversationWire Translatable(Wire wire) => (ConversationWire)wire;

    /// <summary>The body for the provider. What it does not say is named in the answer's head.</summary>
    public ReadOnlyMemory<byte> Compose(long outputLimit, bool injectUsage)
    {
        var (model, most) = (call.Route.Model.UpstreamModel, call.Route.Model.MaxOutputTokens);
        if (most > 0)
            outputLimit = Math.Min(outputLimit, most); // the provider that takes over may have a smaller limit
        if (!Translates)
        {
            Ignored.Set(call.Http, request.LeftOut);
            return request.Rewrite(body, model, outputLimit, injectUsage);
        }
        var conversation = Translatable(caller).Understand(body.Span, request);
        _names = ToolNames.Of(conversation, Translatable(_provider).NamesOf(model));
        var composed = Translatable(_provider).Compose(conversation, model, outputLimit, request.Stream);
        Ignored.Set(call.Http, conversation.LeftOut.Names);
        foreach (var header in caller.PassedHeaders)
            header.LeaveOut(call.Http);
        return composed;
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
        var events = ((EventMeter)_whole!).Whole.ToList();
        _names?.Restore(events);
        Translatable(caller).NewWriter(Head).WriteWhole(events, settled, cost, told);
        return told.WrittenMemory;
    }

    public void Dispose() => _relay?.Dispose();
}
