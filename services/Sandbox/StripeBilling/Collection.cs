using System.Globalization;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// How an invoice is paid: finalized an hour after a period has begun, charged to the default method, tried again after three, five and
/// seven days. What is unpaid then ends the subscription, unless the sandbox is ordered otherwise.
/// </summary>
static class Collection
{
    const long Hour = 60 * 60, Day = 24 * Hour;

    static readonly long[] Retries = [3 * Day, 5 * Day, 7 * Day];

    /// <summary>Finalizes and collects a draft by itself.</summary>
    public static void Later(Account account, JsonObject invoice)
    {
        var clock = account.World.ClockOf(invoice);
        invoice["auto_advance"] = true;
        invoice["automatically_finalizes_at"] = clock.Now + Hour;
        clock.After(Hour, () =>
        {
            if (invoice.Text("status") == "draft" && invoice.Is("auto_advance"))
            {
                Advance(account, invoice);
            }
        });
    }

    /// <summary>Finalizes a draft, and charges it unless the customer pays by themselves.</summary>
    public static Refusal? Advance(Account account, JsonObject invoice, JsonObject? given = null)
    {
        Finalize(account, invoice);
        return invoice.Text("status") == "open" && invoice.Text("collection_method") == "charge_automatically"
            ? Collect(account, invoice, null, given ?? [])
            : null;
    }

    /// <exception cref="Refusal">The tax cannot be computed.</exception>
    public static void Finalize(Account account, JsonObject invoice)
    {
        var clock = account.World.ClockOf(invoice);
        Cycles.Recount(account, invoice);
        if (invoice.Object("automatic_tax")!.Text("status") == "requires_location_inputs")
        {
            var refusal = Refusal.Invalid(
                "The customer's location isn't recognized. Set a valid customer address in order to automatically calculate tax.",
                code: "customer_tax_location_invalid");
            var error = refusal.Body(account.Id, "req_sandbox").Object("error")!;
            error.Remove("request_log_url");
            invoice.Put("last_finalization_error", error);
            account.Emit("invoice.finalization_failed", invoice);
            throw refusal;
        }
        var customer = account.Get("customer", invoice.Text("customer"));
        var number = customer.Long("next_invoice_sequence");
        customer["next_invoice_sequence"] = number + 1;
        invoice["number"] = $"{customer.Text("invoice_prefix")}-{number.ToString("D4", CultureInfo.InvariantCulture)}";
        var used = invoice.Long("total") - invoice.Long("amount_due");
        customer["balance"] = customer.Long("balance") + used;
        invoice["ending_balance"] = customer.Long("balance");
        invoice["status"] = "open";
        invoice["status_transitions"]!["finalized_at"] = clock.Now;
        (invoice["effective_at"], invoice["automatically_finalizes_at"]) = (clock.Now, null);
        var page = $"{account.World.Address}/pages/invoice/{account.World.Name}/{invoice.Id()}";
        (invoice["hosted_invoice_url"], invoice["invoice_pdf"]) = (page, page + "/pdf");
        account.Emit("invoice.finalized", invoice);
        if (invoice.Long("amount_due") == 0)
        {
            Paid(account, invoice, null);
            return;
        }
        var intent = PaymentIntents.For(
            account,
            customer,
            invoice.Long("amount_due"),
            invoice.Text("currency")!,
            Method(account, invoice),
            invoice.Text("description"));
        intent["_invoice"] = invoice.Id();
        intent["setup_future_usage"] = invoice.Text("_subscription") is null ? null : "off_session";
        invoice["_intent"] = intent.Id();
        invoice["_confirmation_secret"] = new JsonObject
        {
            ["client_secret"] = intent.Text("client_secret"), ["type"] = "payment_intent",
        };
        AddPayment(account, invoice, intent, clock.Now);
    }

    static void AddPayment(Account account, JsonObject invoice, JsonObject intent, long now)
    {
        var payment = account.Add(new()
        {
            ["id"] = StripeIds.New("inpay"),
            ["object"] = "invoice_payment",
            ["amount_paid"] = null,
            ["amount_requested"] = invoice.Long("amount_due"),
            ["created"] = now,
            ["currency"] = invoice.Text("currency"),
            ["invoice"] = invoice.Id(),
            ["is_default"] = true,
            ["livemode"] = false,
            ["payment"] = new JsonObject { ["payment_intent"] = intent.Id(), ["type"] = "payment_intent" },
            ["status"] = "open",
            ["status_transitions"] = new JsonObject { ["canceled_at"] = null, ["paid_at"] = null },
        });
        ((JsonArray)invoice["_payments"]!["data"]!).Add(payment);
    }

