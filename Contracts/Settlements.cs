using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmGateway.Contracts;

/// <summary>A batch of finished requests on its way from a proxy's spool to the ledger, over RabbitMQ.</summary>
/// <param name="Lines">One <see cref="Settlement"/> a line, the bytes as they stand in the spool: what was written once is not written again to be sent.</param>
/// <param name="GoneHolder">A proxy that died: these are its last settlements, and what its leases still hold goes back to the registers after them.</param>
public sealed record SettlementBatch(byte[] Lines, string? GoneHolder = null)
{
    /// <summary>Settlements in one message, at most.</summary>
    public const int MaxSettlements = 500;

    public const string Queue = "wallet-settlements";
}

/// <summary>
/// What a finished request really used. Exactly once by <see cref="RequestId"/>: a repetition changes nothing.
/// </summary>
/// <param name="Lease">The lease that holds the request's reservation; null when nothing was to be charged.</param>
/// <param name="Charges">Actual amount per register of the lease; the rest of the hold stays with the lease until it is returned.</param>
public sealed record Settlement(Guid RequestId, Guid? Lease, IReadOnlyList<Amount> Charges, UsageRecord Usage)
{
    /// <summary>As one line of JSON, its line feed included.</summary>
    public void WriteLine(IBufferWriter<byte> to)
    {
        using (var json = new Utf8JsonWriter(to))
            JsonSerializer.Serialize(json, this, SettlementJson.Default.Settlement);
        to.Write("\n"u8);
    }

    /// <summary>Throws <see cref="JsonException"/> when the line is no settlement.</summary>
    public static Settlement ReadLine(ReadOnlySpan<byte> line) =>
        JsonSerializer.Deserialize(line, SettlementJson.Default.Settlement) ?? throw new JsonException("null is no settlement");
}

/// <summary>Generated, because every request passes through it; what is null is left out.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true,
    RespectNullableAnnotations = true, NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(Settlement))]
sealed partial class SettlementJson : JsonSerializerContext;

/// <summary>How a request ended.</summary>
public enum RequestOutcome
{
    /// <summary>Answered to its end.</summary>
    Completed = 0,
    /// <summary>The caller left, or its credential was revoked; charged for what was delivered.</summary>
    Aborted = 1,
    /// <summary>The provider broke off after content had been delivered; charged for that.</summary>
    Interrupted = 2,
    /// <summary>No content was delivered; not charged.</summary>
    Failed = 3,
}

/// <summary>The durable record of one request, one row for each, failures included.</summary>
/// <param name="Cost">Computed from meters and price version, nano-dollars; what is charged may be less, never more.</param>
/// <param name="Estimated">The counts are ours because the provider's were missing or impossible.</param>
/// <param name="Reason">Why estimated, capped or failed; null when there is nothing to say.</param>
/// <param name="RawUsage">The provider's usage object as received, at most 4 KB.</param>
public sealed record UsageRecord(
    Guid Organization, Guid Project, Guid? Customer, Guid Credential, Guid? Family, bool Test,
    string Endpoint, string Model, string Provider, string UpstreamModel, Guid? PriceVersion, bool Stream,
    DateTimeOffset StartedAt, int DurationMs, int? FirstByteMs, int Status, RequestOutcome Outcome,
    IReadOnlyList<long> Meters, Money Cost, bool Estimated, string? Reason, string? RawUsage);
