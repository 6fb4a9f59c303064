using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>The periods of a subscription: each ends with an invoice for what was used in it and for what the next one costs.</summary>
static class Cycles
{
    const long Day = 24 * 60 * 60, Notice = 3 * Day;

    /// <summary>The first period, or the trial.</summary>
    public static void Begin(Account account, JsonObject subscription, Clock clock, long? trialEnd)
    {
        subscription["_periods"] = 0L;
        if (trialEnd is not null)
        {
            (subscription["trial_start"], subscription["trial_end"]) = (clock.Now, trialEnd);
            SetPeriod(subscription, clock.Now, trialEnd.Value);
            Notify(account, subscription, clock, trialEnd.Value - Notice, "customer.subscription.trial_will_end");
        }
        else
        {
            NextPeriod(subscription, clock.Now);
        }
        Schedule(account, subscription);
    }

    public static long Start(JsonObject subscription) => Subscriptions.ItemsOf(subscription).First().Long("current_period_start");

    public static long End(JsonObject subscription) => Subscriptions.ItemsOf(subscription).First().Long("current_period_end");

    /// <summary>Begins a period now, from which all others are counted.</summary>
    public static void Restart(Account account, JsonObject subscription)
    {
        var now = account.World.ClockOf(subscription).Now;
        (subscription["billing_cycle_anchor"], subscription["_periods"]) = (now, 0L);
        NextPeriod(subscription, now);
        Schedule(account, subscription);
    }

    /// <summary>What the items cost for the period that runs.</summary>
    public static List<JsonObject> Licensed(Account account, JsonObject subscription) =>
    [
        .. Subscriptions.ItemsOf(subscription)
            .Where(item => !Prices.IsMetered(item.Object("price")!))
            .SelectMany(item => InvoiceLines.Of(
                account, subscription, item, item.Long("quantity"), Start(subscription), End(subscription))),
    ];

    /// <summary>What was used from a time until before another.</summary>
    public static List<JsonObject> Metered(Account account, JsonObject subscription, long start, long end) =>
    [
        .. Subscriptions.ItemsOf(subscription)
            .Where(item => Prices.IsMetered(item.Object("price")!))
            .SelectMany(item => InvoiceLines.Of(
                account,
                subscription,
                item,
                Meters.Usage(
                    account, item.Object("price")!.Object("recurring")!.Text("meter")!, subscription.Text("customer")!, start, end),
                start,
                end)),
    ];

    /// <summary>Ends the period that is over, with its invoice, and begins the next.</summary>
    public static void Renew(Account account, JsonObject subscription)
    {
        var (start, end) = (Start(subscription), End(subscription));
        var isTrial = subscription.Status() == "trialing";
        if (isTrial && !HasMethod(account, subscription) && EndsWithoutMethod(account, subscription))
        {
            return;
        }
        account.Change(subscription, "customer.subscription.updated", () =>
        {
            NextPeriod(subscription, end);
            subscription["status"] = isTrial ? "active" : subscription.Status();
        });
        Invoice(account, subscription, "subscription_cycle", Metered(account, subscription, start, end), Licensed(account, subscription));
        Schedule(account, subscription);
    }

    /// <summary>An invoice of a subscription, to be finalized in an hour. Without lines there is none.</summary>
    public static JsonObject? Invoice(
        Account account, JsonObject subscription, string reason, List<JsonObject> used, List<JsonObject> coming)
    {
        var customer = account.Get("customer", subscription.Text("customer"));
        var waiting = InvoiceItems.Waiting(account, customer.Id());
        if (used.Count + coming.Count + waiting.Count == 0)
        {
            return null;
        }
        var invoice = Invoices.Draft(account, customer, subscription.Text("currency")!, reason, subscription);
        if (used.Count > 0)
        {
            var period = used[0].Object("period")!;
            (invoice["_usage_start"], invoice["_usage_end"]) = (period.Long("start"), period.Long("end"));
            invoice["period_start"] = period.Long("start");
        }
        Invoices.Keep(account, invoice);
        Invoices.Take(account, invoice, waiting);
        Invoices.AddLines(account, invoice, Marked(used).Concat(coming));
        subscription["latest_invoice"] = invoice.Id();
        var behavior = subscription.Object("pause_collection")?.Text("behavior");
        if (behavior is "void" or "mark_uncollectible")
        {
            Collection.Finalize(account, invoice);
            Collection.End(
                account, invoice, behavior == "void" ? "void" : "uncollectible", behavior == "void" ? "voided" : "marked_uncollectible");
        }
        else if (behavior is null && subscription.Status() != "unpaid")
        {
            Collection.Later(account, invoice);
        }
        return invoice;
    }

