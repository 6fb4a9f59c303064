using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>The hosted page of a checkout session.</summary>
static class CheckoutPage
{
    public static IResult Show(StripePages.Visit visit)
    {
        var account = visit.World.Platform;
        if (visit.Path is not [var id, ..] || account.Find("checkout.session", id) is not { } session)
        {
            throw Refusal.Missing("checkout.session", visit.Id, "id");
        }
        // The bank's page comes back here, when the session is complete already.
        if (session.Text("status") == "complete")
        {
            return StripePages.Back(Filled(session, session.Text("success_url") ?? "/"));
        }
        CheckoutSessions.RequireOpen(session);
        if (visit.Sent is null)
        {
            return Form(session, null);
        }
        if (visit.Sent.GetValueOrDefault("step") == "cancel")
        {
            return session.Text("cancel_url") is { } back ? StripePages.Back(back) : Form(session, null);
        }
        try
        {
            return Pay(visit, account, session);
        }
        catch (Refusal refusal)
        {
            return Form(session, refusal.Message);
        }
    }

    static IResult Pay(StripePages.Visit visit, Account account, JsonObject session)
    {
        var sent = visit.Sent!;
        var expiry = (sent.GetValueOrDefault("expiry") ?? "").Split('/');
        var call = new Call(visit.World, account, "/pages/checkout", [], new()
        {
            ["payment_method_data"] = new JsonObject
            {
                ["type"] = "card",
                ["card"] = new JsonObject
                {
                    ["number"] = sent.GetValueOrDefault("number"),
                    ["exp_month"] = long.TryParse(expiry[0], out var month) ? month : 0,
                    ["exp_year"] = expiry.Length > 1 && long.TryParse(expiry[1], out var year) ? year : 0,
                    ["cvc"] = sent.GetValueOrDefault("cvc"),
                },
                ["billing_details"] = new JsonObject
                {
                    ["email"] = sent.GetValueOrDefault("email"), ["name"] = sent.GetValueOrDefault("name"),
                },
            },
        }) { Request = StripeIds.New("req") };
        var method = PaymentMethods.Given(call)!;
        var customer = Customer(account, session, sent);
        session["customer_details"] = new JsonObject
        {
            ["address"] = customer["address"]?.DeepClone(),
            ["business_name"] = null,
            ["email"] = customer.Text("email"),
            ["individual_name"] = null,
            ["name"] = customer.Text("name"),
            ["phone"] = null,
            ["tax_exempt"] = "none",
            ["tax_ids"] = new JsonArray(),
        };
        var back = $"{visit.World.Address}/pages/checkout/{visit.World.Name}/{session.Id()}";
        var intent = session.Text("mode") == "subscription"
            ? Subscribe(call, account, session, customer, method)
            : Charge(account, session, customer, method, back);
        if (intent?.Status() == "requires_action")
        {
            intent["_return_url"] = back;
            Confirmation.RequireAction(visit.World, intent);
            return StripePages.Back(intent.Object("next_action")!.Object("redirect_to_url")!.Text("url")!);
        }
        if (session.Text("status") == "open")
        {
            CheckoutSessions.Complete(account, session, isPaid: true);
        }
        return StripePages.Back(Filled(session, session.Text("success_url") ?? "/"));
    }

    static JsonObject Customer(Account account, JsonObject session, IReadOnlyDictionary<string, string> sent)
    {
        if (account.Find("customer", session.Text("customer")) is { } known)
        {
            return known;
        }
        var customer = Customers.Make(account, new()
        {
            ["email"] = sent.GetValueOrDefault("email") ?? session.Text("customer_email"), ["name"] = sent.GetValueOrDefault("name"),
        });
        session["customer"] = customer.Id();
        return customer;
    }

