namespace LlmGateway.Billing;

/// <summary>An amount by whose it is: the wallet's, the developer's, the platform's. Nano-dollars.</summary>
public readonly record struct Parts(long Net, long Margin, long Fee)
{
    public long Sum => Net + Margin + Fee;

    public static Parts operator +(Parts a, Parts b) => new(a.Net + b.Net, a.Margin + b.Margin, a.Fee + b.Fee);

    public static Parts operator -(Parts a, Parts b) => new(a.Net - b.Net, a.Margin - b.Margin, a.Fee - b.Fee);

    public static Parts operator -(Parts a) => default(Parts) - a;

    /// <summary>
    /// The parts of a part of the whole, in proportion. They sum up to it, and all of it is the whole: rounding is of sums, so no nano is
    /// left over whatever amounts come one after the other.
    /// </summary>
    public Parts Of(long part)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(part);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(part, Sum);
        var net = (long)((Int128)Net * part / Sum);
        var mine = (long)((Int128)(Net + Margin) * part / Sum);
        return new(net, mine - net, part - mine);
    }
}
