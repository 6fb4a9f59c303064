namespace LlmGateway.Contracts;

/// <summary>
/// What can be counted and priced. Meters are disjoint: each token is in exactly one of them, whatever overlaps the provider reports. The
/// numbers are stored in usage records; never renumber.
/// </summary>
public enum Meter
{
    Input = 0, CachedInput = 1, CacheWrite5m = 2, CacheWrite1h = 3, Output = 4, Reasoning = 5,
    AudioInput = 6, AudioOutput = 7, ImageInput = 8, ImageOutput = 9, Characters = 10,
    Request = 11, Image = 12, Second = 13, WebSearch = 14,
}

/// <summary>Counts by meter. All counts are zero or more: readers of provider answers refuse negative ones.</summary>
public sealed class Usage
{
    public const int Meters = 15;

    readonly long[] _units = new long[Meters];

    public long this[Meter meter]
    {
        get => _units[(int)meter];
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _units[(int)meter] = value;
        }
    }

    /// <summary>The counts in the order of <see cref="Meter"/>, as stored and sent.</summary>
    public IReadOnlyList<long> Units => _units;

    /// <inheritdoc cref="Units"/>
    public long[] ToArray() => [.. _units];

    public static Usage From(ReadOnlySpan<long> units)
    {
        var usage = new Usage();
        for (var i = 0; i < Math.Min(units.Length, Meters); i++)
            usage[(Meter)i] = units[i];
        return usage;
    }
}
