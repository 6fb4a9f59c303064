namespace LlmGateway.EndToEnd;

/// <summary>Time that passes by itself and by leaps. Timers do not see them.</summary>
sealed class LeapingTime : TimeProvider
{
    long _leapt;

    /// <summary>A leap with every look at it.</summary>
    public TimeSpan Step { get; init; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
    {
        Leap(Step);
        return System.GetElapsedTime(0).Ticks + Interlocked.Read(ref _leapt);
    }

    public void Leap(TimeSpan time) => Interlocked.Add(ref _leapt, time.Ticks);
}
