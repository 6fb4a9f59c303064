namespace LlmGateway.Billing;

/// <summary>
/// What of an invoice's taxes goes back with a part of its total. Nobody here computes a tax: it is divided as Stripe has computed it.
/// </summary>
public static class TaxParts
{
    /// <summary>
    /// The lines of what goes back between two sums, in whole cents. Of all parts of an invoice they sum up to its own lines, whatever
    /// parts come one after the other; no line is below 0, and together they are within the part.
    /// </summary>
    /// <param name="total">The invoice's, nano-dollars.</param>
    /// <param name="from">What has gone back before, nano-dollars.</param>
    /// <param name="to">With this part.</param>
    public static IReadOnlyList<TaxLine> Between(IReadOnlyList<TaxLine> taxes, long total, long from, long to)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        ArgumentOutOfRangeException.ThrowIfLessThan(to, from);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(to, total);
        var (before, after) = (CentsOf(taxes, total, from), CentsOf(taxes, total, to));
        return [.. taxes.Select((tax, i) => tax with { Amount = new((after[i] - before[i]) * Quote.NanosPerCent) })];
    }

    /// <summary>
    /// Cents of each line that go back with so much of the total. Their sum is in proportion, rounded down; each cent of it is given to the
    /// line that is furthest behind, so that no line ever loses one again (Webster's method).
    /// </summary>
    static long[] CentsOf(IReadOnlyList<TaxLine> taxes, long total, long part)
    {
        var whole = taxes.Sum(tax => tax.Amount.Nanos / Quote.NanosPerCent);
        var given = new long[taxes.Count];
        for (var left = (long)((Int128)whole * part / total); left > 0; left--)
        {
            var behind = 0;
            for (var i = 1; i < given.Length; i++)
                if ((Int128)taxes[i].Amount.Nanos * (2 * given[behind] + 1) > (Int128)taxes[behind].Amount.Nanos * (2 * given[i] + 1))
                    behind = i;
            given[behind]++;
        }
        return given;
    }
}
