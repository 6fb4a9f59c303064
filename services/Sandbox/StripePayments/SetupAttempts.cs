using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/setup_attempts</c>: the attempts to save a method. They are made by setup intents alone, when they end.</summary>
static class SetupAttempts
{
    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "setup_attempt", "application": null, "created": 0, "customer": null, "customer_account": null,
         "flow_directions": null, "livemode": false, "on_behalf_of": null, "payment_method": null, "payment_method_details": null,
         "setup_error": null, "setup_intent": "", "status": "", "usage": "off_session"}
        """);

    public static void Map(Routes routes) => routes.Get(
        "/v1/setup_attempts", "setup_intent! created:range" + Params.Paging, call => call.Page("setup_attempt", "setup_intent"));

    /// <param name="error">Why it has failed; null: it has succeeded.</param>
    public static void Make(Account account, JsonObject intent, JsonObject method, JsonObject? error)
    {
        var attempt = account.New(Shape, "setatt", account.World.ClockOf(intent));
        attempt.Take(intent, "customer", "usage");
        (attempt["setup_intent"], attempt["payment_method"]) = (intent.Id(), method.Id());
        attempt["status"] = error is null ? "succeeded" : "failed";
        attempt.Put("setup_error", error);
        var type = method.Text("type")!;
        attempt["payment_method_details"] = new JsonObject { ["type"] = type, [type] = method[type]?.DeepClone() };
        intent["latest_attempt"] = account.Add(attempt).Id();
    }
}
