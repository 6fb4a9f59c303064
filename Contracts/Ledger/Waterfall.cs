namespace LlmGateway.Contracts;

/// <summary>
/// How a request's payment is split over its sources, which stand in their order: a plan's quota, call credits, the wallet. The ledger
/// splits grants by it, the proxy holds and the bill.
/// </summary>
public static class Waterfall
{
    /// <summary>
    /// Takes from each source what it has, until the payment is covered. A source is passed only when it is used up or, if it pays whole,
    /// cannot pay all that is left. False when all together do not cover the payment.
    /// </summary>
    /// <param name="have">What each source has, in its own unit; never negative.</param>
    /// <param name="full">What each source would pay alone, in its own unit; never negative.</param>
    /// <param name="whole">A bit for each source that pays all that is left or nothing.</param>
    /// <param name="take">What each source pays, rounded up, so that never too little is held.</param>
    public static bool Take(ReadOnlySpan<long> have, ReadOnlySpan<long> full, ulong whole, Span<long> take)
    {
        take.Clear();
        Int128 rest = 1, of = 1; // the part of the payment that is left. It is at most 1, so the product fits.
        for (var k = 0; k < full.Length; k++)
        {
            var need = (long)((full[k] * rest + of - 1) / of);
            if (need <= have[k])
            {
                take[k] = need;
                return true;
            }
            take[k] = (whole >> k & 1) == 1 ? 0 : have[k];
            // What paid nothing must not round: three quarters of a payment would be a whole call credit, and the next one would pay all.
            if (take[k] > 0)
                (rest, of) = (need - take[k], full[k]);
        }
        return false;
    }

    /// <summary>
    /// What is owed in nano-dollars for a request that cost <paramref name="attos"/> when quota paid <paramref name="paid"/> of its
    /// <paramref name="tokens"/>: the unpaid part, rounded up once. It grows with the cost and with the tokens, so that what was held for
    /// their bounds suffices. Throws when it does not fit.
    /// </summary>
    public static long Due(Int128 attos, long tokens, long paid)
    {
        if (paid >= tokens)
            return 0;
        // Divided before it is multiplied: the whole product has 190 bits. Both parts are exact, and rounding up twice is rounding up once.
        var (each, remainder) = Int128.DivRem(attos, tokens);
        Int128 unpaid = tokens - paid;
        var owed = each * unpaid + (remainder * unpaid + tokens - 1) / tokens;
        return checked((long)Money.NanosOf(owed));
    }
}
