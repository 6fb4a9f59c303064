using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/test_helpers/test_clocks</c>: customers made under one live in its time, with all that belongs to them.</summary>
static class TestClocks
{
    const long Day = 24 * 60 * 60, Year = 366 * Day;

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "test_helpers.test_clock", "created": 0, "deletes_after": 0, "frozen_time": 0, "livemode": false, "name": null,
         "status": "ready", "status_details": {}}
        """);

    public static void Map(Routes routes)
    {
        const string path = "/v1/test_helpers/test_clocks";
        routes.Read(path, "test_helpers.test_clock");
        routes.Post(path, "frozen_time:int! name", Create);
        routes.Post(path + "/*/advance", "frozen_time:int!", Advance);
        routes.Delete(path + "/*", "", Delete);
    }

    static JsonObject Create(Call call)
    {
        var clock = call.Account.New(Shape, "clock");
        clock.Take(call.Given, "frozen_time", "name");
        clock["deletes_after"] = call.Now + 30 * Day;
        call.World.TestClocks[clock.Id()] = new(null, clock.Long("frozen_time"));
        call.Account.Add(clock);
        call.Account.Emit("test_helpers.test_clock.created", clock);
        return clock;
    }

    static JsonObject Advance(Call call)
    {
        var (clock, to) = (call.Subject("test_helpers.test_clock"), call.Given.Long("frozen_time"));
        if (clock.Status() != "ready")
        {
            throw Refusal.Invalid("Test clock advancement underway - cannot perform modifications.", code: "test_clock_advancing");
        }
        var running = call.World.TestClocks[clock.Id()];
        if (to <= running.Now)
        {
            throw Refusal.Invalid("You must specify a time in the future of the clock's frozen time.", "frozen_time");
        }
        var most = Subscriptions.Shortest(call.Account, clock.Id()) is { } shortest ? 2 * shortest : 2 * Year;
        if (to > running.Now + most)
        {
            throw Refusal.Invalid(
                "You can only advance a clock by two intervals of its shortest subscription, or two years without one.", "frozen_time");
        }
        clock["status"] = "advancing";
        clock["status_details"] = new JsonObject { ["advancing"] = new JsonObject { ["target_frozen_time"] = to } };
        call.Account.Emit("test_helpers.test_clock.advancing", clock);
        // Whoever asks next finds it done: things happen after this answer, as at Stripe.
        call.World.Clock.After(0, () =>
        {
            running.AdvanceTo(to);
            clock["frozen_time"] = to;
            (clock["status"], clock["status_details"]) = ("ready", new JsonObject());
            call.Account.Emit("test_helpers.test_clock.ready", clock);
        });
        return (JsonObject)clock.DeepClone();
    }

    static JsonObject Delete(Call call)
    {
        var clock = call.Subject("test_helpers.test_clock");
        foreach (var kind in new[] { "subscription", "customer" })
        {
            foreach (var o in call.Account.Newest(kind).Where(o => o.Text("test_clock") == clock.Id()).ToList())
            {
                call.Account.Remove(o, leaves: kind == "customer");
            }
        }
        call.World.TestClocks.Remove(clock.Id());
        call.Account.Remove(clock, leaves: false);
        return new() { ["id"] = clock.Id(), ["object"] = "test_helpers.test_clock", ["deleted"] = true };
    }
}