    /// <summary>Whether a trial that ends without a payment method ends, or pauses, its subscription.</summary>
    static bool EndsWithoutMethod(Account account, JsonObject subscription)
    {
        var behavior = subscription.Object("trial_settings")?.Object("end_behavior")?.Text("missing_payment_method");
        if (behavior == "cancel")
        {
            SubscriptionChanges.End(account, subscription, "cancellation_requested");
        }
        else if (behavior == "pause")
        {
            Subscriptions.SetStatus(account, subscription, "paused");
            account.Emit("customer.subscription.paused", subscription);
        }
        return behavior is "cancel" or "pause";
    }

    /// <summary>Counts usage again: until an invoice is finalized, what was used in its period may still be reported.</summary>
    public static void Recount(Account account, JsonObject invoice)
    {
        if (invoice.MaybeLong("_usage_start") is not { } start
            || account.Find("subscription", invoice.Text("_subscription")) is not { } subscription)
        {
            return;
        }
        var lines = (JsonArray)invoice.Object("lines")!["data"]!;
        lines.RemoveAll(line => ((JsonObject)line!).Is("_usage"));
        Invoices.AddLines(account, invoice, Marked(Metered(account, subscription, start, invoice.Long("_usage_end"))));
    }

    static List<JsonObject> Marked(List<JsonObject> used)
    {
        used.ForEach(line => line["_usage"] = true);
        return used;
    }

    static bool HasMethod(Account account, JsonObject subscription) =>
        subscription.Text("default_payment_method") is not null
        || account.Find("customer", subscription.Text("customer"))?.Object("invoice_settings")?.Text("default_payment_method") is not null;

    static void NextPeriod(JsonObject subscription, long start)
    {
        var count = subscription.Long("_periods") + 1;
        subscription["_periods"] = count;
        SetPeriod(
            subscription, start, Periods.Add(subscription.Long("billing_cycle_anchor"), Subscriptions.Recurring(subscription), count));
    }

    public static void SetPeriod(JsonObject subscription, long start, long end)
    {
        foreach (var item in Subscriptions.ItemsOf(subscription))
        {
            (item["current_period_start"], item["current_period_end"]) = (start, end);
        }
    }

    /// <summary>Lets the end of the running period come. A period that was restarted meanwhile has an end of its own.</summary>
    public static void Schedule(Account account, JsonObject subscription)
    {
        var (clock, end) = (account.World.ClockOf(subscription), End(subscription));
        Notify(account, subscription, clock, end - Notice, "invoice.upcoming");
        clock.At(end, () =>
        {
            if (End(subscription) != end || subscription.Status() is "canceled" or "incomplete" or "incomplete_expired" or "paused"
                || account.Find("subscription", subscription.Id()) is null)
            {
                return;
            }
            if (subscription.Is("cancel_at_period_end") || subscription.MaybeLong("cancel_at") <= end)
            {
                SubscriptionChanges.End(account, subscription, "cancellation_requested");
                Invoice(account, subscription, "subscription_cycle", Metered(account, subscription, Start(subscription), end), []);
                return;
            }
            Renew(account, subscription);
        });
    }

    static void Notify(Account account, JsonObject subscription, Clock clock, long at, string type)
    {
        if (at <= clock.Now)
        {
            return;
        }
        clock.At(at, () =>
        {
            if (subscription.Status() is "active" or "trialing" && account.Find("subscription", subscription.Id()) is not null)
            {
                account.Emit(type, type == "invoice.upcoming" ? Previews.Upcoming(account, subscription) : subscription);
            }
        });
    }
}
