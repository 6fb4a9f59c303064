namespace LlmGateway.Contracts;

/// <summary>What became of a request, by the id that its caller has. A management answer, and an answer of Wallet's to Sessions.</summary>
/// <param name="Key">The key, or the session with all that it was refreshed into.</param>
/// <param name="Cost">Of all attempts and corrections, as the three that follow.</param>
public sealed record BookedRequest(
    string Id, DateTimeOffset StartedAt, string? Customer, string Key, string Endpoint, string Model, bool Stream, RequestOutcome Outcome,
    Money Cost, Money Charged, Money Absorbed, Money Covered, IReadOnlyList<BookedAttempt> Attempts,
    IReadOnlyList<BookedCorrection> Corrections);

/// <param name="PriceVersion">As <c>GET /v1/models/{id}/prices</c> lists it.</param>
/// <param name="Meters">Those that counted something, by name.</param>
public sealed record BookedAttempt(
    string Id, string Provider, string UpstreamModel, Guid? PriceVersion, DateTimeOffset StartedAt, DateTimeOffset BookedAt, int DurationMs,
    int? FirstByteMs, int Status, RequestOutcome Outcome, bool Estimated, string? Reason, IReadOnlyDictionary<string, long> Meters,
    Money Cost, Money Charged, Money Absorbed, Money Covered, IReadOnlyList<PaidLine> PaidBy)
{
    /// <summary>
    /// What each meter costs, of which the sum, rounded up once, is the cost. Null where something else made it: the bound of a batch, a
    /// failure, a route with a price of its own.
    /// </summary>
    public IReadOnlyList<PricedMeter>? CostLines { get; init; }
}

/// <summary>What paid a part of an attempt, or what it was counted on.</summary>
/// <param name="Of">
/// <c>wallet</c>, <c>absorbed</c> (by the house), <c>covered</c> (by quota or credits, or free), or a kind of register.
/// </param>
/// <param name="Unit">Null of a register that is gone.</param>
/// <param name="Amount">USD as a decimal, or a count.</param>
public sealed record PaidLine(string Of, string? Unit, string Amount);

/// <param name="Charged">A difference, as the two that follow.</param>
public sealed record BookedCorrection(
    string Id, string Attempt, DateTimeOffset BookedAt, Guid PriceVersion, Money OldCost, Money NewCost, Money Charged, Money Absorbed,
    Money Covered);

/// <summary>A line of a request's bill.</summary>
/// <param name="Rate">USD per million units.</param>
/// <param name="Amount">USD, exact.</param>
public sealed record PricedMeter(string Meter, long Units, Rate Rate, string Amount)
{
    /// <summary>Decimals of a dollar that units times a rate may have.</summary>
    const int Decimals = 18;

    /// <summary>
    /// Each meter at its rate, by the rules of <see cref="Cost"/>; what is free has no line. Null when the sum is not that cost.
    /// </summary>
    /// <param name="meters">By name.</param>
    public static IReadOnlyList<PricedMeter>? Of(IReadOnlyDictionary<string, long> meters, Prices prices, Money cost)
    {
        var usage = new Usage();
        foreach (var (name, units) in meters)
            usage[Enum.Parse<Meter>(name, ignoreCase: true)] = units;
        var applicable = prices.ForInput(usage.InputTokens);
        var (lines, sum) = (new List<PricedMeter>(), (Int128)0);
        foreach (var (name, units) in meters)
        {
            if (applicable.RateOf(Enum.Parse<Meter>(name, ignoreCase: true)) is not { } rate)
                return null;
            if (rate.Picos == 0)
                continue;
            var attos = (Int128)units * rate.Picos;
            lines.Add(new(name, units, rate, DecimalText.Format(attos, Decimals)));
            sum += attos;
        }
        return Money.NanosOf(sum) == cost.Nanos ? lines : null;
    }
}
