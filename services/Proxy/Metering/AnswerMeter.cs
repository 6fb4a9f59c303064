using LlmGateway.Contracts;
using LlmGateway.Proxy.Chat;

namespace LlmGateway.Proxy;

/// <summary>
/// Watches an answer pass and keeps what settling needs. That is the provider's usage, and our own count in case the usage is missing or
/// impossible. It never throws, because even a broken answer must be settled.
/// </summary>
public abstract class AnswerMeter
{
    long? _inputTokens;

    /// <summary>Content was delivered that the user can read or run, or thoughts that the provider bills.</summary>
    public bool ContentSeen { get; protected set; }

    /// <summary>The last usage object that was complete, or the last one that was seen if none was.</summary>
    public ProviderUsage? Usage { get; protected set; }

    /// <summary>There is a usage object, it is possible, and it does not contradict the content.</summary>
    public virtual bool UsageIsBelieved => Usage?.Usage is { } usage && !(ContentSeen && MeterReading.OutputOf(usage) == 0);

    /// <summary>Nothing was delivered and nothing was used. Such an answer is no answer, whatever its status.</summary>
    public virtual bool IsEmpty => !ContentSeen && !UsageIsBelieved;

    /// <summary>An error object was seen.</summary>
    public bool ErrorSeen { get; protected set; }

    /// <summary>The reason why the answer ended, translated to OpenAI's words. Null while it has not ended.</summary>
    public virtual string? FinishReason => null;

    /// <summary>Our count of the output tokens so far, over all answers.</summary>
    public abstract long DeliveredTokens { get; }

    /// <summary>The provider's own searches of the web that were seen so far.</summary>
    public virtual int Searches => 0;

    /// <summary>The provider's counts; null when they cannot be believed.</summary>
    public MeterReading? Told => UsageIsBelieved ? new(WithSearches(Usage!.Usage!), false, WithTier(Usage.Reason), Usage.Raw) : null;

    /// <summary>The provider served another tier than the one that has a price; see <see cref="Chat.ServiceTier"/>.</summary>
    protected virtual bool HasUnpricedTier => false;

    string? WithTier(string? reason) =>
        !HasUnpricedTier ? reason : reason is null ? ServiceTier.Unpriced : $"{reason}, {ServiceTier.Unpriced}";

    /// <summary>The wire's usage counts the searches itself.</summary>
    protected virtual bool UsageHasSearches => true;

    Usage WithSearches(Usage told)
    {
        if (UsageHasSearches || Searches == 0)
            return told;
        var usage = Contracts.Usage.From(told.ToArray());
        usage[Meter.WebSearch] = Searches;
        return usage;
    }

    /// <summary>
    /// Takes a usage object. Each is one set of running totals, so the last one counts. An impossible one, or one without the output that
    /// an earlier one had, is a placeholder and replaces nothing.
    /// </summary>
    protected void SeeUsage(ProviderUsage seen)
    {
        var isPlaceholder = Usage?.Usage is { } before
            && (seen.Usage is null || (MeterReading.OutputOf(seen.Usage) == 0 && MeterReading.OutputOf(before) > 0));
        if (!isPlaceholder)
            Usage = seen;
    }

    /// <summary>
    /// The reading to settle with. It has the provider's counts if they can be believed. Otherwise it has our own counts of the request's
    /// texts and of what was delivered, and is marked as estimated.
    /// </summary>
    /// <param name="requestBody">The caller's request, with what it refers to in it.</param>
    public MeterReading Settle(ReadOnlySpan<byte> requestBody)
    {
        return Told ?? Estimate(
            requestBody, Usage switch { null => ProviderUsage.Missing, { Usage: null } => Usage.Reason!, _ => ProviderUsage.Zero });
    }

    /// <summary>Our own counts, for a request that ended before its usage came.</summary>
    /// <remarks>
    /// A meter belongs to one request, whose body is counted once. A stream asks at each checkpoint, on a thread that serves other
    /// connections, too.
    /// </remarks>
    public virtual MeterReading Estimate(ReadOnlySpan<byte> requestBody, string reason) => MeterReading.OfCounts(
        _inputTokens ??= TokenEstimate.OfRequest(requestBody), DeliveredTokens, WithTier(reason)!, Usage?.Raw, Searches);
}
