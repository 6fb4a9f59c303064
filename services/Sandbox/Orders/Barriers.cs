namespace LlmGateway.Sandbox;

/// <summary>
/// Calls to <c>*-barrier</c> models wait here, by group, until a test lets them go. The server's connections bound the number of waiting
/// calls. A group exists only while a call waits in it. A release frees the calls that wait now, and later calls wait for the next one.
/// </summary>
public sealed class Barriers
{
    readonly Lock @lock = new();
    readonly Dictionary<string, Gate> gates = [];

    public async Task WaitAsync(string group, CancellationToken callerLeft)
    {
        Gate gate;
        lock (@lock)
        {
            if (!gates.TryGetValue(group, out gate!))
            {
                gates[group] = gate = new();
            }
            gate.Waiting++;
        }
        try
        {
            await gate.Opened.Task.WaitAsync(callerLeft);
        }
        catch (OperationCanceledException)
        {
            Leave(group, gate);
            throw;
        }
    }

    /// <summary>How many calls wait in a group, or in all groups for null.</summary>
    public int Waiting(string? group)
    {
        lock (@lock)
        {
            return Chosen(group).Sum(chosen => chosen.Value.Waiting);
        }
    }

    /// <summary>Frees the calls that wait in a group, or in all groups for null. Returns how many they were.</summary>
    public int Release(string? group)
    {
        lock (@lock)
        {
            var released = 0;
            foreach (var (name, gate) in Chosen(group))
            {
                released += gate.Waiting;
                gates.Remove(name);
                gate.Opened.SetResult();
            }
            return released;
        }
    }

    void Leave(string group, Gate gate)
    {
        lock (@lock)
        {
            gate.Waiting--;
            if (gate.Waiting == 0 && gates.GetValueOrDefault(group) == gate)
            {
                gates.Remove(group);
            }
        }
    }

    KeyValuePair<string, Gate>[] Chosen(string? group) => [.. gates.Where(gate => group is null || gate.Key == group)];

    sealed class Gate
    {
        public TaskCompletionSource Opened { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Waiting { get; set; }
    }
}
