using System.Diagnostics;
using System.Globalization;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>
/// How fast payments and what is told of them are: <c>./dev bench payments</c>. They depend on the machine, so nothing is asserted but that
/// all of it happens. docs/benchmarks.md says how each is measured.
/// </summary>
[Collection(nameof(Payments))]
public sealed class PaymentFigures
{
    /// <summary>What orders the short form, in the environment.</summary>
    const string Variable = "FIGURES";

    /// <param name="TopUps">Paid, <see cref="AtOnce"/> at a time.</param>
    /// <param name="Seconds">For which events are told.</param>
    /// <param name="Queued">Events that wait before a worker begins.</param>
    sealed record Sizes(int TopUps, int Seconds, int Queued)
    {
        public static Sizes Now => Environment.GetEnvironmentVariable(Variable) == "short" ? new(16, 3, 2_000) : new(400, 60, 100_000);
    }

    const int AtOnce = 4, EventsPerSecond = 200, Tellers = 4, Callers = 32;

    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2), DrainPause = TimeSpan.FromMilliseconds(100),
        Patience = TimeSpan.FromMinutes(10), StripeTime = TimeSpan.FromSeconds(5);

    readonly List<string> _rows = [];

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Payments_and_what_is_told_of_them()
    {
        var sizes = Sizes.Now;
        await TopUpsAsync(sizes.TopUps);
        await FirstAttemptsAsync(sizes.Seconds);
        foreach (var endpoints in (int[])[1, 20])
            await DrainAsync(sizes.Queued, endpoints);
        await StripeAsync();
        Console.WriteLine($"\n| figure | target | this run |\n|---|---:|---:|\n{string.Join('\n', _rows)}");
    }

    void Row(string figure, string target, double value) => _rows.Add(string.Create(
        CultureInfo.InvariantCulture, $"| {figure} | {target} | {value:#,0} |"));

    /// <summary>From the sandbox's delivery of held events to the first balance that shows the money.</summary>
    async Task TopUpsAsync(int count)
    {
        var times = new List<double>();
        await Purchase.OrderAsync("/webhooks", """{"hold":true}""");
        try
        {
            while (times.Count < count)
            {
                var purchases = await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => PayAsync()));
                var released = Stopwatch.GetTimestamp();
                await Purchase.OrderAsync("/webhooks/release");
                times.AddRange(await Task.WhenAll(purchases.Select(purchase => SpendableAsync(purchase, released))));
            }
        }
        finally
        {
            await Purchase.OrderAsync("/webhooks");
        }
        Row($"webhook of a top-up to spendable balance, ms, p99 of {times.Count}", "≤ 1 000", Quantile(times, 0.99));
        Row("the same, p50", "", Quantile(times, 0.5));

        static async Task<Purchase> PayAsync()
        {
            var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
            (await purchase.PayAsync()).MustBe(200);
            return purchase;
        }

        static async Task<double> SpendableAsync(Purchase purchase, long released)
        {
            while ((await purchase.User.OwnBalanceAsync()).MustBe(200).Json.Text("balance") == "0")
            {
                Assert.True(Stopwatch.GetElapsedTime(released) < Patience, "the credit of a top-up");
                await Task.Delay(Pause, Token);
            }
            return Stopwatch.GetElapsedTime(released).TotalMilliseconds;
        }
    }

    /// <summary>Events of 50 customers in each teller's hand, as they come from the queue.</summary>
    async Task FirstAttemptsAsync(int seconds)
    {
        await using var webhooks = await OwnWebhooks.StartAsync();
        await using var listener = await WebhookListener.StartAsync();
        await webhooks.AddEndpointAsync(listener.Url);
        await webhooks.AddWorkerAsync();
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Tellers).Select(_ => TellAsync()));
        var perSecond = EventsPerSecond * seconds / Stopwatch.GetElapsedTime(started).TotalSeconds;
        await webhooks.BecomesAsync($"{EventsPerSecond * seconds} 1", Patience);

        foreach (var (quantile, target) in (IEnumerable<(double, string)>)[(0.99, "≤ 2 000"), (0.5, "")])
            Row(
                string.Create(CultureInfo.InvariantCulture, $"event to first attempt at {perSecond:F0} events/s, ms, p{quantile * 100:F0}"),
                target, await MillisecondsAsync(webhooks, quantile));

        async Task TellAsync()
        {
            var customers = Enumerable.Range(0, 50).Select(_ => Ids.New()).ToArray();
            for (var i = 0; i < EventsPerSecond / Tellers * seconds; i++)
            {
                await webhooks.TellAsync(1, customers[i % customers.Length], first: 1 + i / customers.Length);
                var ahead = TimeSpan.FromSeconds((i + 1) * (double)Tellers / EventsPerSecond) - Stopwatch.GetElapsedTime(started);
                if (ahead > TimeSpan.Zero)
                    await Task.Delay(ahead, Token);
            }
        }

        static async Task<double> MillisecondsAsync(OwnWebhooks webhooks, double quantile) => double.Parse(
            (await webhooks.RowsAsync("""
                select (percentile_cont($1) within group (order by extract(epoch from at - created) * 1000))::text
                from attempt join delivery on id = delivery
                """, quantile)).Single(),
            CultureInfo.InvariantCulture);
    }

    async Task DrainAsync(int events, int endpoints)
    {
        await using var webhooks = await OwnWebhooks.StartAsync();
        await using var listener = await WebhookListener.StartAsync();
        for (var i = 0; i < endpoints; i++)
            await webhooks.AddEndpointAsync($"{listener.Url}/{i}");
        await webhooks.RunAsync("""
            with told as (
                insert into event (id, subject, sequence, project, test, type, created, body)
                select gen_random_uuid(), md5((n % 200)::text)::uuid, n / 200 + 1, $1, false, 'wallet.credited', now(),
                    '{"id":"evt_x","type":"wallet.credited","created":"2026-11-27T15:41:52Z","apiVersion":"2026-11-01",'
                        || '"data":{"customerId":"cus_x"},"sequence":1}'
                from generate_series(0, $2 - 1) n returning id, subject, sequence)
            insert into delivery (event, endpoint, subject, sequence, next_at)
            select id, (select e.id from endpoint e order by e.id offset sequence % $3 limit 1), subject, sequence, now() from told
            """, webhooks.Caller.Project, events, endpoints);
        await webhooks.RunAsync("analyze");
        var started = Stopwatch.GetTimestamp();
        await webhooks.AddWorkerAsync();
        // Counting all of them again and again would be most of the database's work.
        while ((await webhooks.RowsAsync("select exists (select from delivery where state = 0)")).Single() == "True")
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < Patience, "the end of a queue");
            await Task.Delay(DrainPause, Token);
        }
        var perSecond = events / Stopwatch.GetElapsedTime(started).TotalSeconds;
        await webhooks.BecomesAsync($"{events} 1");
        Row($"queued events to {endpoints} {(endpoints == 1 ? "endpoint" : "endpoints")}, per second, of {events}", "≥ 500", perSecond);
    }

    /// <summary>In a world of its own, made and confirmed in one call.</summary>
    async Task StripeAsync()
    {
        const string form =
            "amount=1000&currency=usd&confirm=true&payment_method=pm_card_bypassPending&allowed_payment_method_types[]=card";
        var (key, count, started) = ($"sk_test_{Ids.New():N}", 0, Stopwatch.GetTimestamp());
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(async _ =>
        {
            while (Stopwatch.GetElapsedTime(started) < StripeTime)
            {
                var request = Gateway.Request("POST", "/v1/payment_intents", key, at: Stack.Stripe);
                request.Headers.Add("Idempotency-Key", Ids.New().ToString());
                request.Content = new StringContent(form, null, "application/x-www-form-urlencoded");
                Assert.Equal("succeeded", (await Gateway.SendAsync(request)).MustBe(200).Json.Text("status"));
                Interlocked.Increment(ref count);
            }
        }));
        Row("payments/s of the sandbox's Stripe", "≥ 300", count / Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    static double Quantile(List<double> values, double quantile) =>
        values.Order().ElementAt((int)Math.Ceiling(quantile * values.Count) - 1);
}
