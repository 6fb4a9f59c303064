using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// A provider's usage object as disjoint meters. Providers report overlapping counts and sometimes nonsense. An impossible object is not
/// used. An odd one is used by a fixed rule, which <see cref="Reason"/> names.
/// </summary>
/// <param name="Usage">Null when the object cannot be believed. The request is then counted locally.</param>
/// <param name="Reason">One of the constants, or null when the object is sound.</param>
/// <param name="Raw">The object as received; null when it is longer than <see cref="MaxRawBytes"/>.</param>
public sealed record ProviderUsage(Usage? Usage, string? Reason, string? Raw)
{
    /// <summary>Longest object that is kept as received. Usual ones have about 300 bytes.</summary>
    public const int MaxRawBytes = 4096;

    /// <summary>
    /// Largest count that is believed. No context is near it, and a price of up to a dollar a token cannot overflow on it.
    /// </summary>
    public const long MaxTokens = 1_000_000_000;

    /// <summary>A count is no integer, or there is no object at all. The usage is not believed.</summary>
    public const string Malformed = "usage_malformed";
    /// <summary>A count is below zero. The usage is not believed.</summary>
    public const string Negative = "usage_negative";
    /// <summary>A count is above <see cref="MaxTokens"/>. The usage is not believed.</summary>
    public const string Absurd = "usage_absurd";
    /// <summary>There is no input, though every request has some, or no output where content was seen. The usage is not believed.</summary>
    public const string Zero = "usage_zero";
    /// <summary>There was no usage object.</summary>
    public const string Missing = "usage_missing";
    /// <summary>
    /// A detail is larger than its whole. The usage is believed without the detail, so that its tokens cost the plain rate.
    /// </summary>
    public const string DetailsExceedWhole = "usage_details_exceed_whole";
    /// <summary>
    /// The total exceeds its parts, and no other count of the object explains why. The difference is counted as reasoning output, which
    /// Gemini's "OpenAI compatible" wire leaves out.
    /// </summary>
    public const string TotalExceedsParts = "usage_total_exceeds_parts";
    /// <summary>The total is smaller than its parts. The parts count.</summary>
    public const string TotalBelowParts = "usage_total_below_parts";

    /// <summary>Reads the counts that a wire's table names. The wire then splits them into meters. This never throws.</summary>
    /// <param name="fields">Where each count stands. A count with several places takes the largest: servers that know several dialects
    /// write zero where another member has the truth.</param>
    /// <returns>Null when the counts are possible, else what to settle with.</returns>
    internal static ProviderUsage? ReadCounts(ReadOnlySpan<byte> json, UsageField[] fields, Span<long> counts, out string? raw)
    {
        raw = json.Length <= MaxRawBytes ? Encoding.UTF8.GetString(json) : null;
        counts.Clear();
        try
        {
            var reader = new Utf8JsonReader(json);
            reader.Read();
            if (!TryRead(ref reader, "", fields, counts) || reader.Read())
                return new(null, Malformed, raw);
        }
        catch (JsonException)
        {
            return new(null, Malformed, raw);
        }
        foreach (var count in counts)
        {
            if (count < 0)
                return new(null, Negative, raw);
            if (count > MaxTokens)
                return new(null, Absurd, raw);
        }
        return null;
    }

    /// <summary>
    /// Moves a detail from the meter of its whole to its own meter. Details may overlap. The first one then keeps the tokens.
    /// </summary>
    /// <param name="whole">The count that the detail is part of.</param>
    /// <param name="reason">Set to <see cref="DetailsExceedWhole"/>, if it is still null, when the detail is larger than its whole. Nothing
    /// is moved then.</param>
    internal static void Move(Usage usage, Meter from, Meter to, long count, long whole, ref string? reason)
    {
        if (count > whole)
        {
            reason ??= DetailsExceedWhole;
            return;
        }
        var moved = Math.Min(count, usage[from]);
        usage[from] -= moved;
        usage[to] += moved;
    }

    /// <summary>False when this is no object or a known count is no integer.</summary>
    static bool TryRead(ref Utf8JsonReader reader, string section, UsageField[] fields, scoped Span<long> counts)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (reader.NextMember())
        {
            var (details, field) = Find(ref reader, section, fields);
            reader.Read();
            if (reader.TokenType == JsonTokenType.Null)
                continue;
            if (details is not null && !TryRead(ref reader, details, fields, counts))
                return false;
            if (field >= 0)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var count))
                    return false;
                counts[field] = Math.Min(count, counts[field]) < 0 ? -1 : Math.Max(count, counts[field]);
            }
            if (details is null)
                reader.StepOver();
        }
        return true;
    }

    /// <summary>Sections stand in the object itself. No known count is deeper.</summary>
    static (string? Details, int Count) Find(ref Utf8JsonReader reader, string section, UsageField[] fields)
    {
        foreach (var field in fields)
        {
            if (field.Section == section && reader.Has(field.Name))
                return (null, field.Count);
            if (section.Length == 0 && field.Section.Length > 0 && reader.Has(field.SectionName))
                return (field.Section, -1);
        }
        return (null, -1);
    }
}

/// <summary>The place of a count in a usage object. Without a section it stands in the object itself, else in that detail.</summary>
sealed class UsageField(string section, string name, int count)
{
    public readonly string Section = section;
    public readonly byte[] SectionName = Encoding.UTF8.GetBytes(section);
    public readonly byte[] Name = Encoding.UTF8.GetBytes(name);
    public readonly int Count = count;
}
