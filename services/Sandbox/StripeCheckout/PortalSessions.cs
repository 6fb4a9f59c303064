using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/billing_portal/sessions</c>: the way to a customer's portal.</summary>
static class PortalSessions
{
    public static void Map(Routes routes) => routes.Post(
        "/v1/billing_portal/sessions",
        "customer! configuration return_url locale flow_data{type:payment_method_update|subscription_cancel|subscription_update! "
            + "subscription_cancel{subscription!} subscription_update{subscription!} after_completion{type! redirect{return_url!}}}",
        Create);

    static JsonObject Create(Call call)
    {
        var (account, given) = (call.Account, call.Given);
        var customer = Customers.Given(call)!;
        var configuration = call.Named("billing_portal.configuration", "configuration") ?? PortalConfigurations.Default(account);
        var flow = given.Object("flow_data");
        var subscription = (flow?.Object("subscription_cancel") ?? flow?.Object("subscription_update"))?.Text("subscription");
        if (subscription is not null)
        {
            account.Get("subscription", subscription, "flow_data[subscription]");
        }
        var session = new JsonObject
        {
            ["id"] = StripeIds.New("bps"),
            ["object"] = "billing_portal.session",
            ["configuration"] = configuration.Id(),
            ["created"] = call.Now,
            ["customer"] = customer.Id(),
            ["customer_account"] = null,
            ["flow"] = flow is null ? null : Flow(flow, subscription),
            ["livemode"] = false,
            ["locale"] = given.Text("locale"),
            ["on_behalf_of"] = null,
            ["return_url"] = given.Text("return_url") ?? configuration.Text("default_return_url"),
        };
        session["url"] = $"{call.World.Address}/pages/portal/{call.World.Name}/{session.Id()}";
        account.Add(session);
        account.Emit("billing_portal.session.created", session);
        return session;
    }

    static JsonObject Flow(JsonObject given, string? subscription)
    {
        var type = given.Text("type")!;
        var after = given.Object("after_completion");
        return new()
        {
            ["after_completion"] = new JsonObject
            {
                ["hosted_confirmation"] = null,
                ["redirect"] = after?.Object("redirect") is { } redirect
                    ? new JsonObject { ["return_url"] = redirect.Text("return_url") }
                    : null,
                ["type"] = after?.Text("type") ?? "portal_homepage",
            },
            ["customer_update"] = null,
            ["subscription_cancel"] = type == "subscription_cancel"
                ? new JsonObject { ["retention"] = null, ["subscription"] = subscription }
                : null,
            ["subscription_pause"] = null,
            ["subscription_update"] = type == "subscription_update" ? new JsonObject { ["subscription"] = subscription } : null,
            ["subscription_update_confirm"] = null,
            ["type"] = type,
        };
    }
}
