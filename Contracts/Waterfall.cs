namespace LlmGateway.Contracts;

/// <summary>How the sources of a payment line share it. The ledger grants by it, and a proxy holds and charges by it.</summary>
public static class Waterfall
{
    /// <summary>
    /// Takes from the sources in their order, from each as much as it has of the part that is unpaid. False when all together do not cover
    /// the line; what each has was taken then.
    /// </summary>
    /// <param name="have">What each source can give, 0 or more.</param>
    /// <param name="full">What each would pay if it paid everything alone, in its own unit.</param>
    /// <param name="whole">One bit for each source that pays everything that is left or nothing.</param>
    /// <param name="take">Receives what each pays.</param>
    public static bool Take(ReadOnlySpan<long> have, ReadOnlySpan<long> full, ulong whole, Span<long> take)
    {
        take.Clear();
        // The unpaid part of the line, as a fraction.
        Int128 rest = 1, of = 1;
        for (var k = 0; k < full.Length; k++)
        {
            // Rounded up, so that never too little is taken.
            var need = (long)(((full[k] * rest) + of - 1) / of);
            if (need <= have[k])
            {
                take[k] = need;
                return true;
            }
            take[k] = (whole >> k & 1) == 1 ? 0 : have[k];
            (rest, of) = (need - take[k], full[k]);
        }
        return false;
    }
}
