using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/customers</c>. A deleted one still answers with its id, and can do nothing.</summary>
static class Customers
{
    const string Common = " address{city country line1 line2 postal_code state} balance:int description email "
        + "invoice_settings{default_payment_method footer} metadata:map name phone preferred_locales:[text] shipping:any "
        + "tax{ip_address validate_location} tax_exempt:none|exempt|reverse";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "customer", "address": null, "balance": 0, "created": 0, "currency": null, "customer_account": null,
         "default_source": null, "delinquent": false, "description": null, "discount": null, "email": null, "invoice_prefix": "",
         "invoice_settings": {"custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null},
         "livemode": false, "metadata": {}, "name": null, "next_invoice_sequence": 1, "phone": null, "preferred_locales": [],
         "shipping": null, "tax_exempt": "none", "test_clock": null}
        """);

    public static void Map(Routes routes)
    {
        routes.Post("/v1/customers", Common + " payment_method test_clock", Create);
        routes.Post("/v1/customers/*", Common, Update);
        routes.Get("/v1/customers/*", "", Get);
        routes.Get("/v1/customers", "created:range email test_clock" + Params.Paging, call => call.Page("customer", "email", "test_clock"));
        routes.Delete("/v1/customers/*", "", Delete);
    }

    /// <exception cref="Refusal">It is not there, or was deleted.</exception>
    public static JsonObject? Given(Call call) => call.Named("customer", "customer");

    static JsonObject Create(Call call)
    {
        call.Named("test_helpers.test_clock", "test_clock");
        var method = call.Given.Text("payment_method") is { } id ? PaymentMethods.Find(call, id) : null;
        var customer = Make(call.Account, call.Given);
        if (method is not null)
        {
            PaymentMethods.Attach(call.Account, method, customer);
        }
        return customer;
    }

    public static JsonObject Make(Account account, JsonObject given)
    {
        var metadata = Metadata.Merged(null, given);
        var customer = account.New(Shape, "cus", account.World.ClockOf(given));
        customer["metadata"] = metadata;
        customer["test_clock"] = given.Text("test_clock");
        customer["invoice_prefix"] = StripeIds.Text(8).ToUpperInvariant();
        Take(customer, given);
        account.Add(customer);
        account.Emit("customer.created", customer);
        return customer;
    }

    static JsonObject Update(Call call)
    {
        var customer = call.Subject("customer");
        if (call.Given.Object("invoice_settings")?.Text("default_payment_method") is { } id
            && PaymentMethods.Find(call, id).Text("customer") != customer.Id())
        {
            throw Refusal.Invalid(
                $"The customer does not have a payment method with the ID {id}. The payment method must be attached to the customer.",
                "invoice_settings[default_payment_method]",
                "resource_missing");
        }
        var metadata = Metadata.Merged(customer.Object("metadata"), call.Given);
        call.Account.Change(customer, "customer.updated", () =>
        {
            customer["metadata"] = metadata;
            Take(customer, call.Given);
        });
        return customer;
    }

    static JsonObject Get(Call call)
    {
        var customer = call.Account.Find("customer", call.Id) ?? throw Refusal.Missing("customer", call.Id, "id");
        return customer.Is("deleted") ? Deleted(customer) : customer;
    }

    static JsonObject Delete(Call call)
    {
        var customer = call.Subject("customer");
        foreach (var method in call.Account.Newest("payment_method").Where(method => method.Text("customer") == customer.Id()).ToList())
        {
            method["customer"] = null;
            PaymentMethods.Spend(method);
        }
        call.Account.Emit("customer.deleted", customer);
        call.Account.Remove(customer, leaves: true);
        return Deleted(customer);
    }

    static JsonObject Deleted(JsonObject customer) =>
        new() { ["id"] = customer.Id(), ["object"] = "customer", ["deleted"] = true };

    static void Take(JsonObject customer, JsonObject given)
    {
        customer.Take(given, "balance", "description", "email", "name", "phone", "preferred_locales", "shipping", "tax_exempt");
        customer.Merge(given, "invoice_settings");
        if (given.ContainsKey("address"))
        {
            customer["address"] = given.Object("address") is { } address ? Address(address) : null;
        }
    }

    /// <summary>With all members, as Stripe shows it.</summary>
    public static JsonObject Address(JsonObject given)
    {
        var address = Fields.Shape("""{"city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null}""");
        address.Take(given, "city", "country", "line1", "line2", "postal_code", "state");
        return address;
    }
}
