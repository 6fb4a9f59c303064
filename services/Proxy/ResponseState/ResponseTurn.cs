using System.Buffers;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>One request for a response: its id, and the conversation that is kept with the answer.</summary>
public sealed class ResponseTurn
{
    readonly ResponseStates _states;
    readonly Caller _caller;
    readonly Guid _id;
    readonly ToldResponse _told;

    // The whole conversation before the answer; null when the caller wants nothing kept.
    readonly IReadOnlyList<JsonElement>? _input;

    internal ResponseTurn(ResponseStates states, Caller caller, Guid id, string? previous, IReadOnlyList<JsonElement>? input) =>
        (_states, _caller, _id, _told, _input) = (states, caller, id, new(Ids.Show(Ids.Response, id), previous), input);

    public bool Stores => _input is not null;

    /// <summary>Where in the input thoughts stood that are nowhere.</summary>
    public IReadOnlyList<string> LeftOut { get; internal init; } = [];

    public StreamRelay Relay(StreamRelay relay) => new StateRelay(relay, _told, Stores);

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

    ValueTask<bool> KeepAsync(ReadOnlyMemory<byte> response, string provider) => _input is null || response.IsEmpty
        ? new(false)
        : new(_states.KeepAsync(_caller, _id, provider, _input, _told.Rewrite(response.Span, stored: true)));
}
