using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/events</c>: what has happened, for 30 days.</summary>
static class Events
{
    const long Lifetime = 30 * 24 * 60 * 60;

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "event", "api_version": null, "created": 0, "data": {}, "livemode": false, "pending_webhooks": 0,
         "request": null, "type": ""}
        """);

    public static void Map(Routes routes)
    {
        routes.Get("/v1/events/*", "", call => call.Subject("event"));
        routes.Get("/v1/events", "created:range type types:[text] delivery_success:bool" + Params.Paging, List);
    }

    public static void Emit(Account account, string type, JsonObject o, JsonObject? previous)
    {
        var world = account.World;
        var e = account.New(Shape, "evt", world.ClockOf(o));
        // Under a test clock something may have been created long ago or not yet; it is kept by the world's clock.
        e["_at"] = world.Clock.Now;
        e["type"] = type;
        e["api_version"] = StripeVersion.Latest;
        e["data"] = new JsonObject { ["object"] = o.Shown() };
        if (previous is not null)
        {
            e["data"]!["previous_attributes"] = previous.DeepClone();
        }
        e["request"] = new JsonObject { ["id"] = world.Running?.Request, ["idempotency_key"] = world.Running?.Key };
        if (!account.IsPlatform)
        {
            e["account"] = account.Id;
        }
        account.Add(e);
        world.Deliveries.Add(account, e);
    }

    static JsonObject List(Call call)
    {
        var types = call.Given.Items("types").Select(type => type.GetValue<string>()).ToList();
        if (call.Given.Text("type") is { } one)
        {
            types.Add(one);
        }
        var oldest = call.Now - Lifetime;
        var all = call.Account.Newest("event").Where(e => e.Long("_at") > oldest);
        if (types.Count > 0)
        {
            all = all.Where(e => types.Exists(type => Matches(type, e.Text("type")!)));
        }
        if (call.Given["delivery_success"] is { } success)
        {
            all = all.Where(e => (e.Long("pending_webhooks") == 0) == success.GetValue<bool>());
        }
        return call.Page(all);
    }

    /// <summary>A pattern is a type, one with a star at its end, or a star alone.</summary>
    public static bool Matches(string pattern, string type) =>
        pattern == type || pattern.EndsWith('*') && type.StartsWith(pattern[..^1], StringComparison.Ordinal);
}
