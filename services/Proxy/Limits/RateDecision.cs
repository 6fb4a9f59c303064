using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>One limit as it stands.</summary>
/// <param name="Unit"><c>requests</c> or <c>tokens</c>.</param>
public readonly record struct RateWindow(string Unit, long Limit, long Remaining, int ResetSeconds, int RetryAfterSeconds);

/// <summary>The limits after a request, and the one that refuses it.</summary>
/// <param name="Exceeded">Null when the request may go on.</param>
public sealed record RateDecision(RateWindow[] Windows, RateWindow? Exceeded)
{
    /// <summary>
    /// Tokens that the request took of the customer's minute. A correction starts from this number and not from the estimate: giving back
    /// more than was taken would let the next requests pass for nothing.
    /// </summary>
    public long TakenTokens { get; init; }

    /// <summary>What the caller is told when the request is refused.</summary>
    public Problem? Problem => Exceeded is not { } window ? null : Problems.RateLimited(
        $"The customer's limit of {window.Limit} {window.Unit} per minute is reached. Try again in {window.RetryAfterSeconds} s.",
        window.RetryAfterSeconds);
}
