using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/invoices</c>: what is owed. <see cref="Collection"/> gets the money.</summary>
static class Invoices
{
    const string Common = " auto_advance:bool automatic_tax{enabled:bool!} collection_method:charge_automatically|send_invoice "
        + "days_until_due:int default_payment_method description due_date:int footer metadata:map statement_descriptor";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "invoice", "account_country": "US", "account_name": "LLM Gateway sandbox", "account_tax_ids": null,
         "amount_due": 0, "amount_overpaid": 0, "amount_paid": 0, "amount_remaining": 0, "amount_shipping": 0, "application": null,
         "attempt_count": 0, "attempted": false, "auto_advance": false,
         "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null},
         "automatically_finalizes_at": null, "billing_reason": "manual", "collection_method": "charge_automatically", "created": 0,
         "currency": "", "custom_fields": null, "customer": null, "customer_account": null, "customer_address": null,
         "customer_email": null, "customer_name": null, "customer_phone": null, "customer_shipping": null, "customer_tax_exempt": "none",
         "customer_tax_ids": [], "default_payment_method": null, "default_source": null, "default_tax_rates": [], "description": null,
         "discounts": [], "due_date": null, "effective_at": null, "ending_balance": null, "footer": null, "from_invoice": null,
         "hosted_invoice_url": null, "invoice_pdf": null, "issuer": {"type": "self"}, "last_finalization_error": null,
         "latest_revision": null, "lines": {"object": "list", "data": [], "has_more": false, "url": ""}, "livemode": false,
         "metadata": {}, "next_payment_attempt": null, "number": null, "on_behalf_of": null, "parent": null,
         "payment_settings": {"default_mandate": null, "payment_method_options": null, "payment_method_types": null}, "period_end": 0,
         "period_start": 0, "post_payment_credit_notes_amount": 0, "pre_payment_credit_notes_amount": 0, "receipt_number": null,
         "rendering": null, "shipping_cost": null, "shipping_details": null, "starting_balance": 0, "statement_descriptor": null,
         "status": "draft", "status_transitions": {"finalized_at": null, "marked_uncollectible_at": null, "paid_at": null,
          "voided_at": null}, "subtotal": 0, "subtotal_excluding_tax": 0, "test_clock": null, "total": 0, "total_discount_amounts": [],
         "total_excluding_tax": 0, "total_pretax_credit_amounts": [], "total_taxes": [], "webhooks_delivered_at": null}
        """);

    public static void Map(Routes routes)
    {
        routes.Get("/v1/invoices/*", "", call => call.Subject("invoice"));
        routes.Get(
            "/v1/invoices",
            "created:range customer subscription status collection_method:charge_automatically|send_invoice" + Params.Paging,
            List);
        routes.Post(
            "/v1/invoices", $"customer! currency pending_invoice_items_behavior:exclude|include subscription{Common}", Create);
        routes.Post("/v1/invoices/*", Common, Update);
        routes.Delete("/v1/invoices/*", "", Delete);
        routes.Get("/v1/invoices/*/lines", Params.Paging, call =>
            call.Page(call.Subject("invoice").Object("lines")!.Items("data").Cast<JsonObject>()));
        routes.Post("/v1/invoices/*/finalize", "auto_advance:bool", call =>
        {
            var invoice = call.Subject("invoice");
            Require(invoice, "finalize", "draft");
            Collection.Finalize(call.Account, invoice);
            return invoice;
        });
        routes.Post("/v1/invoices/*/pay", "payment_method paid_out_of_band:bool off_session:bool forgive:bool mandate", Pay);
        routes.Post("/v1/invoices/*/void", "", call => Collection.End(call.Account, Open(call, "void"), "void", "voided"));
        routes.Post("/v1/invoices/*/mark_uncollectible", "", call =>
            Collection.End(call.Account, Open(call, "mark as uncollectible"), "uncollectible", "marked_uncollectible"));
        routes.Post("/v1/invoices/*/send", "", call =>
        {
            var invoice = call.Subject("invoice");
            Require(invoice, "send", "open", "paid", "draft");
            if (invoice.Text("status") == "draft")
            {
                Collection.Finalize(call.Account, invoice);
            }
            call.Account.Emit("invoice.sent", invoice);
            return invoice;
        });
        routes.Post(
            "/v1/invoices/create_preview",
            "customer subscription currency automatic_tax{enabled:bool!} subscription_details{items:[{id price quantity:int deleted:bool}] "
                + "proration_behavior:always_invoice|create_prorations|none proration_date:int cancel_at_period_end:bool} "
                + "preview_mode:next|recurring",
            Previews.Create);
        routes.Get("/v1/invoice_payments", "created:range invoice status" + Params.Paging, call =>
            call.Page("invoice_payment", "invoice", "status"));
        routes.Get("/v1/invoice_payments/*", "", call => call.Subject("invoice_payment"));
    }

    /// <summary>A draft, which is not kept yet.</summary>
    public static JsonObject Draft(Account account, JsonObject customer, string currency, string reason, JsonObject? subscription)
    {
        var invoice = account.New(Shape, "in", account.World.ClockOf(customer));
        (invoice["customer"], invoice["currency"], invoice["billing_reason"]) = (customer.Id(), currency, reason);
        (invoice["customer_email"], invoice["customer_name"]) = (customer.Text("email"), customer.Text("name"));
        invoice.Put("customer_address", customer["address"]);
        (invoice["customer_phone"], invoice["test_clock"]) = (customer.Text("phone"), customer.Text("test_clock"));
        (invoice["period_start"], invoice["period_end"]) = (invoice.Long("created"), invoice.Long("created"));
        invoice["lines"]!["url"] = $"/v1/invoices/{invoice.Id()}/lines";
        if (subscription is not null)
        {
            invoice.Take(subscription, "collection_method", "default_payment_method", "description");
            invoice["automatic_tax"]!["enabled"] = subscription.Object("automatic_tax")!.Is("enabled");
            invoice["parent"] = new JsonObject
            {
                ["quote_details"] = null,
                ["subscription_details"] = new JsonObject
                {
                    ["metadata"] = subscription["metadata"]!.DeepClone(), ["subscription"] = subscription.Id(),
                },
                ["type"] = "subscription_details",
            };
            invoice["_subscription"] = subscription.Id();
        }
        return invoice;
    }

    public static JsonObject Keep(Account account, JsonObject invoice)
    {
        account.Add(invoice);
        invoice["_payments"] = Fields.ListOf([], $"/v1/invoice_payments?invoice={invoice.Id()}");
        account.Emit("invoice.created", invoice);
        return invoice;
    }

    public static void AddLines(Account account, JsonObject invoice, IEnumerable<JsonObject> lines)
    {
        foreach (var line in lines)
        {
            line["invoice"] = invoice.Id();
            ((JsonArray)invoice["lines"]!["data"]!).Add(line);
        }
        Total(account, invoice);
    }

    /// <summary>Puts waiting items on an invoice.</summary>
    public static void Take(Account account, JsonObject invoice, IEnumerable<JsonObject> items)
    {
        var taken = items.ToList();
        foreach (var item in taken)
        {
            item["invoice"] = invoice.Id();
        }
        AddLines(account, invoice, taken.Select(InvoiceLines.OfItem));
    }

    static void Total(Account account, JsonObject invoice)
    {
        var lines = invoice.Object("lines")!.Items("data").Cast<JsonObject>().ToList();
        var (isTaxed, country) = (invoice.Object("automatic_tax")!.Is("enabled"), invoice.Object("customer_address")?.Text("country"));
        var onTop = isTaxed ? lines.Sum(line => InvoiceLines.Tax(line, country)) : 0;
        var taxes = lines.SelectMany(line => line.Items("taxes")).Cast<JsonObject>()
            .GroupBy(tax => (tax.Text("tax_behavior"), tax.Object("tax_rate_details")!.Text("tax_rate")));
        invoice["total_taxes"] = new JsonArray([.. taxes.Select(group =>
        {
            var sum = (JsonObject)group.First().DeepClone();
            sum["amount"] = group.Sum(tax => tax.Long("amount"));
            sum["taxable_amount"] = group.Sum(tax => tax.Long("taxable_amount"));
            return sum;
        })]);
        var within = invoice.Items("total_taxes").Cast<JsonObject>().Sum(tax => tax.Long("amount")) - onTop;
        var subtotal = lines.Sum(line => line.Long("amount"));
        (invoice["subtotal"], invoice["subtotal_excluding_tax"]) = (subtotal, subtotal - within);
        (invoice["total"], invoice["total_excluding_tax"]) = (subtotal + onTop, subtotal - within);
        var balance = account.Find("customer", invoice.Text("customer"))?.Long("balance") ?? 0;
        var due = Math.Max(0, subtotal + onTop + balance);
        (invoice["starting_balance"], invoice["amount_due"], invoice["amount_remaining"]) = (balance, due, due);
        if (isTaxed)
        {
            invoice["automatic_tax"]!["provider"] = "stripe";
            invoice["automatic_tax"]!["status"] = country is null ? "requires_location_inputs" : "complete";
        }
    }

    public static void Require(JsonObject invoice, string verb, params ReadOnlySpan<string> statuses)
    {
        if (!statuses.Contains(invoice.Text("status")!))
        {
            throw Refusal.Invalid(
                $"You cannot {verb} an invoice that is {invoice.Text("status")}.",
                code: verb is "update" or "delete" ? "invoice_not_editable" : "invoice_unexpected_state");
        }
    }

    static JsonObject Open(Call call, string verb)
    {
        var invoice = call.Subject("invoice");
        Require(invoice, verb, "open", "uncollectible");
        return invoice;
    }

    static JsonObject List(Call call) => call.Page(call.Account.Newest("invoice").Where(invoice =>
        (call.Given.Text("subscription") is not { } subscription || invoice.Text("_subscription") == subscription)
        && call.Matches(invoice, "customer", "status", "collection_method")));

    static JsonObject Create(Call call)
    {
        var (account, given) = (call.Account, call.Given);
        var customer = Customers.Given(call)!;
        var subscription = call.Named("subscription", "subscription");
        var metadata = Metadata.Merged(null, given);
        var waiting = given.Text("pending_invoice_items_behavior") == "include" ? InvoiceItems.Waiting(account, customer.Id()) : [];
        var currency = given.Text("currency") ?? waiting.FirstOrDefault()?.Text("currency") ?? "usd";
        var invoice = Draft(account, customer, currency, "manual", subscription);
        invoice["metadata"] = metadata;
        TakeCommon(invoice, given);
        Keep(account, invoice);
        Take(account, invoice, waiting.Where(item => item.Text("currency") == currency));
        if (invoice.Is("auto_advance"))
        {
            Collection.Later(account, invoice);
        }
        return invoice;
    }

    static void TakeCommon(JsonObject invoice, JsonObject given)
    {
        invoice.Take(
            given, "auto_advance", "collection_method", "default_payment_method", "description", "due_date", "footer",
            "statement_descriptor");
        invoice.Merge(given, "automatic_tax");
        if (given.MaybeLong("days_until_due") is { } days)
        {
            invoice["due_date"] = invoice.Long("created") + days * 24 * 60 * 60;
        }
    }

    static JsonObject Update(Call call)
    {
        var invoice = call.Subject("invoice");
        if (call.Given.Any(each => each.Key is not ("metadata" or "expand" or "auto_advance" or "default_payment_method")))
        {
            Require(invoice, "update", "draft");
        }
        var metadata = Metadata.Merged(invoice.Object("metadata"), call.Given);
        call.Account.Change(invoice, "invoice.updated", () =>
        {
            invoice["metadata"] = metadata;
            TakeCommon(invoice, call.Given);
            if (invoice.Text("status") == "draft")
            {
                Total(call.Account, invoice);
            }
        });
        return invoice;
    }

    static JsonObject Delete(Call call)
    {
        var invoice = call.Subject("invoice");
        Require(invoice, "delete", "draft");
        foreach (var item in call.Account.Oldest("invoiceitem").Where(item => item.Text("invoice") == invoice.Id()))
        {
            item["invoice"] = null;
        }
        call.Account.Remove(invoice, leaves: false);
        call.Account.Emit("invoice.deleted", invoice);
        return new() { ["id"] = invoice.Id(), ["object"] = "invoice", ["deleted"] = true };
    }

    static JsonObject Pay(Call call)
    {
        var (account, invoice) = (call.Account, call.Subject("invoice"));
        if (invoice.Text("status") == "paid")
        {
            throw Refusal.Invalid("Invoice is already paid", code: "invoice_already_paid");
        }
        Require(invoice, "pay", "draft", "open", "uncollectible");
        var method = PaymentMethods.Given(call);
        PaymentIntents.CheckOwner(method, invoice.Text("customer"));
        if (invoice.Text("status") == "draft")
        {
            Collection.Finalize(account, invoice);
        }
        if (call.Given.Is("paid_out_of_band"))
        {
            Collection.Paid(account, invoice, null);
        }
        else if (invoice.Text("status") != "paid" && Collection.Collect(account, invoice, method?.Id(), call.Given) is { } refusal)
        {
            throw refusal;
        }
        return invoice;
    }
}
