using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>How events are to be delivered from now on.</summary>
sealed record DeliveryOrder
{
    /// <summary>How often each event is delivered.</summary>
    public int Repeat { get; init; } = 1;

    /// <summary>Kept back until they are released.</summary>
    public bool Hold { get; init; }

    /// <summary>Seconds of the world's clock before the first attempt.</summary>
    public long Delay { get; init; }

    /// <summary>How many of the following deliveries are lost without an attempt; the schedule tries those again.</summary>
    public int Drop { get; init; }

    /// <summary>Which events these orders are for. Null is all.</summary>
    public IReadOnlyList<string>? Types { get; init; }
}

/// <summary>One event for one endpoint.</summary>
sealed class Delivery(Account account, JsonObject endpoint, JsonObject e)
{
    public Account Account => account;

    public JsonObject Endpoint => endpoint;

    public JsonObject Event => e;

    public int Attempts { get; set; }

    public bool IsDone { get; set; }
}

/// <summary>
/// What of one world's events is still to be delivered: at least once, in no promised order, in three attempts over the hours of the
/// world's
/// clock. All access is under the world's lock but <see cref="Wake"/>.
/// </summary>
sealed class Deliveries(World world, Outbox outbox)
{
    const int Most = 100_000;

    /// <summary>Seconds between attempts.</summary>
    static readonly long[] Pauses = [60 * 60, 2 * 60 * 60];

    readonly List<Delivery> held = [];
    readonly Queue<Delivery> ready = new();
    int running;

    public DeliveryOrder Order { get; set; } = new();

    public int Held => held.Count;

    /// <summary>Deliveries that are attempted now or as soon as a connection is free.</summary>
    public int Open => ready.Count + running;

    public void Add(Account account, JsonObject e)
    {
        var type = e.Text("type")!;
        foreach (var endpoint in world.Platform.Oldest("webhook_endpoint").Where(endpoint => Wants(endpoint, account, type)))
        {
            var order = Order.Types?.Contains(type) == false ? new() : Order;
            if (held.Count + ready.Count + order.Repeat > Most)
            {
                throw Refusal.Invalid($"The sandbox keeps at most {Most} deliveries.");
            }
            e["pending_webhooks"] = e.Long("pending_webhooks") + 1;
            var delivery = new Delivery(account, endpoint, e);
            if (order.Drop > 0)
            {
                Order = Order with { Drop = Order.Drop - 1 };
                delivery.Attempts++;
                Again(delivery);
                continue;
            }
            for (var i = 0; i < order.Repeat; i++)
            {
                Start(delivery, order);
            }
        }
    }

    /// <summary>Sends one event again, as the dashboard's button does.</summary>
    /// <returns>To how many endpoints.</returns>
    public int Resend(Account account, JsonObject e)
    {
        var wanted = world.Platform.Oldest("webhook_endpoint").Where(endpoint => Wants(endpoint, account, e.Text("type")!)).ToList();
        foreach (var endpoint in wanted)
        {
            ready.Enqueue(new(account, endpoint, e) { IsDone = true });
        }
        return wanted.Count;
    }

    public int Release(bool shuffled)
    {
        var all = held.ToArray();
        held.Clear();
        if (shuffled)
        {
            Random.Shared.Shuffle(all);
        }
        foreach (var delivery in all)
        {
            ready.Enqueue(delivery);
        }
        return all.Length;
    }

    /// <summary>Forgets what is held. The events themselves stay.</summary>
    public int Lose()
    {
        var lost = held.Count;
        held.Clear();
        return lost;
    }

    public void Wake() => outbox.Wake(world);

    public bool HasReady => ready.Count > 0;

    /// <summary>The next delivery to attempt. It has to be ended.</summary>
    public Delivery? Next()
    {
        while (ready.TryDequeue(out var delivery))
        {
            if (delivery.Endpoint.Text("status") == "enabled"
                && world.Platform.Find("webhook_endpoint", delivery.Endpoint.Id()) is not null)
            {
                running++;
                delivery.Attempts++;
                return delivery;
            }
        }
        return null;
    }

    public void End(Delivery delivery, bool hasArrived)
    {
        running--;
        if (hasArrived && !delivery.IsDone)
        {
            delivery.IsDone = true;
            delivery.Event["pending_webhooks"] = Math.Max(0, delivery.Event.Long("pending_webhooks") - 1);
        }
        else if (!hasArrived)
        {
            Again(delivery);
        }
    }

    void Start(Delivery delivery, DeliveryOrder order)
    {
        if (order.Hold)
        {
            held.Add(delivery);
        }
        else if (order.Delay > 0)
        {
            world.Clock.After(order.Delay, () => ready.Enqueue(delivery));
        }
        else
        {
            ready.Enqueue(delivery);
        }
    }

    void Again(Delivery delivery)
    {
        if (!delivery.IsDone && delivery.Attempts <= Pauses.Length)
        {
            world.Clock.After(Pauses[delivery.Attempts - 1], () => ready.Enqueue(delivery));
        }
    }

    static bool Wants(JsonObject endpoint, Account account, string type) =>
        endpoint.Text("status") == "enabled"
        && endpoint.Is("_connect") != account.IsPlatform
        && endpoint.Items("enabled_events").Any(pattern => Events.Matches(pattern.GetValue<string>(), type));
}
