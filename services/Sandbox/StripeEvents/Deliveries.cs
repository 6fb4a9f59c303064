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

    /// <summary>Which types of events this is for. Null is all.</summary>
    public IReadOnlyList<string>? Types { get; init; }

    /// <summary>Only events that have this text. Null is every event that no such order is for.</summary>
    public string? About { get; init; }
}

/// <summary>One event for one endpoint.</summary>
/// <param name="about">What the order was about that it is under.</param>
sealed class Delivery(Account account, JsonObject endpoint, JsonObject e, string? about)
{
    public string? About => about;

    public Account Account => account;

    public JsonObject Endpoint => endpoint;

    public JsonObject Event => e;

    public int Attempts { get; set; }

    public bool IsDone { get; set; }
}

/// <summary>
/// What of one world's events is still to be delivered: at least once, in no promised order, in three attempts over the hours of the
/// world's clock. All access is under the world's lock but <see cref="Wake"/>.
/// </summary>
sealed class Deliveries(World world, Outbox outbox)
{
    const int Most = 100_000, MostOrders = 1_000;

    /// <summary>Seconds between attempts.</summary>
    static readonly long[] Pauses = [60 * 60, 2 * 60 * 60];

    /// <summary>At most one about the same. The last is for all other events.</summary>
    readonly List<DeliveryOrder> orders = [new()];

    readonly List<Delivery> held = [], running = [];
    readonly Queue<Delivery> ready = new();

    public IReadOnlyList<DeliveryOrder> Orders => orders;

    public int Held => held.Count;

    /// <summary>Deliveries that are attempted now or as soon as a connection is free.</summary>
    /// <param name="about">Of orders about this alone. Null is all.</param>
    public int Open(string? about = null) => ready.Concat(running).Count(delivery => Concerns(about, delivery));

    /// <summary>In place of the order about the same. One that orders nothing ends that about a text.</summary>
    public void Put(DeliveryOrder order)
    {
        orders.RemoveAll(known => known.About == order.About);
        if (order.About is null)
        {
            orders.Add(order);
        }
        else if (order != new DeliveryOrder { About = order.About })
        {
            if (orders.Count >= MostOrders)
            {
                throw Refusal.Invalid("There are too many orders.");
            }
            orders.Insert(0, order);
        }
    }

    public void Add(Account account, JsonObject e)
    {
        var type = e.Text("type")!;
        foreach (var endpoint in world.Platform.Oldest("webhook_endpoint").Where(endpoint => Wants(endpoint, account, type)))
        {
            var given = OrderOf(e);
            var order = given.Types?.Contains(type) == false ? new() { About = given.About } : given;
            if (held.Count + ready.Count + order.Repeat > Most)
            {
                throw Refusal.Invalid($"The sandbox keeps at most {Most} deliveries.");
            }
            e["pending_webhooks"] = e.Long("pending_webhooks") + 1;
            var delivery = new Delivery(account, endpoint, e, order.About);
            if (order.Drop > 0)
            {
                orders[orders.IndexOf(given)] = given with { Drop = given.Drop - 1 };
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
            ready.Enqueue(new(account, endpoint, e, OrderOf(e).About) { IsDone = true });
        }
        return wanted.Count;
    }

    /// <param name="about">What was held about this alone. Null is all.</param>
    public int Release(bool shuffled, string? about)
    {
        var all = TakeHeld(about);
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
    public int Lose(string? about) => TakeHeld(about).Length;

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
                running.Add(delivery);
                delivery.Attempts++;
                return delivery;
            }
        }
        return null;
    }

    public void End(Delivery delivery, bool hasArrived)
    {
        running.Remove(delivery);
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

    DeliveryOrder OrderOf(JsonObject e)
    {
        var text = orders.Count > 1 ? e.ToJsonString() : "";
        return orders.First(order => order.About is null || text.Contains(order.About, StringComparison.Ordinal));
    }

    Delivery[] TakeHeld(string? about)
    {
        var taken = held.Where(delivery => Concerns(about, delivery)).ToArray();
        held.RemoveAll(delivery => Concerns(about, delivery));
        return taken;
    }

    static bool Concerns(string? about, Delivery delivery) => about is null || about == delivery.About;

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