    static string? Method(Account account, JsonObject invoice) =>
        invoice.Text("default_payment_method")
        ?? account.Find("subscription", invoice.Text("_subscription"))?.Text("default_payment_method")
        ?? account.Find("customer", invoice.Text("customer"))?.Object("invoice_settings")?.Text("default_payment_method");

    /// <summary>What stands in the way of the payment, or null.</summary>
    public static Refusal? Collect(Account account, JsonObject invoice, string? method, JsonObject given)
    {
        var intent = account.Get("payment_intent", invoice.Text("_intent"));
        invoice["attempted"] = true;
        invoice["attempt_count"] = invoice.Long("attempt_count") + 1;
        intent["payment_method"] = method ?? Method(account, invoice);
        var refusal = Confirmation.Try(account, intent, given);
        if (refusal is not null && intent.Text("payment_method") is null && intent["last_payment_error"] is null)
        {
            // Without any method there was no attempt at the bank, and nobody has told the invoice.
            Failed(account, invoice);
        }
        return refusal;
    }

    /// <summary>What has become of an intent of an invoice.</summary>
    public static void Settled(Account account, JsonObject intent)
    {
        if (account.Find("invoice", intent.Text("_invoice")) is not { } invoice || invoice.Text("status") is "paid" or "void")
        {
            return;
        }
        switch (intent.Status())
        {
            case "succeeded":
                Paid(account, invoice, intent);
                break;
            case "requires_action":
                account.Emit("invoice.payment_action_required", invoice);
                break;
            case "requires_payment_method":
                Failed(account, invoice);
                break;
        }
    }

    public static void Paid(Account account, JsonObject invoice, JsonObject? intent)
    {
        var now = account.World.ClockOf(invoice).Now;
        (invoice["status"], invoice["next_payment_attempt"]) = ("paid", null);
        invoice["attempted"] = true;
        (invoice["amount_paid"], invoice["amount_remaining"]) = (intent is null ? 0 : invoice.Long("amount_due"), 0);
        invoice["status_transitions"]!["paid_at"] = now;
        if (intent is not null)
        {
            var payment = account.Newest("invoice_payment").First(each => each.Text("invoice") == invoice.Id());
            (payment["status"], payment["amount_paid"]) = ("paid", invoice.Long("amount_due"));
            payment["status_transitions"]!["paid_at"] = now;
            account.Emit("invoice_payment.paid", payment);
        }
        account.Emit("invoice.paid", invoice);
        account.Emit("invoice.payment_succeeded", invoice);
        if (account.Find("subscription", invoice.Text("_subscription")) is { } subscription)
        {
            Subscriptions.Paid(account, subscription, intent);
        }
    }

    static void Failed(Account account, JsonObject invoice)
    {
        var subscription = account.Find("subscription", invoice.Text("_subscription"));
        var clock = account.World.ClockOf(invoice);
        var isFirst = invoice.Text("billing_reason") == "subscription_create";
        var tries = (int)invoice.Long("attempt_count") - 1;
        var pause = !isFirst && tries >= 0 && tries < Retries.Length ? Retries[tries] : (long?)null;
        invoice["next_payment_attempt"] = clock.Now + pause;
        account.Emit("invoice.payment_failed", invoice);
        if (subscription is null || isFirst)
        {
            return;
        }
        Subscriptions.Failed(account, subscription, isFinal: pause is null);
        if (pause is { } seconds)
        {
            clock.After(seconds, () =>
            {
                if (invoice.Text("status") == "open" && subscription.Status() == "past_due")
                {
                    Collect(account, invoice, null, []);
                }
            });
        }
    }

    public static JsonObject End(Account account, JsonObject invoice, string status, string transition)
    {
        invoice["status"] = status;
        invoice["status_transitions"]![transition + "_at"] = account.World.ClockOf(invoice).Now;
        invoice["next_payment_attempt"] = null;
        if (status == "void" && account.Find("payment_intent", invoice.Text("_intent")) is { } intent)
        {
            PaymentIntents.Drop(account, intent, "void_invoice");
        }
        account.Emit("invoice." + transition, invoice);
        return invoice;
    }
}
