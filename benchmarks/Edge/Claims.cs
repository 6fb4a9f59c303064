using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Edge;

/// <summary>
/// <c>./dev bench claims</c>: what a claim of many lines costs the proxy more than one of one line, and how many look at their balance.
/// </summary>
static class Claims
{
    /// <summary>As in <c>edge.seed.json</c>.</summary>
    const string Planned = "llm_gw_bench_planned_0123456789_abcdefghijklmnopqrstuvwxyz",
        Backend = "sk_live_bench0000000000000000000000000000000000000";

    public static async Task RunAsync(Gateway gateway, bool quick)
    {
        var plan = quick ? Plan.Quick : Plan.Thorough;
        await Comparison.WithScenariosAsync(async (scenarios, _) =>
        {
            await using var mock = await Rig.StartMockAsync();
            await using var yarp = await Rig.StartYarpAsync();
            await using var full = await Rig.StartFullAsync(gateway);
            var one = scenarios.Json32;
            var many = one with { Name = "1 KB JSON, claim of five lines and two sources", Key = Planned };
            var balance = one with
            {
                Name = "GET /v1/wallet/balance", BodyFile = "", Path = "/v1/wallet/balance", Key = await MintAsync(full),
            };
            await Comparison.WarmAsync([mock, yarp, full], scenarios, plan.WarmSeconds);
            foreach (var scenario in (Scenario[])[many, balance])
                await Load.RunAsync(full, scenario, Math.Max(1, plan.WarmSeconds / 3));

            (Scenario Scenario, Target Target)[] rows = [(one, yarp), (one, full), (many, full), (balance, full)];
            var samples = rows.ToDictionary(row => row, _ => new List<Sample>());
            for (var run = 0; run < plan.Runs; run++)
                foreach (var row in rows)
                    samples[row].Add(await Comparison.MeasureAsync(row.Target, row.Scenario, plan));
            var results = new Results();
            foreach (var (row, runs) in samples)
                results[row.Scenario, row.Target.Name] = Sample.Median(runs);
            Report.PrintHead();
            foreach (var scenario in (Scenario[])[one, many, balance])
                Report.Print(results, scenario);
            Print(results.Of(one, Rig.Yarp), results.Of(one, Rig.Full), results.Of(many, Rig.Full), results.Of(balance, Rig.Full));
        });
    }

    static void Print(Sample yarp, Sample one, Sample many, Sample balance)
    {
        Goal[] goals =
        [
            new("CPU per request, a claim of five lines and two sources ÷ one line", 1.25, 1.1, More: false,
                [many.CpuPerRequest / one.CpuPerRequest]),
            new("balance look-ups/s ÷ bare YARP's requests/s", 0.5, 0.8, More: true, [balance.PerSecond / yarp.PerSecond],
                balance.IsLimit && yarp.IsLimit),
        ];
        Goal.Print(goals);
        Console.WriteLine("\n✓✓ reached, ✓ at least, ✗ missed; * a proxy was not the limit of its throughput.");
    }

    /// <summary>A session of the customer that the other rows call for: backends have no balance.</summary>
    static async Task<string> MintAsync(Target proxy)
    {
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{proxy.Port}") };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Backend);
        using var body = new StringContent("""{"customer":"limited"}""", Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync("/v1/sessions", body);
        var text = await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync();
        using var json = JsonDocument.Parse(text);
        return json.RootElement.GetProperty("sessionToken").GetString()!;
    }
}
