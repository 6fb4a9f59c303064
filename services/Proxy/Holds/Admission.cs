using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// The rules of stage 5 as pure functions. They give the hold that a request needs, the output that its hold pays for, and the problem for
/// a refusal.
/// </summary>
public static class Admission
{
    /// <summary>
    /// A wallet that cannot pay for the whole output limits it to what it can pay. It must be able to pay for this many tokens, or for all
    /// that were asked for if those are fewer, because an answer of three words helps nobody.
    /// </summary>
    public const long MinOutput = 16;

    /// <summary>The least amount that each register must hold, and the amount that it should hold.</summary>
    public static (long[] Minimum, long[] Full) Vector(IReadOnlyList<RegisterRef> registers, UpperBound bound, long outputLimit)
    {
        var minimum = bound.Cost(Math.Min(outputLimit, MinOutput));
        var full = bound.Cost(outputLimit);
        var (minimums, fulls) = (new long[registers.Count], new long[registers.Count]);
        for (var i = 0; i < registers.Count; i++)
        {
            if (registers[i].Unit is not (Unit.Usd or Unit.UsdLimit))
                throw new InvalidOperationException(
                    $"register {registers[i].Id:N} has unit {registers[i].Unit}, which requests are not charged in");
            (minimums[i], fulls[i]) = (minimum, full);
        }
        return (minimums, fulls);
    }

    /// <summary>The output that every register of the hold can pay for.</summary>
    public static long Affordable(Hold hold, UpperBound bound, long outputLimit)
    {
        foreach (var amount in hold.Amounts)
            outputLimit = Math.Min(outputLimit, bound.AffordableOutput(amount));
        return outputLimit;
    }

    /// <summary>
    /// What a request of this cost takes from each register of its hold. It takes the same amount from all, at most the smallest held one.
    /// So a provider that exceeds its limit takes neither more than the wallet's hold nor more than the session's cap.
    /// </summary>
    public static long Payable(long[] held, long cost) => held.Length == 0 ? cost : Math.Min(cost, held.Min());

    public static Problem ProblemOf(LeaseRefusal refusal, IReadOnlyList<RegisterRef> registers, long needed)
    {
        var kind = registers.First(register => register.Id == refusal.Register).Kind;
        return refusal.Reason switch
        {
            LeaseRefusalReason.Frozen => Problems.WalletFrozen,
            LeaseRefusalReason.Exhausted when kind == AccountKind.SessionCap =>
                Problems.SessionCap(
                    $"This request may cost {new Money(needed)} USD and the session may still spend {new Money(refusal.Available)} USD."),
            LeaseRefusalReason.Exhausted =>
                Problems.WalletExhausted(
                    $"This request may cost {new Money(needed)} USD and the wallet has {new Money(refusal.Available)} USD available."),
            _ => Problems.Unavailable,
        };
    }
}
