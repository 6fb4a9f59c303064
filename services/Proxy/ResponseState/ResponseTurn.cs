using System.Buffers;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Responses;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>One request for a response: its id, and what is kept of it with the answer.</summary>
public sealed class ResponseTurn
{
    readonly ResponseStates _states;
    readonly Caller _caller;
    readonly Guid _id;
    readonly ToldResponse _told;
    readonly RequestBody _body;
    readonly ResponsesRequest _request;

    internal ResponseTurn(ResponseStates states, ModelCall call, string? previous, RequestBody body, ResponsesRequest request)
    {
        (_states, _caller, _id, _body, _request) = (states, call.Caller, call.Id, body, request);
        _told = new(Ids.Show(Ids.Response, call.Id), previous);
    }

    /// <summary>The caller wants the answer kept.</summary>
    public required bool Stores { get; init; }

    /// <summary>Where in the input thoughts stood that are nowhere.</summary>
    public required IReadOnlyList<string> LeftOut { get; init; }

    /// <summary>Who encrypted items of the input, by their places in it. What the caller brought has no maker.</summary>
    public required IReadOnlyDictionary<int, string> Makers { get; init; }

    public StreamRelay Relay(StreamRelay relay) => new StateRelay(relay, _told, Stores);

    /// <summary>
    /// The request as it is said to a provider: without what another one encrypted. It is asked for at each attempt, so that no way to a
    /// provider can leave it out.
    /// </summary>
    /// <param name="withThoughts">False leaves out all encrypted thoughts.</param>
    /// <exception cref="ProblemException">Nothing is left of the input.</exception>
    internal (ResponsesRequest Request, ReadOnlyMemory<byte> Body) For(string provider, ReadOnlyMemory<byte> body, bool withThoughts)
    {
        if (withThoughts && Makers.Values.All(maker => maker == provider))
            return (_request, body);
        using var json = JsonDocument.Parse(body);
        if (json.RootElement.Find("input") is not { ValueKind: JsonValueKind.Array })
            return (_request, body);
        var items = References.InputOf(json.RootElement).Where((item, index) =>
            Makers.GetValueOrDefault(index, provider) == provider
            && (withThoughts || !References.IsThought(item) || !References.IsSealed(item)));
        var said = Flattening.Rewrite(json.RootElement, items, isResolved: false);
        var request = ResponsesRequestReader.Read(said);
        request.Turn = this;
        return (request, said);
    }

    /// <summary>Keeps an answer that is no stream, and returns what the caller is told of it.</summary>
    /// <param name="provider">Who answered.</param>
    public async ValueTask<ReadOnlyMemory<byte>> TellAsync(ReadOnlyMemory<byte> response, string provider)
    {
        var stored = await KeepAsync(response, provider);
        return _told.Rewrite(response.Span, stored);
    }

    /// <summary>
    /// The same for the end of a stream. The caller gets it when the answer is kept, so that its next request finds it. What could not be
    /// kept is told as <c>"store": false</c>.
    /// </summary>
    public async ValueTask<ReadOnlyMemory<byte>> TellEndAsync(ReadOnlyMemory<byte> events, string provider)
    {
        var stored = await KeepAsync(ToldResponse.LastOf(events.Span), provider);
        var told = new ArrayBufferWriter<byte>(events.Length + 256);
        _told.RewriteEvents(events.Span, stored, told);
        return told.WrittenMemory;
    }

    ValueTask<bool> KeepAsync(ReadOnlyMemory<byte> response, string provider)
    {
        if (!Stores || response.IsEmpty)
            return new(false);
        var input = _body.Memory.Slice(_request.Input.Start, _request.Input.Length);
        return new(_states.KeepAsync(_caller, _id, provider, Makers, input, _told.Rewrite(response.Span, stored: true)));
    }
}
