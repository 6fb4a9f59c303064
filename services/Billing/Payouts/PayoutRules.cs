using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>What may be paid out. It follows from what the ledger says was earned, in whole cents.</summary>
public static class PayoutRules
{
    public static readonly Money Least = Money.Usd(1), Most = Money.Usd(1_000_000);

    /// <summary>What could be paid out; never below 0.</summary>
    public static Money Shown(ProjectMargin margin) => new(Math.Max(0, margin.Margin));

    /// <summary>What was paid out and then taken back from customers; never below 0.</summary>
    public static Money Owed(ProjectMargin margin) => new(Math.Max(0, checked(-margin.Margin)));

    /// <summary>In cents: all that was earned, without the last part of a cent.</summary>
    public static long All(ProjectMargin margin) => Shown(margin).Nanos / Quote.NanosPerCent;

    /// <summary>What is wrong with an amount, whatever was earned; null when nothing is.</summary>
    public static Problem? Refuse(string name, Money? amount) => amount is not { } asked ? null
        : asked.Nanos < Least.Nanos || asked.Nanos > Most.Nanos ? Problems.Invalid(name, $"'{name}' must be from {Least} to {Most} USD.")
        : asked.Nanos % Quote.NanosPerCent != 0 ? Problems.Invalid(name, $"'{name}' must have at most two decimals.")
        : null;

    /// <summary>The cents of a payout, or why there is none.</summary>
    /// <param name="asked">Null: all.</param>
    public static (long Cents, Problem? Problem) Payable(ProjectMargin margin, Money? asked)
    {
        var (all, most) = (All(margin), Most.Nanos / Quote.NanosPerCent);
        var least = Least.Nanos / Quote.NanosPerCent;
        if (Owed(margin) is { Nanos: > 0 } owed)
            return (0, Invalid($"There is no 'amount' to be paid out: {owed} USD that were paid out have gone back to customers since."));
        if (asked is { } amount && amount.Nanos / Quote.NanosPerCent is var cents)
            return cents <= all
                ? (cents, null)
                : (0, Invalid($"'amount' is {amount} USD, and {new Money(all * Quote.NanosPerCent)} USD can be paid out."));
        return all < least ? (0, Invalid(
            $"There is no 'amount' to be paid out: {Shown(margin)} USD were earned, and the least that is paid out is {Least} USD."))
            : (Math.Min(all, most), null);
    }

    /// <summary>The cents that are to be paid out by themselves now; 0 when none are.</summary>
    public static long Due(ProjectMargin margin, long thresholdCents) =>
        All(margin) >= thresholdCents ? Payable(margin, null).Cents : 0;

    static Problem Invalid(string message) => Problems.Invalid("amount", message);
}
