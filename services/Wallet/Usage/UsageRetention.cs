using LlmGateway.ServiceDefaults;

namespace LlmGateway.Wallet;

/// <summary>How long a month of the usage log is kept after its end.</summary>
/// <param name="Usage">Of what each request was charged for; null keeps it for ever.</param>
/// <param name="Raw">Of what its provider said.</param>
public sealed record UsageRetention(TimeSpan? Usage, TimeSpan Raw)
{
    /// <summary>A batch may come to its end and be corrected for thirty days; a settlement may have waited for a proxy's return.</summary>
    const int LeastDays = 35;

    static readonly TimeSpan RawByDefault = TimeSpan.FromDays(30);

    public static UsageRetention Read(WebApplicationBuilder builder) => new(
        builder.Days("Wallet:UsageRetention", LeastDays),
        builder.Days("Wallet:RawUsageRetention", atLeast: 1) ?? RawByDefault);
}
