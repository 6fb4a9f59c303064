using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>
/// What a top-up costs and brings (contract §5). The card pays the amount and the platform's fee on it; the wallet gets the amount without
/// the developer's markup, rounded down to the nano-dollar; the developer gets the rest of the amount.
/// </summary>
/// <param name="Amount">What the customer asked for, nano-dollars.</param>
/// <param name="Parts">What the card pays.</param>
public sealed record Quote(long Amount, Parts Parts)
{
    public const long NanosPerCent = Money.NanosPerUsd / 100;

    public static readonly Money Least = Money.Usd(5), Most = Money.Usd(5000);

    const int Million = 1_000_000;

    public long Cents => Parts.Sum / NanosPerCent;

    /// <param name="amount">In whole cents, from <see cref="Least"/> to <see cref="Most"/>.</param>
    /// <param name="markupPpm">The developer's markup on what the wallet gets, parts per million.</param>
    /// <param name="feePpm">The platform's fee on the amount, parts per million.</param>
    public static Quote Of(Money amount, long markupPpm, long feePpm)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(markupPpm);
        ArgumentOutOfRangeException.ThrowIfNegative(feePpm);
        var net = (long)((Int128)amount.Nanos * Million / (Million + markupPpm));
        return new(amount.Nanos, new(net, amount.Nanos - net, FeeOf(amount, feePpm)));
    }

    /// <summary>What makes the total one of whole cents, half a cent rounded up.</summary>
    static long FeeOf(Money amount, long feePpm)
    {
        var exact = (Int128)amount.Nanos * feePpm;
        const long cent = NanosPerCent * Million;
        return (long)((exact + cent / 2) / cent) * NanosPerCent;
    }

    /// <summary>What is wrong with an amount that somebody wants to buy; null when nothing is.</summary>
    public static Problem? Refuse(Money amount) =>
        amount.Nanos < Least.Nanos || amount.Nanos > Most.Nanos ? Invalid($"'amount' must be from {Least} to {Most} USD.")
        : amount.Nanos % NanosPerCent != 0 ? Invalid("'amount' must have at most two decimals.")
        : null;

    static Problem Invalid(string message) => Problems.Invalid("amount", message);
}
