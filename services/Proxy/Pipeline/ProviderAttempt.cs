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
    ToolNames? _names;
    AnswerWriter? _writer;

    // What the provider has refused: what the gateway alone asked for, and thoughts that it cannot open.
    bool _isRefused, _withoutThoughts;

    static readonly ThoughtlessModels Thoughtless = new(TimeProvider.System);

    public ModelRequest Request => request;

    /// <summary>The caller's request, with what it refers to in it.</summary>
    public ReadOnlyMemory<byte> Body => body;

    /// <summary>Null for an answer that is no stream.</summary>
    public StreamRelay? Relay => request.Stream ? _relay ??= NewRelay() : null;

    /// <summary>What becomes of the answer, where it is a response that can be continued.</summary>
    public ResponseTurn? Turn => (request as ResponsesRequest)?.Turn;

    public AnswerMeter Meter =>
        Relay?.Meter
            ?? (
                _whole ??= Translates
                    ? new EventMeter(Translatable(_provider).NewReader(), Writer)
                    : _provider.NewWholeMeter(request, counts: false));

    /// <summary>Something is asked for by the gateway alone, and the provider may not know it.</summary>
    bool AsksForMore => !_isRefused && (Translates ? request.Stream : request.AsksForMore && !IsKnownToRefuse);

    bool Translates => _provider != caller;

    UpstreamSecrets Secrets => call.Route.Upstream.Secrets;

    /// <summary>Of an answer that is no stream.</summary>
    AnswerWriter Writer => _writer ??= Translatable(caller).NewWriter(Head);

    AnswerHead Head => new(call.Http.RequestId(), call.Route.Model.Id, call.StartedAt, request) { Provider = call.Route.Model.Provider };

    /// <summary>Only conversations go to providers of another wire; see <see cref="Wires.Of"/>.</summary>
    static ConversationWire Translatable(Wire wire) => (ConversationWire)wire;

    /// <summary>The body for the provider. What it does not say is named in the answer's head.</summary>
    public ReadOnlyMemory<byte> Compose(long outputLimit)
    {
        var (composed, said) = Compose(caller, call.Route, request, body, outputLimit, AsksForMore, !_withoutThoughts);
        Ignored.Set(call.Http, said?.LeftOut.Names ?? request.LeftOut(request.Searches(call.Route.Model, passes: true) > 0));
        foreach (var path in Turn?.LeftOut ?? [])
            Ignored.Add(call.Http, path);
        if (_withoutThoughts)
            Ignored.Add(call.Http, "input.encrypted_content");
        if (said is null)
            return composed;
        _names = ToolNames.Of(said, Translatable(_provider).NamesOf(call.Route.Model.UpstreamModel));
        foreach (var header in caller.PassedHeaders)
            header.LeaveOut(call.Http);
        return composed;
    }

    /// <summary>
    /// True when the provider refused what the gateway added to the request or kept for it. Without that the request is sent again; each
    /// of the two is left out once.
    /// </summary>
    public bool Yields(int status, ReadOnlySpan<byte> refusal)
    {
        if (Turn is not null && !_withoutThoughts && UpstreamErrors.RefusesThoughts(status, refusal))
            return _withoutThoughts = true;
        return AsksForMore && (_isRefused = Turn is not null && !Translates
            ? UpstreamErrors.RefusesInclude(status, refusal)
            : UpstreamErrors.RefusesUsage(status, refusal));
    }

    /// <summary>
    /// The provider took the request. If it refused before what the gateway alone asks for, that was the reason: the text of a refusal may
    /// be the caller's.
    /// </summary>
    public void WasTaken()
    {
        if (_isRefused && Turn is not null && !Translates)
            Thoughtless.Add(call.Caller.Credential.Project, call.Route);
    }

    bool IsKnownToRefuse => Turn is not null && Thoughtless.Contains(call.Caller.Credential.Project, call.Route);

    StreamRelay NewRelay()
    {
        var relay = Translates
            ? new TranslatedRelay(Translatable(_provider), Translatable(caller), Head, _names)
            : caller.NewRelay(request);
        relay.Secrets = Secrets;
        return Turn is { } turn ? turn.Relay(relay) : relay;
    }

    /// <summary>The one way in which a request becomes a provider's.</summary>
    /// <returns>The conversation is null when the body passes in the caller's wire.</returns>
    static (ReadOnlyMemory<byte> Body, Conversation? Said) Compose(
        Wire caller, Route route, ModelRequest request, ReadOnlyMemory<byte> body, long outputLimit, bool injectUsage, bool withThoughts)
    {
        var (model, provider) = (route.Model, Wires.Of(route.Upstream.Provider.Wire, caller)!);
        if ((request as ResponsesRequest)?.Turn is { } turn)
            (request, body) = turn.For(model.Provider, body, withThoughts);
        // The provider that takes over may have a smaller limit.
        var limit = model.MaxOutputTokens > 0 ? Math.Min(outputLimit, model.MaxOutputTokens) : outputLimit;
        if (provider == caller)
        {
            // Servers that imitate OpenAI may not know the member.
            var plainTier = route.Upstream.Provider.Wire != ProviderWire.OpenAiCompatible;
            var searches = request.Searches(model, passes: true) > 0;
            return (request.Rewrite(body, model.UpstreamModel, limit, injectUsage, searches, plainTier), null);
        }
        var said = ThoughtMark.For(route.Upstream.Provider, Translatable(caller).Understand(body.Span, request));
        return (Translatable(provider).Compose(said, model.UpstreamModel, limit, request.Stream), said);
    }

    /// <summary>
    /// False when the provider's wire cannot express the request. Such a provider is no fallback: nothing would be sent to it, and its
    /// refusal would stand in place of the failure of a provider that was asked.
    /// </summary>
    public static bool CanBeSaid(Wire caller, Route route, ModelRequest request, ReadOnlyMemory<byte> body, long outputLimit)
    {
        try
        {
            Compose(caller, route, request, body, outputLimit, injectUsage: false, withThoughts: true);
            return true;
        }
        catch (ProblemException)
        {
            return false;
        }
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

    /// <summary>Meters an answer that is no stream. A problem when it is none of the provider's wire or cannot be told.</summary>
    public Problem? SeeWhole(ReadOnlySpan<byte> answer)
    {
        var isAnswer = ((WholeMeter)Meter).See(answer);
        if (!Translates && isAnswer && !_whole!.UsageIsBelieved)
        {
            _whole = _provider.NewWholeMeter(request, counts: true);
            isAnswer = _whole.See(answer);
        }
        var failed = Translates && _whole!.ErrorSeen;
        if (isAnswer && !failed && !_whole!.IsEmpty)
            return null;
        var why = (_whole as EventMeter)?.ErrorMessage ?? UpstreamErrors.Words(answer);
        return why is null ? UpstreamErrors.Malformed : UpstreamErrors.Malformed with { Message = Secrets.Hide(why) };
    }

    /// <summary>The caller's form of an answer that is no stream.</summary>
    public ReadOnlyMemory<byte> Retell(ReadOnlyMemory<byte> answer, Usage settled, Money cost)
    {
        if (!Translates)
            return _whole!.ErrorSeen ? Secrets.Hide(answer.Span) : answer;
        var told = new ArrayBufferWriter<byte>(answer.Length);
        var events = ((EventMeter)_whole!).Whole.ToList();
        ThoughtMark.Name(events, call.Route.Model.Provider);
        _names?.Restore(events);
        Writer.WriteWhole(events, settled, cost, told);
        return told.WrittenMemory;
    }

    public void Dispose() => _relay?.Dispose();
}
