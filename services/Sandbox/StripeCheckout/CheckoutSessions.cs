using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/checkout/sessions</c>: a page on which somebody pays, subscribes or leaves a card.</summary>
static class CheckoutSessions
{
    const long Lifetime = 24 * 60 * 60, Shortest = 30 * 60;
    const int MaxLines = 100;

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "checkout.session", "adaptive_pricing": null, "after_expiration": null, "allow_promotion_codes": null,
         "allowed_payment_method_types": null, "amount_subtotal": null, "amount_total": null,
         "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null}, "billing_address_collection": null,
         "cancel_url": null, "client_reference_id": null, "client_secret": null, "collected_information": null, "consent": null,
         "consent_collection": null, "created": 0, "currency": null, "currency_conversion": null, "custom_fields": [],
         "custom_text": {"after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null},
         "customer": null, "customer_account": null, "customer_creation": null, "customer_details": null, "customer_email": null,
         "discounts": null, "expires_at": 0, "integration_identifier": null, "invoice": null, "invoice_creation": null,
         "livemode": false, "locale": null, "managed_payments": null, "metadata": {}, "mode": "payment", "origin_context": null,
         "payment_intent": null, "payment_link": null, "payment_method_collection": null,
         "payment_method_configuration_details": null, "payment_method_options": {}, "payment_method_types": ["card"],
         "payment_status": "unpaid", "permissions": null, "recovered_from": null, "saved_payment_method_options": null,
         "setup_intent": null, "shipping_address_collection": null, "shipping_cost": null, "shipping_options": [], "status": "open",
         "submit_type": null, "subscription": null, "success_url": null, "total_details": null, "ui_mode": "hosted_page", "url": null,
         "wallet_options": null}
        """);

    public static void Map(Routes routes)
    {
        routes.Post(
            "/v1/checkout/sessions",
            "mode:payment|setup|subscription! line_items:[{price quantity:int price_data{currency! unit_amount:int "
                + "unit_amount_decimal:number product product_data{name! description metadata:map tax_code} "
                + $"tax_behavior:exclusive|inclusive|unspecified {Prices.Recurring}}}}}] success_url cancel_url return_url customer "
                + "customer_email customer_creation:always|if_required client_reference_id metadata:map currency expires_at:int "
                + "ui_mode:hosted_page|embedded_page|elements|form allow_promotion_codes:bool automatic_tax{enabled:bool!} "
                + "billing_address_collection:auto|required locale allowed_payment_method_types:[text] submit_type "
                + "payment_method_collection:always|if_required "
                + "subscription_data{metadata:map trial_period_days:int trial_end description} "
                + "payment_intent_data{metadata:map description setup_future_usage:off_session|on_session transfer_group receipt_email} "
                + "setup_intent_data{metadata:map description}",
            Create);
        routes.Read("/v1/checkout/sessions", "checkout.session", "customer", "payment_intent", "subscription", "status");
        routes.Post("/v1/checkout/sessions/*", "metadata:map", call =>
        {
            var session = call.Subject("checkout.session");
            session["metadata"] = Metadata.Merged(session.Object("metadata"), call.Given);
            return session;
        });
        routes.Post("/v1/checkout/sessions/*/expire", "", call =>
        {
            var session = call.Subject("checkout.session");
            RequireOpen(session);
            Expire(call.Account, session);
            return session;
        });
        routes.Get("/v1/checkout/sessions/*/line_items", Params.Paging, call =>
            call.Page(call.Subject("checkout.session").Object("_line_items")!.Items("data").Cast<JsonObject>()));
    }

    public static void RequireOpen(JsonObject session)
    {
        if (session.Text("status") != "open")
        {
            throw Refusal.Invalid($"This Session is {session.Text("status")}, and only an open one can do this.");
        }
    }

    static JsonObject Create(Call call)
    {
        var (account, given, mode) = (call.Account, call.Given, call.Given.Text("mode")!);
        var isHosted = given.Text("ui_mode") is null or "hosted_page";
        var back = isHosted ? "success_url" : "return_url";
        if (given.Text(back) is null && given.Text("ui_mode") is not "elements")
        {
            throw Refusal.Invalid($"Missing required param: {back}.", back, "parameter_missing");
        }
        var customer = Customers.Given(call);
        if (customer is not null && given.Text("customer_email") is not null)
        {
            throw Refusal.Invalid("You may only specify one of these parameters: customer, customer_email.", "customer_email");
        }
        var clock = call.World.ClockOf(customer);
        var expires = given.MaybeLong("expires_at") ?? clock.Now + Lifetime;
        if (expires < clock.Now + Shortest - 60 || expires > clock.Now + Lifetime)
        {
            throw Refusal.Invalid("The `expires_at` timestamp must be 30 minutes to 24 hours from now.", "expires_at");
        }
        var metadata = Metadata.Merged(null, given);
        var lines = Lines(call, mode);
        var session = account.New(Shape, "cs_test", clock);
        session.Take(
            given, "mode", "success_url", "cancel_url", "customer_email", "client_reference_id", "allow_promotion_codes",
            "billing_address_collection", "locale", "allowed_payment_method_types", "submit_type", "payment_method_collection",
            "customer_creation");
        session.Merge(given, "automatic_tax");
        (session["customer"], session["metadata"], session["expires_at"]) = (customer?.Id(), metadata, expires);
        session["ui_mode"] = given.Text("ui_mode") ?? "hosted_page";
        session["_test_clock"] = customer?.Text("test_clock");
        session["_data"] = (given["subscription_data"] ?? given["payment_intent_data"] ?? given["setup_intent_data"])?.DeepClone();
        session["_line_items"] = Fields.ListOf(lines, $"/v1/checkout/sessions/{session.Id()}/line_items");
        if (isHosted)
        {
            session["url"] = $"{call.World.Address}/pages/checkout/{call.World.Name}/{session.Id()}";
        }
        else
        {
            session["return_url"] = given.Text("return_url");
            session["client_secret"] = StripeIds.Secret(session.Id());
        }
        if (mode != "setup")
        {
            Total(session, lines, customer);
        }
        account.Add(session);
        clock.At(expires, () =>
        {
            if (session.Text("status") == "open")
            {
                Expire(account, session);
            }
        });
        return session;
    }

    static List<JsonObject> Lines(Call call, string mode)
    {
        var given = call.Given.Items("line_items").Cast<JsonObject>().ToList();
        if (mode == "setup" ? given.Count > 0 : given.Count is 0 or > MaxLines)
        {
            throw Refusal.Invalid(
                mode == "setup" ? "`line_items` do not belong to `setup` mode." : "Missing required param: line_items.", "line_items");
        }
        var lines = new List<JsonObject>();
        foreach (var (i, line) in given.Index())
        {
            var price = line.Object("price_data") is { } data
                ? Prices.Make(call, data)
                : call.Account.Get("price", line.Text("price"), $"line_items[{i}][price]");
            if (mode == "payment" && price.Object("recurring") is not null)
            {
                throw Refusal.Invalid(
                    "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time "
                        + "prices.",
                    $"line_items[{i}][price]");
            }
            var quantity = Prices.IsMetered(price) ? (long?)null : line.MaybeLong("quantity") ?? 1;
            var amount = quantity is { } units ? Prices.Cost(price, units) : 0;
            lines.Add(new()
            {
                ["id"] = StripeIds.New("li"),
                ["object"] = "item",
                ["adjustable_quantity"] = null,
                ["amount_discount"] = 0L,
                ["amount_subtotal"] = amount,
                ["amount_tax"] = 0L,
                ["amount_total"] = amount,
                ["currency"] = price.Text("currency"),
                ["description"] = call.Account.Find("product", price.Text("product"))?.Text("name"),
                ["metadata"] = new JsonObject(),
                ["price"] = price.DeepClone(),
                ["quantity"] = quantity,
            });
        }
        if (mode == "subscription" && !lines.Exists(line => line.Object("price")!.Object("recurring") is not null))
        {
            throw Refusal.Invalid("You must provide at least one recurring price in `subscription` mode.", "line_items");
        }
        return lines;
    }

    static void Total(JsonObject session, List<JsonObject> lines, JsonObject? customer)
    {
        var isTaxed = session.Object("automatic_tax")!.Is("enabled");
        var rate = isTaxed ? Taxes.RateOf(customer?.Object("address")?.Text("country")) : 0;
        foreach (var line in lines)
        {
            var isInclusive = line.Object("price")!.Text("tax_behavior") == "inclusive";
            var tax = Taxes.Of(line.Long("amount_subtotal"), rate, isInclusive);
            line["amount_tax"] = tax;
            line["amount_total"] = line.Long("amount_subtotal") + (isInclusive ? 0 : tax);
        }
        if (isTaxed)
        {
            session["automatic_tax"]!["provider"] = "stripe";
            session["automatic_tax"]!["status"] = customer?.Object("address") is null ? "requires_location_inputs" : "complete";
        }
        session["currency"] = lines[0].Text("currency");
        session["amount_subtotal"] = lines.Sum(line => line.Long("amount_subtotal"));
        session["amount_total"] = lines.Sum(line => line.Long("amount_total"));
        session["total_details"] = new JsonObject
        {
            ["amount_discount"] = 0L, ["amount_shipping"] = 0L, ["amount_tax"] = lines.Sum(line => line.Long("amount_tax")),
        };
    }

    static void Expire(Account account, JsonObject session)
    {
        session["status"] = "expired";
        session["url"] = null;
        account.Emit("checkout.session.expired", session);
    }

    /// <summary>What has become of an intent of a session.</summary>
    public static void Settled(Account account, JsonObject intent)
    {
        if (account.Find("checkout.session", intent.Text("_checkout")) is not { } session)
        {
            return;
        }
        if (session.Text("status") == "complete" && session.Text("payment_status") == "unpaid" && intent.Status() == "succeeded")
        {
            session["payment_status"] = "paid";
            account.Emit("checkout.session.async_payment_succeeded", session);
        }
        else if (session.Text("status") == "complete" && intent.Status() == "requires_payment_method")
        {
            account.Emit("checkout.session.async_payment_failed", session);
        }
        else if (session.Text("status") == "open" && intent.Status() is "succeeded" or "processing")
        {
            Complete(account, session, intent.Status() == "succeeded" && session.Text("mode") != "setup");
        }
    }

    public static void Complete(Account account, JsonObject session, bool isPaid)
    {
        session["status"] = "complete";
        session["url"] = null;
        session["payment_status"] = session.Text("mode") == "setup" || session.Long("amount_total") == 0
            ? "no_payment_required"
            : isPaid ? "paid" : "unpaid";
        account.Emit("checkout.session.completed", session);
    }
}