    static JsonObject Charge(Account account, JsonObject session, JsonObject customer, JsonObject method, string back)
    {
        var data = session.Object("_data") ?? [];
        var isSetup = session.Text("mode") == "setup";
        var name = isSetup ? "setup_intent" : "payment_intent";
        var intent = account.Find(name, session.Text(name));
        if (intent is null)
        {
            intent = isSetup
                ? SetupIntents.For(account, customer)
                : PaymentIntents.For(account, customer, session.Long("amount_total"), session.Text("currency")!, null, null);
            intent.Take(data, "description", "setup_future_usage", "transfer_group", "receipt_email");
            intent["metadata"] = Metadata.Merged(null, data);
            intent["_checkout"] = session.Id();
            session[name] = intent.Id();
        }
        intent["payment_method"] = method.Id();
        var given = new JsonObject { ["return_url"] = back };
        var refusal = isSetup ? SetupIntents.Try(account, intent, given) : Confirmation.Try(account, intent, given);
        return refusal is null ? intent : throw refusal;
    }

    static JsonObject? Subscribe(Call call, Account account, JsonObject session, JsonObject customer, JsonObject method)
    {
        PaymentMethods.Attach(account, method, customer);
        var data = session.Object("_data") ?? [];
        var lines = session.Object("_line_items")!.Items("data").Cast<JsonObject>().ToList();
        foreach (var line in lines.Where(line => line.Object("price")!.Object("recurring") is null))
        {
            InvoiceItems.OfPrice(account, customer, account.Get("price", line.Object("price")!.Id()), line.Long("quantity"));
        }
        var given = new JsonObject
        {
            ["customer"] = customer.Id(),
            ["default_payment_method"] = method.Id(),
            ["payment_behavior"] = "error_if_incomplete", // whose card is declined tries another one on this page
            ["items"] = new JsonArray([.. lines.Where(line => line.Object("price")!.Object("recurring") is not null).Select(line =>
            {
                var item = new JsonObject { ["price"] = line.Object("price")!.Id() };
                item.Take(line, line["quantity"] is null ? [] : ["quantity"]);
                return item;
            })]),
            ["automatic_tax"] = new JsonObject { ["enabled"] = session.Object("automatic_tax")!.Is("enabled") },
        };
        given.Take(data, "metadata", "trial_period_days", "trial_end", "description");
        var subscription = Subscriptions.Create(call, given);
        (session["subscription"], session["invoice"]) = (subscription.Id(), subscription.Text("latest_invoice"));
        var invoice = account.Find("invoice", subscription.Text("latest_invoice"));
        var intent = account.Find("payment_intent", invoice?.Text("_intent"));
        if (intent is null)
        {
            return null;
        }
        intent["_checkout"] = session.Id();
        return intent.Status() == "requires_payment_method"
            ? throw Refusal.Invalid(intent.Object("last_payment_error")?.Text("message") ?? "The card was declined.")
            : intent;
    }

    static string Filled(JsonObject session, string url) =>
        url.Replace("{CHECKOUT_SESSION_ID}", session.Id(), StringComparison.Ordinal);

    static IResult Form(JsonObject session, string? problem)
    {
        var lines = session.Object("_line_items")!.Items("data").Cast<JsonObject>().Select(line =>
            $"<tr><td>{Html.Text(line.Text("description"))}</td><td>{line.MaybeLong("quantity")}</td>"
                + $"<td>{Amounts.Text(line.Long("amount_total"), line.Text("currency")!)}</td></tr>");
        var total = session.Text("currency") is { } currency
            ? $"<p>Total <strong>{Amounts.Text(session.Long("amount_total"), currency)} "
                + $"{Html.Text(currency.ToUpperInvariant())}</strong></p>"
            : "";
        var verb = session.Text("mode") switch { "payment" => "Pay", "subscription" => "Subscribe", _ => "Save card" };
        return Html.Page(
            "Checkout",
            $"<table>{string.Concat(lines)}</table>{total}"
                + (problem is null ? "" : $"<p role=\"alert\">{Html.Text(problem)}</p>")
                + "<form method=\"post\">" + Html.Field("email", "Email", session.Text("customer_email") ?? "", "email")
                + Html.Field("number", "Card number", "4242424242424242") + Html.Field("expiry", "Expiration (MM/YY)", "12/40")
                + Html.Field("cvc", "CVC", "123") + Html.Field("name", "Name on card")
                + Html.Button("step", "pay", verb) + Html.Button("step", "cancel", "Back", isPlain: true) + "</form>");
    }
}
