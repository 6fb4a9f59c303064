namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// A time in seconds since 1970, and what is due on it. A world's clock runs with the machine's and can be set forward; a test clock stands
/// still unless it is advanced.
/// </summary>
/// <param name="running">The machine's time. Null when the clock stands still.</param>
sealed class Clock(TimeProvider? running, long start)
{
    const int MaxDue = 200_000, MaxSteps = 1_000_000;

    readonly PriorityQueue<Action, (long At, long Order)> due = new();
    long order;
    long shift;
    long? stopped = running is null ? start : null;

    public long Now => stopped ?? running!.GetUtcNow().ToUnixTimeSeconds() + shift;

    public int Waiting => due.Count;

    /// <summary>Does something when the time has come: with the next call, the next tick or within the advance that reaches it.</summary>
    public void At(long time, Action action)
    {
        if (due.Count >= MaxDue)
        {
            throw Refusal.Invalid($"The sandbox keeps at most {MaxDue} things that are to happen.");
        }
        due.Enqueue(action, (time, ++order));
    }

    public void After(long seconds, Action action) => At(Now + seconds, action);

    public void RunDue() => RunUntil(Now);

    /// <summary>Everything that is due on the way happens at its own time.</summary>
    public void AdvanceTo(long time)
    {
        RunUntil(time);
        if (running is null)
        {
            stopped = time;
        }
        else
        {
            shift += Math.Max(0, time - Now);
        }
    }

    void RunUntil(long time)
    {
        var before = stopped;
        for (var step = 0; step < MaxSteps && due.TryPeek(out var action, out var when) && when.At <= time; step++)
        {
            due.Dequeue();
            stopped = Math.Max(when.At, before ?? 0);
            try
            {
                action();
            }
            catch (Refusal)
            {
                // What was to happen has become impossible meanwhile, for example the refund of a charge that is disputed.
            }
        }
        stopped = before;
    }
}
