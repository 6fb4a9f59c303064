using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using LlmGateway.Proxy.Expressions;

namespace LlmGateway.Proxy;

/// <summary>
/// Meters an answer by its route's expression. Where that says no number, the provider's counts are believed, and without those our own are
/// taken and marked; it is never 1 because something failed.
/// </summary>
public sealed class RouteMeter(CustomRoute route, MeteringExpression expression, Facts facts, bool isStream) : HttpMeter
{
    /// <summary>Bytes that count as a token where nothing else is known of an answer.</summary>
    const int BytesPerToken = 4;

    /// <summary>Why an answer that broke off is not measured: a default of the expression would be taken for a count.</summary>
    const string Partial = "expression_partial_answer";

    readonly ExpressionMeter _meter = new(expression, isStream, needsTokens: route.Unit == CustomRoute.Tokens);

    long _bytes;
    long? _requests;

    public override long Requests => _requests ?? 1;

    public override long DeliveredTokens => route.Unit == CustomRoute.Tokens ? _bytes / BytesPerToken : 0;

    public override void Push(ReadOnlySpan<byte> piece)
    {
        _bytes += piece.Length;
        _meter.Push(piece);
    }

    public override MeterReading Settle(bool isWhole, string? reason = null)
    {
        if (!isWhole && reason is null)
            return Estimate(""); // the request goes on
        _meter.End();
        var measured = isWhole || !expression.ReadsAnswer ? _meter.Measure(facts) : new(null, new(Partial, 0, ""));
        var reading = measured.Units is { } units ? Units(units, isEstimated: false, null)
            : route.Unit == CustomRoute.Tokens ? Told(measured.Failure!)
            : Units(route.FallbackUnits, isEstimated: true, measured.Failure!.Reason);
        return reason is null ? reading : reading with { Reason = reading.Reason is null ? reason : $"{reading.Reason}, {reason}" };
    }

    /// <summary>By the provider's counts, or by our own.</summary>
    MeterReading Told(Failure failure) => _meter.Fallback(failure, facts.RequestBody.Span) is { } known
        ? Tokens(known)
        : Estimate(failure.Reason);

    static MeterReading Tokens(MeterReading known)
    {
        var usage = new Usage
        {
            [Meter.Input] = known.Usage.InputTokens, [Meter.Output] = known.Usage.OutputTokens, [Meter.Request] = 1,
        };
        return known with { Usage = usage };
    }

    MeterReading Estimate(string reason) => route.Unit == CustomRoute.Tokens
        ? MeterReading.OfCounts(facts.RequestBody.Length / BytesPerToken, (_bytes + BytesPerToken - 1) / BytesPerToken, reason, null)
        : Units(route.FallbackUnits, isEstimated: true, reason);

    MeterReading Units(long units, bool isEstimated, string? reason)
    {
        if (route.Unit == CustomRoute.Tokens)
            return new(new Usage { [Meter.Output] = units, [Meter.Request] = 1 }, isEstimated, reason, null);
        _requests = units;
        return new(new Usage { [Meter.Request] = units }, isEstimated, reason, null);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _meter.Dispose();
        base.Dispose(disposing);
    }
}
