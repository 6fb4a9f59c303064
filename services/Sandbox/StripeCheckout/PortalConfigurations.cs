using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/billing_portal/configurations</c>: what customers may do in the portal.</summary>
static class PortalConfigurations
{
    const string Common = " business_profile{headline privacy_policy_url terms_of_service_url} default_return_url metadata:map name "
        + "login_page{enabled:bool!} features{customer_update{enabled:bool allowed_updates:[text]} invoice_history{enabled:bool!} "
        + "payment_method_update{enabled:bool!} subscription_cancel{enabled:bool mode:at_period_end|immediately "
        + "proration_behavior:always_invoice|create_prorations|none cancellation_reason:any} subscription_update{enabled:bool "
        + "default_allowed_updates:[text] products:[{product! prices:[text]!}] "
        + "proration_behavior:always_invoice|create_prorations|none}}";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "billing_portal.configuration", "active": true, "application": null,
         "business_profile": {"headline": null, "privacy_policy_url": null, "terms_of_service_url": null}, "created": 0,
         "default_return_url": null, "features": {"customer_update": {"allowed_updates": [], "enabled": false},
          "invoice_history": {"enabled": true}, "payment_method_update": {"enabled": true, "payment_method_configuration": null},
          "subscription_cancel": {"cancellation_reason": {"enabled": false, "feedback_options": null, "options": []}, "enabled": true,
           "mode": "at_period_end", "proration_behavior": "none"},
          "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": false},
          "subscription_update": {"billing_cycle_anchor": null, "default_allowed_updates": [], "enabled": false,
           "proration_behavior": "none", "schedule_at_period_end": {"conditions": []}, "trial_update_behavior": "end_trial"}},
         "is_default": false, "livemode": false, "login_page": {"enabled": false, "url": null}, "metadata": {}, "name": null,
         "updated": 0}
        """);

    public static void Map(Routes routes)
    {
        routes.Get("/v1/billing_portal/configurations/*", "", call => call.Subject("billing_portal.configuration"));
        routes.Get("/v1/billing_portal/configurations", "active:bool is_default:bool" + Params.Paging, call =>
            call.Page("billing_portal.configuration", "active", "is_default"));
        routes.Post("/v1/billing_portal/configurations", Common, call =>
        {
            var made = Make(call.Account, isDefault: false);
            return Take(call, made);
        });
        routes.Post("/v1/billing_portal/configurations/*", "active:bool" + Common, call =>
            Take(call, call.Subject("billing_portal.configuration")));
    }

    /// <summary>The account's usual one.</summary>
    public static JsonObject Default(Account account) =>
        account.Oldest("billing_portal.configuration").FirstOrDefault(each => each.Is("is_default")) ?? Make(account, isDefault: true);

    static JsonObject Make(Account account, bool isDefault)
    {
        var made = account.New(Shape, "bpc");
        (made["is_default"], made["updated"]) = (isDefault, account.World.Clock.Now);
        return account.Add(made);
    }

    static JsonObject Take(Call call, JsonObject configuration)
    {
        configuration["metadata"] = Metadata.Merged(configuration.Object("metadata"), call.Given);
        configuration.Take(call.Given, "active", "default_return_url", "name");
        configuration.Merge(call.Given, "business_profile", "login_page");
        foreach (var (name, feature) in call.Given.Object("features") ?? [])
        {
            configuration.Object("features")!.Merge(new() { [name] = feature!.DeepClone() }, name);
        }
        configuration["updated"] = call.Now;
        return configuration;
    }
}
