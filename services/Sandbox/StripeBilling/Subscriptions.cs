using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/subscriptions</c>: their beginning, their states, their end. <see cref="Cycles"/> is what happens between.</summary>
static class Subscriptions
{
    const long Day = 24 * 60 * 60, IncompleteHours = 23;
    const int MaxItems = 20;

    const string Items = "items:[{id price quantity:int metadata:map deleted:bool clear_usage:bool}]";

    const string Common = " automatic_tax{enabled:bool!} cancel_at:int cancel_at_period_end:bool "
        + "collection_method:charge_automatically|send_invoice days_until_due:int default_payment_method description metadata:map "
        + "off_session:bool payment_behavior:allow_incomplete|default_incomplete|error_if_incomplete|pending_if_incomplete "
        + "payment_settings{save_default_payment_method:off|on_subscription payment_method_types:[text]} "
        + "proration_behavior:always_invoice|create_prorations|none trial_end "
        + "trial_settings{end_behavior{missing_payment_method:cancel|create_invoice|pause!}!} "
        + "cancellation_details{comment feedback}";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "subscription", "application": null, "application_fee_percent": null,
         "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null}, "billing_cycle_anchor": 0,
         "billing_cycle_anchor_config": null, "billing_mode": {"flexible": null, "type": "classic"}, "billing_schedules": [],
         "billing_thresholds": null, "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null,
         "cancellation_details": {"comment": null, "feedback": null, "feedback_option": null, "reason": null},
         "collection_method": "charge_automatically", "created": 0, "currency": "", "customer": "", "customer_account": null,
         "days_until_due": null, "default_payment_method": null, "default_source": null, "default_tax_rates": [], "description": null,
         "discounts": [], "ended_at": null, "invoice_settings": {"account_tax_ids": null, "custom_fields": null, "description": null,
          "footer": null, "issuer": {"type": "self"}}, "items": {"object": "list", "data": [], "has_more": false, "url": ""},
         "latest_invoice": null, "livemode": false, "managed_payments": null, "metadata": {}, "next_pending_invoice_item_invoice": null,
         "on_behalf_of": null, "pause_collection": null, "payment_settings": {"payment_method_options": null,
          "payment_method_types": null, "save_default_payment_method": "off"}, "pending_invoice_item_interval": null,
         "pending_setup_intent": null, "pending_update": null, "schedule": null, "start_date": 0, "status": "incomplete",
         "test_clock": null, "transfer_data": null, "trial_end": null,
         "trial_settings": {"end_behavior": {"billing_cycle_anchor": null, "missing_payment_method": "create_invoice"}},
         "trial_start": null}
        """);

    public static void Map(Routes routes)
    {
        routes.Post("/v1/subscriptions", $"customer! currency {Items}! trial_period_days:int{Common}", call => Create(call, call.Given));
        routes.Post(
            "/v1/subscriptions/*",
            $"{Items} billing_cycle_anchor:now|unchanged proration_date:int "
                + $"pause_collection{{behavior:keep_as_draft|mark_uncollectible|void! resumes_at:int}}{Common}",
            SubscriptionChanges.Update);
        routes.Get("/v1/subscriptions/*", "", call => call.Subject("subscription"));
        routes.Get("/v1/subscriptions", "created:range customer price status collection_method test_clock" + Params.Paging, List);
        routes.Delete(
            "/v1/subscriptions/*", "invoice_now:bool prorate:bool cancellation_details{comment feedback}", SubscriptionChanges.Cancel);
        routes.Post(
            "/v1/subscriptions/*/resume", "billing_cycle_anchor:now|unchanged proration_behavior proration_date:int", Resume);
        routes.Get("/v1/subscription_items", "subscription!" + Params.Paging, call =>
            call.Page(call.Named("subscription", "subscription")!.Object("items")!.Items("data").Cast<JsonObject>()));
    }

    /// <summary>The shortest interval under a test clock, in seconds.</summary>
    public static long? Shortest(Account account, string clock) => account.Oldest("subscription")
        .Where(each => each.Text("test_clock") == clock && each.Status() is not ("canceled" or "incomplete_expired"))
        .Select(each => (long?)Periods.Length(Recurring(each)))
        .Min();

    public static IEnumerable<JsonObject> ItemsOf(JsonObject subscription) =>
        subscription.Object("items")!.Items("data").Cast<JsonObject>();

    public static JsonObject Recurring(JsonObject subscription) => ItemsOf(subscription).First().Object("price")!.Object("recurring")!;

    public static JsonObject Create(Call call, JsonObject given)
    {
        var account = call.Account;
        var customer = account.Get("customer", given.Text("customer"), "customer");
        var clock = call.World.ClockOf(customer);
        var prices = given.Items("items").Cast<JsonObject>().Select((item, i) =>
            (Price: RecurringPrice(account, item.Text("price"), $"items[{i}][price]"), Given: item)).ToList();
        if (prices.Count is 0 or > MaxItems)
        {
            throw Refusal.Invalid($"A subscription has between 1 and {MaxItems} items.", "items");
        }
        CheckIntervals(prices.Select(each => each.Price));
        var method = given.Text("default_payment_method") is { } id ? PaymentMethods.Find(call, id, "default_payment_method") : null;
        PaymentIntents.CheckOwner(method, customer.Id());
        var metadata = Metadata.Merged(null, given);
        var trialEnd = TrialEnd(given, clock.Now, prices[0].Price);

        var subscription = account.New(Shape, "sub", clock);
        Take(subscription, given);
        (subscription["customer"], subscription["currency"]) = (customer.Id(), prices[0].Price.Text("currency"));
        (subscription["metadata"], subscription["test_clock"]) = (metadata, customer.Text("test_clock"));
        subscription["default_payment_method"] = method?.Id();
        (subscription["start_date"], subscription["billing_cycle_anchor"]) = (clock.Now, trialEnd ?? clock.Now);
        subscription["items"]!["url"] = $"/v1/subscription_items?subscription={subscription.Id()}";
        foreach (var (price, item) in prices)
        {
            AddItem(account, subscription, price, item.MaybeLong("quantity"), item);
        }
        customer["currency"] ??= subscription.Text("currency");
        account.Add(subscription);
        Cycles.Begin(account, subscription, clock, trialEnd);
        return Start(account, subscription, customer, given, trialEnd);
    }

    static JsonObject Start(Account account, JsonObject subscription, JsonObject customer, JsonObject given, long? trialEnd)
    {
        var clock = account.World.ClockOf(subscription);
        var isAllOrNothing = given.Text("payment_behavior") == "error_if_incomplete";
        if (!isAllOrNothing)
        {
            account.Emit("customer.subscription.created", subscription);
        }
        var invoice = Invoices.Draft(account, customer, subscription.Text("currency")!, "subscription_create", subscription);
        Invoices.Keep(account, invoice);
        Invoices.Take(account, invoice, InvoiceItems.Waiting(account, customer.Id()));
        Invoices.AddLines(account, invoice, trialEnd is null ? Cycles.Licensed(account, subscription) : []);
        subscription["latest_invoice"] = invoice.Id();
        if (trialEnd is not null)
        {
            SetStatus(account, subscription, "trialing");
        }
        if (invoice.Long("amount_due") == 0 || subscription.Text("collection_method") == "send_invoice")
        {
            Collection.Finalize(account, invoice);
            SetStatus(account, subscription, trialEnd is not null ? "trialing" : "active");
        }
        else if (given.Text("payment_behavior") == "default_incomplete")
        {
            Collection.Finalize(account, invoice);
        }
        else if (Collection.Advance(account, invoice) is { } refusal && isAllOrNothing)
        {
            // Nobody is told of what never was.
            account.Remove(subscription, leaves: false);
            throw refusal;
        }
        if (isAllOrNothing)
        {
            account.Emit("customer.subscription.created", subscription);
        }
        if (subscription.Status() == "incomplete")
        {
            clock.After(IncompleteHours * 60 * 60, () => Expire(account, subscription, invoice));
        }
        return subscription;
    }

    static void Expire(Account account, JsonObject subscription, JsonObject invoice)
    {
        if (subscription.Status() == "incomplete")
        {
            Collection.End(account, invoice, "void", "voided");
            subscription["ended_at"] = account.World.ClockOf(subscription).Now;
            SetStatus(account, subscription, "incomplete_expired");
        }
    }

    public static JsonObject RecurringPrice(Account account, string? id, string param)
    {
        var price = account.Get("price", id, param);
        return price.Object("recurring") is not null
            ? price
            : throw Refusal.Invalid(
                "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.", param);
    }

    public static void CheckIntervals(IEnumerable<JsonObject> prices)
    {
        var all = prices.ToList();
        if (all.Select(price => (price.Object("recurring")!.Text("interval"), price.Object("recurring")!.Long("interval_count"))).Distinct()
            .Count() > 1)
        {
            throw Refusal.Invalid("Prices of one subscription have to have the same billing period.", "items");
        }
        if (all.Select(price => price.Text("currency")).Distinct().Count() > 1)
        {
            throw Refusal.Invalid("Prices of one subscription have to have the same currency.", "items");
        }
    }

    static long? TrialEnd(JsonObject given, long now, JsonObject price)
    {
        if (given.Text("trial_end") is { } end and not "now")
        {
            return long.TryParse(end, out var time) && time > now
                ? time
                : throw Refusal.Invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", "trial_end");
        }
        return (given.MaybeLong("trial_period_days") ?? price.Object("recurring")!.MaybeLong("trial_period_days")) is > 0 and { } days
            ? now + days * Day
            : null;
    }

    public static JsonObject AddItem(Account account, JsonObject subscription, JsonObject price, long? quantity, JsonObject given)
    {
        var item = new JsonObject
        {
            ["id"] = StripeIds.New("si"),
            ["object"] = "subscription_item",
            ["billing_thresholds"] = null,
            ["created"] = account.World.ClockOf(subscription).Now,
            ["current_period_end"] = 0L,
            ["current_period_start"] = 0L,
            ["current_trial"] = null,
            ["discounts"] = new JsonArray(),
            ["metadata"] = Metadata.Merged(null, given),
            ["plan"] = Plan(price),
            ["price"] = price.DeepClone(),
            ["subscription"] = subscription.Id(),
            ["tax_rates"] = new JsonArray(),
        };
        if (!Prices.IsMetered(price))
        {
            item["quantity"] = quantity ?? 1;
        }
        else if (quantity is not null)
        {
            throw Refusal.Invalid("You cannot set the quantity for metered plans.", "quantity");
        }
        ((JsonArray)subscription["items"]!["data"]!).Add(item);
        return item;
    }

    /// <summary>The older form of a price.</summary>
    public static JsonObject Plan(JsonObject price)
    {
        var recurring = price.Object("recurring")!;
        var plan = new JsonObject
        {
            ["id"] = price.Id(),
            ["object"] = "plan",
            ["amount"] = price["unit_amount"]?.DeepClone(),
            ["amount_decimal"] = price.Text("unit_amount_decimal"),
            ["transform_usage"] = null,
        };
        plan.Take(price, "active", "billing_scheme", "created", "currency", "livemode", "metadata", "nickname", "product", "tiers_mode");
        plan.Take(recurring, "interval", "interval_count", "meter", "trial_period_days", "usage_type");
        return plan;
    }

    public static void Take(JsonObject subscription, JsonObject given)
    {
        subscription.Take(given, "cancel_at", "cancel_at_period_end", "collection_method", "days_until_due", "description");
        subscription.Merge(given, "automatic_tax", "payment_settings", "cancellation_details");
        if (given.Object("trial_settings") is { } trial)
        {
            subscription.Object("trial_settings")!.Merge(trial, "end_behavior");
        }
    }

    public static void SetStatus(Account account, JsonObject subscription, string status) =>
        account.Change(subscription, "customer.subscription.updated", () => subscription["status"] = status);

    /// <summary>Money has come for an invoice of it.</summary>
    public static void Paid(Account account, JsonObject subscription, JsonObject? intent)
    {
        if (intent is not null && subscription.Object("payment_settings")?.Text("save_default_payment_method") == "on_subscription")
        {
            subscription["default_payment_method"] = intent.Text("payment_method");
        }
        if (subscription.Status() is "incomplete" or "past_due" or "unpaid")
        {
            SetStatus(account, subscription, "active");
        }
    }

    /// <summary>A renewal could not be charged.</summary>
    public static void Failed(Account account, JsonObject subscription, bool isFinal)
    {
        if (subscription.Status() is not ("active" or "past_due" or "trialing"))
        {
            return;
        }
        if (!isFinal)
        {
            SetStatus(account, subscription, "past_due");
        }
        else if (account.World.AfterRetries == "cancel")
        {
            SubscriptionChanges.End(account, subscription, "payment_failed");
        }
        else
        {
            SetStatus(account, subscription, account.World.AfterRetries);
        }
    }

    static JsonObject List(Call call)
    {
        var (given, status) = (call.Given, call.Given.Text("status"));
        return call.Page(call.Account.Newest("subscription").Where(each =>
            (status == "all" || (status is null ? each.Status() != "canceled" : status == "ended"
                ? each.Status() is "canceled" or "incomplete_expired" : each.Status() == status))
            && (given.Text("price") is not { } price || ItemsOf(each).Any(item => item.Object("price")!.Id() == price))
            && call.Matches(each, "customer", "collection_method", "test_clock")));
    }

    static JsonObject Resume(Call call)
    {
        var subscription = call.Subject("subscription");
        if (subscription.Status() != "paused")
        {
            throw Refusal.Invalid($"Only a paused subscription can be resumed, and this one is {subscription.Status()}.");
        }
        SetStatus(call.Account, subscription, "active");
        call.Account.Emit("customer.subscription.resumed", subscription);
        Cycles.Renew(call.Account, subscription);
        return subscription;
    }
}
