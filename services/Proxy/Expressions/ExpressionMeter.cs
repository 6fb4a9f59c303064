using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using KeptResponse = LlmGateway.Contracts.Expressions.KeptResponse;

namespace LlmGateway.Proxy.Expressions;

/// <summary>
/// Meters one response by its route's expression. The bytes are pushed as they pass, in any pieces; what the expression does not need is
/// not kept. Usage is read beside it, so that a response is settled even when its expression fails.
/// </summary>
/// <param name="isStream">The response is a stream of server-sent events.</param>
/// <param name="wire">The wire of the route's provider, where it is known. Otherwise the answer says it.</param>
/// <param name="needsTokens">
/// Tokens must be known also when the expression fails. Without that, usage is read where it is asked for.
/// </param>
public sealed class ExpressionMeter(
    MeteringExpression expression, bool isStream, ConversationWire? wire = null, bool needsTokens = true) : IDisposable
{
    readonly ResponseCollector _collector = new(expression.Needs);
    readonly AnswerWatch? _watch = needsTokens || expression.Reads(Variables.Usage) ? new(isStream, wire) : null;
    KeptResponse? _kept;

    public void Push(ReadOnlySpan<byte> piece)
    {
        _collector.Push(piece);
        _watch?.Push(piece);
    }

    /// <summary>The provider's side has ended, or broke off. Nothing is pushed after that.</summary>
    public void End()
    {
        if (_kept is not null)
            return;
        _kept = _collector.End();
        _watch?.End();
    }

    /// <summary>What the expression says, after <see cref="End"/>. Never throws.</summary>
    /// <param name="request">What is known besides the response's body and its usage, which are added.</param>
    public Measurement Measure(Facts request) => Measure(request, out _);

    /// <inheritdoc cref="Measure(Facts)"/>
    /// <param name="steps">What it took of <see cref="MeteringExpression.MaxSteps"/>.</param>
    public Measurement Measure(Facts request, out long steps) =>
        expression.Measure(request with { Response = _kept ?? KeptResponse.Nothing, Usage = Told }, out steps);

    /// <summary>The provider's counts. Null where there are none that can be believed.</summary>
    public Usage? Told => _watch?.Meter?.Told?.Usage;

    /// <summary>What the expression says of as much as has come, for one that reads nothing of the answer but how much it is.</summary>
    /// <inheritdoc cref="Measure(Facts)"/>
    public Measurement MeasureSoFar(Facts request) => expression.Measure(request with { Response = _collector.SoFar });

    /// <summary>Our own counts of what has come. Null while the answer's wire is unknown.</summary>
    public MeterReading? Estimate(ReadOnlySpan<byte> requestBody, string reason) => _watch?.Meter?.Estimate(requestBody, reason);

    /// <summary>
    /// What to settle with when the expression has failed: the provider's counts, or our own, marked as estimated, with the expression's
    /// reason first.
    /// </summary>
    /// <returns>Null when the answer's wire is unknown, so that there are no tokens to count.</returns>
    public MeterReading? Fallback(Failure failure, ReadOnlySpan<byte> requestBody)
    {
        if (_watch?.Meter?.Settle(requestBody) is not { } reading)
            return null;
        return reading with { Reason = reading.Reason is null ? failure.Reason : $"{failure.Reason}, {reading.Reason}" };
    }

    public void Dispose() => _watch?.Dispose();
}
