using System.Diagnostics;
using System.Globalization;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>How fast a queue drains, and how soon what happens is tried. Measured by hand: what it prints depends on the machine.</summary>
public sealed class DispatchSpeedTests : OnOwnWebhooks
{
    [Theory(Explicit = true)]
    [InlineData(100_000, 1)]
    [InlineData(100_000, 20)]
    public async Task A_queue_drains(int events, int endpoints)
    {
        for (var i = 0; i < endpoints; i++)
            await _webhooks.AddEndpointAsync($"{_listener.Url}/{i}");
        await _webhooks.RunAsync("""
            with told as (
                insert into event (id, subject, sequence, project, test, type, created, body)
                select gen_random_uuid(), md5((n % 200)::text)::uuid, n / 200 + 1, $1, false, 'wallet.credited', now(),
                    '{"id":"evt_x","type":"wallet.credited","created":"2026-11-27T15:41:52Z","apiVersion":"2026-11-01",'
                        || '"data":{"customerId":"cus_x"},"sequence":1}'
                from generate_series(0, $2 - 1) n returning id, subject, sequence)
            insert into delivery (event, endpoint, subject, sequence, next_at)
            select id, (select e.id from endpoint e order by e.id offset sequence % $3 limit 1), subject, sequence, now() from told
            """, _webhooks.Caller.Project, events, endpoints);
        await _webhooks.RunAsync("analyze");
        var started = Stopwatch.GetTimestamp();
        await _webhooks.AddWorkerAsync();

        await _webhooks.BecomesAsync($"{events} 1", TimeSpan.FromMinutes(10));

        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{events} events to {endpoints} endpoints in {seconds:F1} s: {events / seconds:F0}/s"));
    }

    [Fact(Explicit = true)]
    public async Task Two_hundred_events_a_second_are_tried_soon()
    {
        const int PerSecond = 200, Seconds = 20;
        for (var i = 0; i < 4; i++)
            await _webhooks.AddEndpointAsync($"{_listener.Url}/{i}");
        await _webhooks.AddWorkerAsync();
        var customers = Enumerable.Range(0, 50).Select(_ => Ids.New()).ToArray();
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < PerSecond * Seconds / 4; i++)
        {
            // Each is told four times.
            await _webhooks.TellAsync(1, customers[i % customers.Length], first: 1 + i / customers.Length);
            var ahead = TimeSpan.FromSeconds((i + 1) * 4d / PerSecond) - Stopwatch.GetElapsedTime(started);
            if (ahead > TimeSpan.Zero)
                await Task.Delay(ahead, Token);
        }

        await _webhooks.BecomesAsync($"{PerSecond * Seconds} 1");

        Console.WriteLine(string.Join("\n", await _webhooks.RowsAsync("""
            select 'first attempt after ms: p50, p99, most',
                percentile_cont(array[0.5, 0.99, 1]) within group (order by extract(epoch from at - created) * 1000)::text
            from attempt join delivery on id = delivery
            """)));
    }
}
