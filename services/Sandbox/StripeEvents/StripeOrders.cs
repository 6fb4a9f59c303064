using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// The routes under <c>/sandbox/stripe</c>, with which tests and operators order what at Stripe only time, people and accidents do. Each
/// names the key whose world it means: <c>?key=sk_test_…</c>. What is ordered of webhooks and faults may be about one text alone, for
/// example an id: then it leaves everything else in that world as it is.
/// </summary>
static class StripeOrders
{
    const long MaxAdvance = 20L * 366 * 24 * 60 * 60;

    const int MaxAbout = 200;

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30), Pause = TimeSpan.FromMilliseconds(5);

    static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    sealed record Advance(long Seconds);

    sealed record Fault(FaultKind Kind, string? Match = null, string? About = null, int Count = 1, long Milliseconds = 0);

    sealed record State(string Name);

    sealed record Billing(string AfterRetries);

    public static void Map(IEndpointRouteBuilder app)
    {
        var control = app.MapGroup("/sandbox/stripe");
        control.MapGet("/cards", () => TestCards.All.Select(card => new { card.Number, Name = card.Names.Split(' ')[0] }));
        control.MapGet("/", (string key, Worlds worlds) => In(worlds, key, Shown));
        control.MapPost("/clock", (string key, JsonObject order, Worlds worlds) => With<Advance>(worlds, key, order, AdvanceClock));
        control.MapPost("/webhooks", (string key, JsonObject order, Worlds worlds) => With<DeliveryOrder>(worlds, key, order, Deliver));
        control.MapPost("/webhooks/release", (string key, bool? shuffled, string? about, Worlds worlds) =>
            In(worlds, key, world => new() { ["released"] = world.Deliveries.Release(shuffled ?? false, about) }));
        control.MapPost("/webhooks/lose", (string key, string? about, Worlds worlds) =>
            In(worlds, key, world => new() { ["lost"] = world.Deliveries.Lose(about) }));
        control.MapPost("/webhooks/settle", SettleAsync);
        control.MapPost("/webhooks/{id}/roll", (string key, string id, Worlds worlds) => In(worlds, key, world => Roll(world, id)));
        control.MapPost("/events/{id}/resend", (string key, string id, Worlds worlds) => In(worlds, key, world => Resend(world, id)));
        control.MapPost("/faults", (string key, JsonObject order, Worlds worlds) => With<Fault>(worlds, key, order, AddFault));
        control.MapDelete("/faults", (string key, string? about, Worlds worlds) => In(worlds, key, world =>
        {
            world.Faults.Clear(about);
            return new() { ["faults"] = world.Faults.Ordered.Count };
        }));
        control.MapPost("/billing", (string key, JsonObject order, Worlds worlds) => With<Billing>(worlds, key, order, SetBilling));
        control.MapPost("/accounts/{id}", (string key, string id, JsonObject order, Worlds worlds) =>
            With<State>(worlds, key, order, (world, state) => SetAccount(world, id, state)));
    }

    static IResult In(Worlds worlds, string key, Func<World, JsonObject> order)
    {
        try
        {
            var world = worlds.Of(key);
            lock (world.Gate)
            {
                var done = order(world);
                world.Deliveries.Wake();
                return Results.Json(done);
            }
        }
        catch (Refusal refusal)
        {
            return Results.Json(new { error = refusal.Message }, statusCode: refusal.Status);
        }
    }

    static IResult With<TOrder>(Worlds worlds, string key, JsonObject given, Func<World, TOrder, JsonObject> order) =>
        In(worlds, key, world =>
        {
            try
            {
                return order(world, given.Deserialize<TOrder>(Options)!);
            }
            catch (JsonException wrong)
            {
                throw Refusal.Invalid(wrong.Message);
            }
        });

    static JsonObject Shown(World world) => new()
    {
        ["account"] = world.Platform.Id,
        ["now"] = world.Clock.Now,
        ["objects"] = world.Objects,
        ["waiting"] = world.Clock.Waiting,
        ["held"] = world.Deliveries.Held,
        ["open"] = world.Deliveries.Open(),
        ["faults"] = JsonSerializer.SerializeToNode(world.Faults.Ordered, Options),
        ["webhooks"] = JsonSerializer.SerializeToNode(world.Deliveries.Orders, Options),
        ["accounts"] = new JsonArray([.. world.Connected.Select(account => (JsonNode)account.Id)]),
    };

    static JsonObject AdvanceClock(World world, Advance order)
    {
        if (order.Seconds is < 0 or > MaxAdvance)
        {
            throw Refusal.Invalid($"A clock is set forward by at most {MaxAdvance} seconds.");
        }
        world.Clock.AdvanceTo(world.Clock.Now + order.Seconds);
        return new() { ["now"] = world.Clock.Now };
    }

    static JsonObject Deliver(World world, DeliveryOrder order)
    {
        if (order is not { Repeat: >= 1 and <= 100, Delay: >= 0 and <= MaxAdvance, Drop: >= 0 })
        {
            throw Refusal.Invalid("repeat is 1 to 100, delay and drop are not negative.");
        }
        CheckAbout(order.About);
        world.Deliveries.Put(order);
        return Shown(world);
    }

    static void CheckAbout(string? about)
    {
        if (about is { Length: 0 or > MaxAbout })
        {
            throw Refusal.Invalid($"about has 1 to {MaxAbout} characters.");
        }
    }

    /// <summary>Waits until nothing is being delivered. What is held or due later does not count.</summary>
    static async Task<IResult> SettleAsync(string key, string? about, Worlds worlds, TimeProvider time, CancellationToken left)
    {
        World world;
        try
        {
            world = worlds.Of(key);
        }
        catch (Refusal refusal)
        {
            return Results.Json(new { error = refusal.Message }, statusCode: refusal.Status);
        }
        for (var start = time.GetTimestamp(); ; await Task.Delay(Pause, left))
        {
            lock (world.Gate)
            {
                world.Clock.RunDue();
                world.Deliveries.Wake();
                if (world.Deliveries.Open(about) == 0 || time.GetElapsedTime(start) > Patience)
                {
                    return Results.Json(new { open = world.Deliveries.Open(about) });
                }
            }
        }
    }

    static JsonObject Roll(World world, string id)
    {
        var endpoint = world.Platform.Get("webhook_endpoint", id);
        endpoint["_older_secret"] = endpoint.Text("_secret");
        endpoint["_secret"] = "whsec_" + StripeIds.Text(32);
        return new() { ["secret"] = endpoint.Text("_secret") };
    }

    static JsonObject Resend(World world, string id)
    {
        foreach (var account in world.Connected.Prepend(world.Platform))
        {
            if (account.Find("event", id) is { } e)
            {
                return new() { ["sent"] = world.Deliveries.Resend(account, e) };
            }
        }
        throw Refusal.Missing("event", id, "id");
    }

    static JsonObject AddFault(World world, Fault order)
    {
        if (order.Count < 1 || order.Milliseconds is < 0 or > 600_000)
        {
            throw Refusal.Invalid("count is at least 1, milliseconds are 0 to 600000.");
        }
        CheckAbout(order.About);
        return world.Faults.TryAdd(new(order.Kind, order.Match, order.About, order.Count, order.Milliseconds))
            ? Shown(world)
            : throw Refusal.Invalid("There are too many faults.");
    }

    static JsonObject SetBilling(World world, Billing order)
    {
        if (order.AfterRetries is not ("cancel" or "unpaid" or "past_due"))
        {
            throw Refusal.Invalid("afterRetries is one of cancel, unpaid, past_due.");
        }
        world.AfterRetries = order.AfterRetries;
        return Shown(world);
    }

    static JsonObject SetAccount(World world, string id, State state)
    {
        var account = world.Platform.Get("account", id);
        if (state.Name == "deauthorized")
        {
            Onboarding.Deauthorize(world, world.Account(id)!);
        }
        else if (!Onboarding.TrySet(world, account, state.Name))
        {
            throw Refusal.Invalid("name is one of not_begun, incomplete, under_review, restricted, ready, deauthorized.");
        }
        return account.Shown();
    }
}
