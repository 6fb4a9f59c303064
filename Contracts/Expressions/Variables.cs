namespace LlmGateway.Contracts.Expressions;

/// <summary>A name that an expression may use.</summary>
/// <param name="Kinds">What it may be.</param>
sealed record Variable(string Name, Kinds Kinds, Func<Evaluation, Value> Read);

/// <summary>The names of requests, responses and streams. Each expression may use all of them.</summary>
public static class Variables
{
    public static IEnumerable<string> Names => ByName.Keys;

    /// <summary>Read by <see cref="Readings"/>, as far as the expression needs them.</summary>
    internal const string AllData = "allData", LastChunk = "lastChunk", ResponseBody = "respBody";

    /// <summary>The provider's counts.</summary>
    public const string Usage = "usage";

    static readonly Variable[] All =
    [
        new("method", Kinds.Text, run => Value.Of(run.Facts.Method)),
        new("path", Kinds.Text, run => Value.Of(run.Facts.Path)),
        new("query", Kinds.Map, run => Value.OfTexts(run.Facts.Query)),
        new("headers", Kinds.Map, run => Value.OfTexts(run.Facts.Headers)),
        new("body", Kinds.Any, run => run.RequestJson),
        new("rawBody", Kinds.Text, run => run.RequestText),
        new("userID", Kinds.Text, run => Value.Of(run.Facts.UserId)),
        new("planID", Kinds.Text, run => Value.Of(run.Facts.PlanId)),
        new("keyID", Kinds.Text, run => Value.Of(run.Facts.KeyId)),
        new("requestBytes", Kinds.Number, run => Value.Of((decimal)run.Facts.RequestBody.Length)),
        new("status", Kinds.Number, run => Value.Of((decimal)run.Facts.Status)),
        new("respHeaders", Kinds.Map, run => Value.OfTexts(run.Facts.ResponseHeaders)),
        new("responseBytes", Kinds.Number, run => Value.Of((decimal)run.Facts.Response.Bytes)),
        new(Usage, Kinds.Map | Kinds.Null, run => run.Usage),

        // Readings takes these out of an expression before it is evaluated.
        new(ResponseBody, Kinds.Any, _ => Value.Null),
        new(AllData, Kinds.Text, _ => Value.Null),
        new(LastChunk, Kinds.Text, _ => Value.Null),
    ];

    internal static readonly Dictionary<string, Variable> ByName = All.ToDictionary(variable => variable.Name);

    /// <summary>
    /// The members of <c>usage</c>. Input and output are wholes, as on every provider's bill; the others say what of them is counted apart.
    /// </summary>
    public static readonly (string Name, Func<Usage, long> Count)[] UsageMembers =
    [
        ("input_tokens", usage => usage.InputTokens),
        ("output_tokens", usage => usage.OutputTokens),
        ("total_tokens", usage => usage.InputTokens + usage.OutputTokens),
        ("cached_input_tokens", usage => usage[Meter.CachedInput]),
        ("cache_write_tokens", usage => usage[Meter.CacheWrite5m] + usage[Meter.CacheWrite1h]),
        ("reasoning_tokens", usage => usage[Meter.Reasoning]),
        ("audio_input_tokens", usage => usage[Meter.AudioInput]),
        ("audio_output_tokens", usage => usage[Meter.AudioOutput]),
        ("image_input_tokens", usage => usage[Meter.ImageInput]),
        ("image_output_tokens", usage => usage[Meter.ImageOutput]),
        ("web_searches", usage => usage[Meter.WebSearch]),
    ];

    internal static Value OfUsage(Usage? usage) => usage is null
        ? Value.Null
        : Value.Of(UsageMembers.ToDictionary(member => member.Name, member => Value.Of((decimal)member.Count(usage))));
}
