using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy.OneShots;

/// <summary>
/// Reads the usage of a transcription: <c>usage</c> in tokens or seconds, else the <c>duration</c> of a detailed answer. What the provider
/// leaves out is counted here, because the model may have a price for either.
/// </summary>
sealed class TranscriptionMeter(TranscriptionRequest request) : WholeMeter
{
    /// <summary>Tokens that OpenAI's models count for a second.</summary>
    const int TokensPerSecond = 10;

    enum Count { Input, Output, Audio }

    static readonly UsageField[] Fields =
    [
        new("", "input_tokens", (int)Count.Input), new("", "output_tokens", (int)Count.Output),
        new("input_token_details", "audio_tokens", (int)Count.Audio), new("input_tokens_details", "audio_tokens", (int)Count.Audio),
    ];

    TokenEstimate _words;
    Usage? _counted;

    public override long DeliveredTokens => _words.Tokens;

    public override bool UsageIsBelieved => Usage?.Usage is not null;

    public override bool IsEmpty => false;

    /// <inheritdoc/>
    /// <remarks>A caller who leaves before the answer pays for the sound.</remarks>
    public override MeterReading Estimate(ReadOnlySpan<byte> requestBody, string reason) =>
        new(_counted ?? Counted(request.Length.Likely), true, reason, Usage?.Raw);

    public override bool See(ReadOnlySpan<byte> answer)
    {
        if (request.AnswersText)
        {
            _words.Add(answer);
            _counted = Counted(request.Length.Likely);
            return true;
        }
        ReadOnlySpan<byte> usage = default;
        long? duration = null;
        try
        {
            var reader = new Utf8JsonReader(answer);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            while (reader.NextMember())
            {
                var (isText, isUsage, isDuration) = (reader.Has("text"u8), reader.Has("usage"u8), reader.Has("duration"u8));
                ErrorSeen |= reader.Has("error"u8);
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                if (isText && reader.TokenType == JsonTokenType.String)
                    _words.AddJson(reader.ValueSpan);
                if (isDuration)
                    duration = Seconds(ref reader);
                reader.StepOver();
                if (isUsage && reader.TokenType != JsonTokenType.Null)
                    usage = answer[start..(int)reader.BytesConsumed];
            }
            if (reader.Read() || ErrorSeen)
                return false;
        }
        catch (JsonException)
        {
            return false;
        }
        _counted = Counted(duration ?? request.Length.Likely);
        Usage = !usage.IsEmpty ? Reported(usage, _counted) : duration is not null ? new(_counted, null, null) : null;
        return true;
    }

    Usage Counted(long seconds) => new()
    {
        [Meter.AudioInput] = TokensPerSecond * seconds, [Meter.Output] = _words.Tokens, [Meter.Second] = seconds, [Meter.Request] = 1,
    };

    ProviderUsage Reported(ReadOnlySpan<byte> json, Usage counted)
    {
        Span<long> counts = stackalloc long[(int)Count.Audio + 1];
        if (ProviderUsage.ReadCounts(json, Fields, counts, out var raw) is { } unusable)
            return unusable;
        if (SecondsIn(json) is { } seconds)
            return new(Counted(seconds), null, raw);
        var input = counts[(int)Count.Input];
        if (input == 0)
            return new(null, ProviderUsage.Zero, raw);
        var usage = new Usage
        {
            [Meter.Input] = input, [Meter.Output] = counts[(int)Count.Output], [Meter.Second] = counted[Meter.Second], [Meter.Request] = 1,
        };
        string? reason = null;
        ProviderUsage.Move(usage, Meter.Input, Meter.AudioInput, counts[(int)Count.Audio], input, ref reason);
        return new(usage, reason, raw);
    }

    /// <summary>The <c>seconds</c> of an object that has been read once already.</summary>
    static long? SecondsIn(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.NextMember())
        {
            var isSeconds = reader.Has("seconds"u8);
            reader.Read();
            if (isSeconds)
                return Seconds(ref reader);
            reader.StepOver();
        }
        return null;
    }

    /// <summary>Rounds up to whole seconds. Null when the value is no duration.</summary>
    static long? Seconds(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.Number && reader.TryGetDecimal(out var seconds) && seconds is > 0 and <= ProviderUsage.MaxTokens
            ? (long)decimal.Ceiling(seconds)
            : null;
}
