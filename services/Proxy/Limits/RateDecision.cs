using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>One limit as it stands.</summary>
/// <param name="Unit"><c>requests</c> or <c>tokens</c>.</param>
public readonly record struct RateWindow(string Unit, long Limit, long Remaining, int ResetSeconds, int RetryAfterSeconds);

/// <summary>The limits after a request.</summary>
/// <param name="Problem">What the caller is told when the request is refused. Null when it may go on.</param>
public sealed record RateDecision(RateWindow[] Windows, Problem? Problem)
{
    /// <summary>
    /// Tokens that the request took of the customer's minute. A correction starts from this number and not from the estimate: giving back
    /// more than was taken would let the next requests pass for nothing.
    /// </summary>
    public long TakenTokens { get; init; }

    /// <param name="needed">What the request needs of the window that refuses it.</param>
    public static RateDecision Refused(RateWindow[] windows, RateWindow exceeded, long needed, DateTimeOffset now) => new(
        windows,
        Problems.RateLimited(
            $"The customer's limit of {exceeded.Limit} {exceeded.Unit} per minute is reached. Try again in {exceeded.RetryAfterSeconds} s.",
            exceeded.RetryAfterSeconds) with
        {
            Limit = new(
                LimitLine.Customer, exceeded.Unit, $"{exceeded.Limit - exceeded.Remaining}", $"{exceeded.Limit}",
                $"{needed - exceeded.Remaining}", now.AddSeconds(exceeded.ResetSeconds)),
        });
}
