using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/webhook_endpoints</c>. The secret is shown at creation only.</summary>
static class WebhookEndpoints
{
    const int Most = 16;

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "webhook_endpoint", "api_version": null, "application": null, "created": 0, "description": null,
         "enabled_events": [], "livemode": false, "metadata": {}, "status": "enabled", "url": ""}
        """);

    public static void Map(Routes routes)
    {
        routes.Read("/v1/webhook_endpoints", "webhook_endpoint");
        routes.Post("/v1/webhook_endpoints", "url! enabled_events:[text]! connect:bool api_version description metadata:map", Create);
        routes.Post("/v1/webhook_endpoints/*", "url enabled_events:[text] disabled:bool description metadata:map", Update);
        routes.Delete("/v1/webhook_endpoints/*", "", call =>
        {
            var endpoint = call.Subject("webhook_endpoint");
            call.Account.Remove(endpoint, leaves: false);
            return new() { ["id"] = endpoint.Id(), ["object"] = "webhook_endpoint", ["deleted"] = true };
        });
    }

    static JsonObject Create(Call call)
    {
        CheckUrl(call.Given);
        if (call.Account.Newest("webhook_endpoint").Count() >= Most)
        {
            throw Refusal.Invalid($"You have reached the maximum of {Most} test webhook endpoints.");
        }
        var endpoint = call.Account.New(Shape, "we");
        endpoint.Take(call.Given, "url", "enabled_events", "description", "api_version");
        endpoint["metadata"] = Metadata.Merged(null, call.Given);
        endpoint["_connect"] = call.Given.Is("connect");
        endpoint["_secret"] = "whsec_" + StripeIds.Text(32);
        call.Account.Add(endpoint);
        var shown = endpoint.Shown();
        shown["secret"] = endpoint.Text("_secret");
        return shown;
    }

    static JsonObject Update(Call call)
    {
        var endpoint = call.Subject("webhook_endpoint");
        CheckUrl(call.Given);
        var metadata = Metadata.Merged(endpoint.Object("metadata"), call.Given);
        endpoint.Take(call.Given, "url", "enabled_events", "description");
        endpoint["metadata"] = metadata;
        if (call.Given.ContainsKey("disabled"))
        {
            endpoint["status"] = call.Given.Is("disabled") ? "disabled" : "enabled";
        }
        return endpoint;
    }

    static void CheckUrl(JsonObject given)
    {
        if (given.Text("url") is { } url && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
        {
            throw Refusal.Invalid("Invalid URL: An explicit scheme (such as https) must be provided.", "url", "url_invalid");
        }
        if (given["enabled_events"] is JsonArray { Count: 0 })
        {
            throw Refusal.Invalid("Invalid array: at least one event is needed.", "enabled_events");
        }
    }
}
