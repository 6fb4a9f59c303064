using System.Globalization;

namespace LlmGateway.Edge;

/// <summary>
/// Whether memory grows: mixed load on our proxy and on bare YARP at the same time, minute by minute. They share a core, so that nothing
/// here is a figure of speed.
/// </summary>
static class Soak
{
    public static async Task RunAsync(Gateway gateway, int minutes)
    {
        var folder = Directory.CreateTempSubdirectory("llmgateway-soak-").FullName;
        try
        {
            var scenarios = Scenario.Prepare(folder);
            await using var mock = await Rig.StartMockAsync();
            await using var yarp = await Rig.StartYarpAsync();
            await using var full = await Rig.StartFullAsync(gateway);
            Target[] targets = [full, yarp];
            var sizes = new List<double[]>();
            Console.WriteLine("| minute | requests | full MB | YARP MB |\n|---:|---:|---:|---:|");
            for (var minute = 1; minute <= minutes; minute++)
            {
                var requests = await LoadAsync(targets, scenarios, seconds: 60);
                sizes.Add([.. targets.Select(target => target.ResidentBytes() / 1e6)]);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {minute} | {requests} | {sizes[^1][0]:F0} | {sizes[^1][1]:F0} |"));
            }
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"\nGrowth from minute 1 to minute {minutes}: full {Growth(0):P1}, YARP {Growth(1):P1}; "
                + $"target at most 15 %, reach for 5 %. Full ÷ YARP in the end: {sizes[^1][0] / sizes[^1][1]:F2}."));

            double Growth(int target) => sizes[^1][target] / sizes[0][target] - 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Every kind of load for an equal part of the time, on all at once.</summary>
    /// <returns>Requests answered by the first.</returns>
    static async Task<long> LoadAsync(Target[] targets, Scenario.Set scenarios, int seconds)
    {
        var requests = 0L;
        Scenario[] mix = [scenarios.Json256, scenarios.Large, scenarios.Burst, scenarios.Paced];
        foreach (var scenario in mix)
            requests += (await Task.WhenAll(targets.Select(target => Load.RunAsync(target, scenario, seconds / mix.Length))))[0].Requests;
        return requests;
    }
}
