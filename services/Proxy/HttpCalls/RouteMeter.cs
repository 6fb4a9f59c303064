using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using LlmGateway.Proxy.Expressions;

namespace LlmGateway.Proxy;

/// <summary>
/// Meters an answer by its route's expression. Where that says no number, the provider's counts are believed, and without those our own are
/// taken and marked; it is never 1 because something failed. Requests of which nothing is known are as many as were held: who calls can
/// make many an expression fail.
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
    Measurement? _soFar;

    public override long Requests => _requests ?? 1;

    /// <summary>What our own count says is written again as it grows.</summary>
    public override long DeliveredTokens =>
        route.Unit == CustomRoute.Tokens && expression.ReadsAnswer ? _bytes / BytesPerToken : 0;

    /// <summary>What the expression counts: to ask it is work, which is not done for each kilobyte.</summary>
    public override bool IsWrittenByTime => !expression.ReadsAnswer && expression.Constant is null;

    public override void Push(ReadOnlySpan<byte> piece)
    {
        _bytes += piece.Length;
        _meter.Push(piece);
    }

    public override MeterReading SoFar()
    {
        if (expression.ReadsAnswer)
            return route.Unit == CustomRoute.Tokens ? Estimate("") : Unmeasured(route.FallbackUnits ?? 0, "");
        // To read the request's body takes its time, and is done once.
        if (_soFar is null || !expression.ReadsRequestBody)
            _soFar = _meter.MeasureSoFar(facts);
        return _soFar.Units is { } units ? Units(units, isEstimated: false, null)
            : route.Unit == CustomRoute.Tokens ? Estimate("")
            : Unmeasured(route.FallbackUnits ?? 0, "");
    }

    public override MeterReading Settle(bool isWhole, string? reason = null, bool hasLeft = false)
    {
        _meter.End();
        var measured = isWhole || !expression.ReadsAnswer ? _meter.Measure(facts) : new(null, new(Partial, 0, ""));
        var reading = measured.Units is { } units ? Units(units, isEstimated: false, null)
            : route.Unit == CustomRoute.Tokens ? Told(measured.Failure!)
            // What a provider broke off, and what nobody has seen, is not the caller's doing.
            : Unmeasured(
                isWhole || hasLeft ? route.Unmeasured(expression.Constant) : route.FallbackUnits ?? 0, measured.Failure!.Reason);
        return reason is null ? reading : reading with { Reason = reading.Reason is null ? reason : $"{reading.Reason}, {reason}" };
    }

    /// <summary>By the provider's counts, or by our own.</summary>
    MeterReading Told(Failure failure) => _meter.Fallback(failure, facts.RequestBody.Span) is { } known
        ? Tokens(known)
        : Estimate(failure.Reason);

    /// <summary>By the counts of the answer's wire, and where that is unknown by its length.</summary>
    MeterReading Estimate(string reason) => _meter.Estimate(facts.RequestBody.Span, reason) is { } counted
        ? Tokens(counted)
        : Tokens(MeterReading.OfCounts(
            facts.RequestBody.Length / BytesPerToken, (_bytes + BytesPerToken - 1) / BytesPerToken, reason, rawUsage: null));

    MeterReading Tokens(MeterReading known)
    {
        var usage = TokensOf(known.Usage.InputTokens, known.Usage.OutputTokens);
        return Billed(known with { Usage = usage }, usage.InputTokens + usage.OutputTokens);
    }

    static Usage TokensOf(long input, long output)
    {
        input = Math.Min(input, CustomRoute.MostUnits);
        return new() { [Meter.Input] = input, [Meter.Output] = Math.Min(output, CustomRoute.MostUnits - input), [Meter.Request] = 1 };
    }

    /// <summary>It is one request of every limit, also where it is worth nothing.</summary>
    MeterReading Unmeasured(long units, string reason)
    {
        var reading = Units(units, isEstimated: true, reason);
        _requests = Math.Max(1, units);
        return reading;
    }

    MeterReading Units(long units, bool isEstimated, string? reason)
    {
        units = Math.Min(units, CustomRoute.MostUnits);
        if (route.Unit == CustomRoute.Tokens)
            return Billed(new(TokensOf(0, units), isEstimated, reason, null), units);
        _requests = units;
        return Billed(new(new Usage { [Meter.Request] = units }, isEstimated, reason, null), units);
    }

    /// <summary>What is beyond the bound is counted, and costs no money: sums of what an expression may say would not be money.</summary>
    MeterReading Billed(MeterReading reading, long units) =>
        route.Price is { } price && route.Bound(expression.Constant) is { } most && units > most
            ? reading with
            {
                Bound = UpperBound.OfRequests(most, price).Cost(0),
                Reason = reading.Reason is null ? ModelCall.Capped : $"{reading.Reason}, {ModelCall.Capped}",
            }
            : reading;

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _meter.Dispose();
        base.Dispose(disposing);
    }
}
