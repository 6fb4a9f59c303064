namespace LlmGateway.Faults;

/// <summary>What a service says of itself at one moment; see <see cref="StartupHook"/>.</summary>
sealed class Gauges(Dictionary<string, long> values, long resident)
{
    /// <summary>Bytes that a full collection leaves.</summary>
    public long Heap => values["heap"];

    /// <summary>What the system counts as this process's memory, files that it has mapped included.</summary>
    public long Resident => resident;

    /// <summary>Everything that the service has answered, health checks included.</summary>
    public long Answers => values.Where(value => value.Key.Contains(" /", StringComparison.Ordinal)).Sum(value => value.Value);

    public static Gauges Of(string service) => new(StartupHook.Ask(Stack.ProcessId(service)!.Value), Processes.ResidentBytes(service));

    /// <summary>Of a route, such as <c>POST /internal/credentials</c>, or of a gauge. What was never counted is 0.</summary>
    public long this[string name] => values.GetValueOrDefault(name);
}
