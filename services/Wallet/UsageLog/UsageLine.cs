using System.Globalization;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Wallet;

/// <summary>What a line of the usage log is. An attempt is a request that another provider went on with.</summary>
public enum LineType { Request = 0, Attempt = 1, Correction = 2 }

/// <summary>Where a line stands in the log. Lines are in the order of booking; an id decides between those of one moment.</summary>
public readonly record struct LinePlace(DateTimeOffset BookedAt, Guid Id)
{
    /// <summary>Behind all lines, so that a list of the newest begins there.</summary>
    public static readonly LinePlace End = new(DateTimeOffset.MaxValue, Guid.AllBitsSet);
}

/// <summary>
/// One line of the usage log: a row of it, or a correction. Whatever sums of usage say is the sum of such lines.
/// </summary>
/// <param name="Id">Of the row (<c>req_…</c>), or of the correction's movement (<c>txn_…</c>).</param>
/// <param name="Request">The id that the caller of the request knows.</param>
/// <param name="At">When it counts, see <see cref="BookedUsage.Moment"/>.</param>
/// <param name="Key">The key, or the session with all that it was refreshed into.</param>
/// <param name="DurationMs">Of a correction zero, as its tokens.</param>
/// <param name="Cost">Of a correction a difference, as the three that follow.</param>
public sealed record UsageLine(
    string Id, LineType Type, string Request, DateTimeOffset At, DateTimeOffset BookedAt, DateTimeOffset StartedAt, string? Customer,
    string Key, string Endpoint, string Model, string Provider, string UpstreamModel, bool Stream, int Status, RequestOutcome Outcome,
    int DurationMs, int? FirstByteMs, long InputTokens, long OutputTokens, Money Cost, Money Charged, Money Absorbed, Money Covered,
    bool Estimated, string? Reason, Guid? PriceVersion)
{
    [JsonIgnore]
    public LinePlace Place { get; init; }

    /// <summary>What the line adds to sums.</summary>
    [JsonIgnore]
    public RollupSums Sums => new(
        Type == LineType.Request ? 1 : 0,
        Type == LineType.Request && Outcome == RequestOutcome.Failed ? 1 : 0,
        Type == LineType.Correction ? 0 : 1,
        InputTokens, OutputTokens, Cost.Nanos, Charged.Nanos, Absorbed.Nanos, Covered.Nanos, 0);

    /// <summary>The names of <see cref="Cells"/>, which are those of the members in JSON.</summary>
    public static readonly string[] Columns =
    [
        "id", "type", "request", "at", "bookedAt", "startedAt", "customer", "key", "endpoint", "model", "provider", "upstreamModel",
        "stream", "status", "outcome", "durationMs", "firstByteMs", "inputTokens", "outputTokens", "cost", "charged", "absorbed",
        "covered", "estimated", "reason", "priceVersion",
    ];

    [JsonIgnore]
    public string?[] Cells =>
    [
        Id, Name(Type), Request, Csv.Of(At), Csv.Of(BookedAt), Csv.Of(StartedAt), Customer, Key, Endpoint, Model, Provider, UpstreamModel,
        Text(Stream), Text(Status), Name(Outcome), Text(DurationMs), FirstByteMs is { } first ? Text(first) : null, Text(InputTokens),
        Text(OutputTokens), Cost.ToString(), Charged.ToString(), Absorbed.ToString(), Covered.ToString(), Text(Estimated), Reason,
        PriceVersion?.ToString(),
    ];

    /// <summary>As in JSON.</summary>
    public static string Name<TEnum>(TEnum value)
        where TEnum : struct, Enum => value.ToString().ToLowerInvariant();

    static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    static string Text(bool value) => value ? "true" : "false";
}
