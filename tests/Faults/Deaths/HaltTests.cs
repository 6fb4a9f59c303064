using System.Globalization;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>
/// Every service pauses and then fails at every failpoint, all in one life and under load. Nothing is lost or charged twice, nothing stays
/// held, and no service ends because of it.
/// </summary>
public sealed class HaltTests
{
    const string Delay = "delay", Error = "throw";

    /// <summary>
    /// No error is injected here: nothing can fail between the record in the mapped file and its place in the queue.
    /// </summary>
    const string NeverFails = "proxy.spool.appended";

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_service_that_stands_still_or_gets_an_error_at_any_point_loses_nothing_doubles_nothing_and_lives_on()
    {
        Stack.App.ForgetOrders();
        await Processes.HealthyAsync();
        var load = await Load.StartAsync(seed: 1);
        int[] lives;
        try
        {
            lives = await Task.WhenAll(Processes.Gateway.Select(GoThroughAsync));
        }
        finally
        {
            await load.StopAsync();
        }
        await load.CheckAsync();
        await Invariants.HoldAtRestAsync();
        Assert.Equal(lives, Processes.Gateway.Select(name => Stack.ProcessId(name)!.Value));
    }

    /// <summary>The process that has passed all its points.</summary>
    static async Task<int> GoThroughAsync(string name)
    {
        var (before, process) = (Processes.LogEnd(name), Stack.ProcessId(name)!.Value);
        var points = Points.All
            .Where(point => Points.Owner(point) == name.TrimEnd('2') && !Points.OnceInALife.Contains(point))
            .ToList();
        var armed = points.Select((point, i) => string.Create(
            CultureInfo.InvariantCulture,
            $"{point}:1:{Delay}=150{(point == NeverFails ? "" : $",{point}:{2 + i % 2}:{Error}")}"));
        await Processes.RestartAsync(name, Failpoint.Variable, string.Join(',', armed));
        await Processes.BackAsync(name, process);
        process = Stack.ProcessId(name)!.Value;
        await Eventually.GetAsync(
            () => Task.FromResult(Left()),
            left => left.Length == 0,
            $"the passage of {name} through all its points",
            Limit);
        return process;

        string[] Left()
        {
            var passed = Processes.Passages(name, before);
            return [.. points.Where(point => !passed.Contains($"{point}: {(point == NeverFails ? Delay : Error)}"))];
        }
    }
}
