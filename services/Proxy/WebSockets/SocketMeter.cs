using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;

namespace LlmGateway.Proxy;

/// <summary>
/// Counts what passes through a WebSocket, both ways, by its route's expression. That reads no words, so it can be asked at any moment what
/// has passed so far.
/// </summary>
/// <param name="facts">What is known of the handshake.</param>
public sealed class SocketMeter(CustomRoute route, MeteringExpression expression, Facts facts)
{
    readonly ResponseCollector _answer = new(expression.Needs);
    long _requestBytes, _requestMessages, _responseMessages;

    /// <summary>Most units that are held at once.</summary>
    public long Most => route.Bound(expression.Constant) ?? 0;

    /// <param name="isAnswer">It comes from the provider.</param>
    /// <param name="begins">A message begins with it. What has begun is counted, because it may never end.</param>
    public void Push(bool isAnswer, ReadOnlySpan<byte> piece, bool begins)
    {
        var messages = begins ? 1 : 0;
        if (isAnswer)
        {
            _answer.Push(piece);
            _responseMessages += messages;
            return;
        }
        _requestBytes += piece.Length;
        _requestMessages += messages;
    }

    /// <summary>Units of all that has passed.</summary>
    public Measurement SoFar() => expression.Measure(facts with
    {
        RequestBytes = _requestBytes, RequestMessages = _requestMessages, ResponseMessages = _responseMessages, Response = _answer.SoFar,
    });

    /// <summary>What a part of it is settled with.</summary>
    /// <param name="units">At most <see cref="Most"/>.</param>
    /// <param name="failure">Why the expression says no number; then the units are those of an answer for which it fails.</param>
    public MeterReading Read(long units, string? failure = null) => new(
        route.Unit == CustomRoute.Tokens ? new() { [Meter.Output] = units, [Meter.Request] = 1 } : new() { [Meter.Request] = units },
        failure is not null, failure, null);

    /// <inheritdoc cref="CustomRoute.Unmeasured"/>
    public long Unmeasured => route.Unmeasured(expression.Constant);

    /// <summary>What limits of requests count.</summary>
    public long Requests(long units) => route.Unit == CustomRoute.Tokens ? 1 : units;
}
