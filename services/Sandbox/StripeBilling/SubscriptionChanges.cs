using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>Changes of a subscription within its period, and what of the period they cost or give back; its end.</summary>
static class SubscriptionChanges
{
    /// <summary>An item as it is to be. Without a price it goes, without an id it comes.</summary>
    public sealed record Change(JsonObject? Item, JsonObject? Price, long Quantity, JsonObject Given);

    public static JsonObject Update(Call call)
    {
        var (account, given) = (call.Account, call.Given);
        var subscription = call.Subject("subscription");
        if (subscription.Status() is "canceled" or "incomplete_expired"
            && given.Any(each => each.Key is not ("metadata" or "expand" or "cancellation_details")))
        {
            throw Refusal.Invalid("A canceled subscription can only update its cancellation_details and metadata.");
        }
        var changes = Read(account, subscription, given);
        var method = given.Text("default_payment_method") is { } id ? PaymentMethods.Find(call, id, "default_payment_method") : null;
        PaymentIntents.CheckOwner(method, subscription.Text("customer"));
        var metadata = Metadata.Merged(subscription.Object("metadata"), given);
        var at = given.MaybeLong("proration_date") ?? call.World.ClockOf(subscription).Now;
        var behavior = given.Text("proration_behavior") ?? "create_prorations";
        var prorations = behavior == "none" || subscription.Status() == "trialing" ? [] : Prorations(account, subscription, changes, at);
        var (oldInterval, before) = (Interval(subscription), subscription.DeepClone().AsObject());

        account.Change(subscription, "customer.subscription.updated", () =>
        {
            subscription["metadata"] = metadata;
            Subscriptions.Take(subscription, given);
            subscription["default_payment_method"] = method?.Id() ?? subscription.Text("default_payment_method");
            if (given.ContainsKey("cancel_at_period_end") || given.ContainsKey("cancel_at"))
            {
                TakeCancellation(account, subscription, given);
            }
            if (given.ContainsKey("pause_collection"))
            {
                subscription["pause_collection"] = given.Object("pause_collection") is { } pause
                    ? new JsonObject { ["behavior"] = pause.Text("behavior"), ["resumes_at"] = pause.MaybeLong("resumes_at") }
                    : null;
            }
            Apply(account, subscription, changes);
        });
        foreach (var line in prorations)
        {
            InvoiceItems.Keep(account, subscription, line);
        }
        Follow(call, subscription, behavior, oldInterval, before);
        return subscription;
    }

    static void Follow(Call call, JsonObject subscription, string behavior, string oldInterval, JsonObject before)
    {
        var (account, given) = (call.Account, call.Given);
        if (given.Text("trial_end") == "now" && subscription.Status() == "trialing")
        {
            subscription["trial_end"] = call.World.ClockOf(subscription).Now;
            Cycles.SetPeriod(subscription, Cycles.Start(subscription), subscription.Long("trial_end"));
            subscription["billing_cycle_anchor"] = subscription.Long("trial_end");
            Cycles.Renew(account, subscription);
            Pay(call, subscription, account.Get("invoice", subscription.Text("latest_invoice")), before);
        }
        else if (given.Text("billing_cycle_anchor") == "now" || Interval(subscription) != oldInterval)
        {
            Cycles.Restart(account, subscription);
            var invoice = Cycles.Invoice(account, subscription, "subscription_update", [], Cycles.Licensed(account, subscription));
            Pay(call, subscription, invoice, before);
        }
        else if (behavior == "always_invoice")
        {
            Pay(call, subscription, Cycles.Invoice(account, subscription, "subscription_update", [], []), before);
        }
    }

    /// <summary>Where it is asked so, what cannot be paid is not changed. The charge that has failed stays, as at Stripe.</summary>
    static void Pay(Call call, JsonObject subscription, JsonObject? invoice, JsonObject before)
    {
        if (invoice is not null && Collection.Advance(call.Account, invoice) is { } refusal
            && call.Given.Text("payment_behavior") == "error_if_incomplete")
        {
            Collection.End(call.Account, invoice, "void", "voided");
            call.Account.Change(subscription, "customer.subscription.updated", () =>
            {
                foreach (var (name, value) in before)
                {
                    subscription[name] = value?.DeepClone();
                }
            });
            throw refusal;
        }
    }

    /// <summary>What of the running period changes cost: the rest of the old price back, the rest of the new one on top.</summary>
    public static List<JsonObject> Prorations(Account account, JsonObject subscription, List<Change> changes, long at)
    {
        var (start, end) = (Cycles.Start(subscription), Cycles.End(subscription));
        var (rest, whole) = (end - at, end - start);
        var lines = new List<JsonObject>();
        foreach (var change in changes)
        {
            if (change.Item is { } item && !Prices.IsMetered(item.Object("price")!))
            {
                var old = Share(Prices.Cost(item.Object("price")!, item.Long("quantity")));
                lines.Add(InvoiceLines.Proration(
                    subscription, item, -old, $"Unused time on {Name(account, item.Object("price")!)}", at, end));
            }
            if (change.Price is { } price && !Prices.IsMetered(price))
            {
                var coming = new JsonObject
                {
                    ["id"] = change.Item?.Id() ?? "si_new", ["price"] = price.DeepClone(), ["quantity"] = change.Quantity,
                };
                var cost = Share(Prices.Cost(price, change.Quantity));
                lines.Add(InvoiceLines.Proration(
                    subscription, coming, cost, $"Remaining time on {Name(account, price)}", at, end));
            }
        }
        return lines;

        long Share(long cost) => whole == 0 ? 0 : (long)Math.Round((decimal)cost * rest / whole, MidpointRounding.AwayFromZero);
    }

    /// <summary>What the items are to be. Those that stay as they are, are left out.</summary>
    public static List<Change> Read(Account account, JsonObject subscription, JsonObject given)
    {
        var changes = new List<Change>();
        foreach (var (i, each) in given.Items("items").Cast<JsonObject>().Index())
        {
            var item = each.Text("id") is { } id
                ? Subscriptions.ItemsOf(subscription).FirstOrDefault(known => known.Id() == id)
                    ?? throw Refusal.Missing("subscription_item", id, $"items[{i}][id]")
                : null;
            var price = each.Is("deleted")
                ? null
                : each.Text("price") is { } name
                    ? Subscriptions.RecurringPrice(account, name, $"items[{i}][price]")
                    : item?.Object("price") ?? throw Refusal.Invalid("An item needs a price.", $"items[{i}][price]", "parameter_missing");
            var quantity = each.MaybeLong("quantity") ?? item?.MaybeLong("quantity") ?? 1;
            if (item is null || price?.Id() != item.Object("price")!.Id() || quantity != (item.MaybeLong("quantity") ?? 1))
            {
                changes.Add(new(item, price, quantity, each));
            }
        }
        var left = Subscriptions.ItemsOf(subscription)
            .Where(item => !changes.Exists(change => change.Item == item)).Select(item => item.Object("price")!)
            .Concat(changes.Where(change => change.Price is not null).Select(change => change.Price!)).ToList();
        if (left.Count == 0)
        {
            throw Refusal.Invalid("A subscription must have at least one active item.", "items");
        }
        Subscriptions.CheckIntervals(left);
        return changes;
    }

    static void Apply(Account account, JsonObject subscription, List<Change> changes)
    {
        var (start, end) = (Cycles.Start(subscription), Cycles.End(subscription));
        foreach (var (item, price, quantity, given) in changes)
        {
            if (price is null)
            {
                ((JsonArray)subscription["items"]!["data"]!).Remove(item!);
            }
            else if (item is null)
            {
                Subscriptions.AddItem(account, subscription, price, Prices.IsMetered(price) ? null : quantity, given);
            }
            else
            {
                item.Put("price", price.DeepClone());
                item["plan"] = Subscriptions.Plan(price);
                if (Prices.IsMetered(price))
                {
                    item.Remove("quantity");
                }
                else
                {
                    item["quantity"] = quantity;
                }
            }
        }
        Cycles.SetPeriod(subscription, start, end);
    }

    static void TakeCancellation(Account account, JsonObject subscription, JsonObject given)
    {
        var (isAtEnd, at) = (subscription.Is("cancel_at_period_end"), given.MaybeLong("cancel_at"));
        var now = account.World.ClockOf(subscription).Now;
        subscription["cancel_at"] = isAtEnd ? Cycles.End(subscription) : at;
        subscription["canceled_at"] = isAtEnd || at is not null ? now : null;
        subscription["cancellation_details"]!["reason"] = isAtEnd || at is not null ? "cancellation_requested" : null;
        if (at is { } time && !isAtEnd)
        {
            account.World.ClockOf(subscription).At(time, () =>
            {
                if (subscription.MaybeLong("cancel_at") == time && subscription.Status() is not ("canceled" or "incomplete_expired"))
                {
                    End(account, subscription, "cancellation_requested");
                }
            });
        }
    }

    /// <summary>Lets a subscription end with its period, or not after all.</summary>
    public static void SetCancellation(Account account, JsonObject subscription, bool isWanted) =>
        account.Change(subscription, "customer.subscription.updated", () =>
        {
            subscription["cancel_at_period_end"] = isWanted;
            TakeCancellation(account, subscription, []);
        });

    public static JsonObject Cancel(Call call)
    {
        var (account, subscription) = (call.Account, call.Subject("subscription"));
        if (subscription.Status() is "canceled" or "incomplete_expired")
        {
            throw Refusal.Missing("subscription", subscription.Id(), "id");
        }
        var now = call.World.ClockOf(subscription).Now;
        if (call.Given.Is("prorate"))
        {
            var all = Subscriptions.ItemsOf(subscription).Select(item => new Change(item, null, 0, [])).ToList();
            foreach (var line in Prorations(account, subscription, all, now))
            {
                InvoiceItems.Keep(account, subscription, line);
            }
        }
        subscription.Merge(call.Given, "cancellation_details");
        var used = call.Given.Is("invoice_now") ? Cycles.Metered(account, subscription, Cycles.Start(subscription), now) : [];
        End(account, subscription, "cancellation_requested");
        if (call.Given.Is("invoice_now") && Cycles.Invoice(account, subscription, "subscription_update", used, []) is { } invoice)
        {
            Collection.Advance(account, invoice);
        }
        return subscription;
    }

    public static void End(Account account, JsonObject subscription, string reason)
    {
        var now = account.World.ClockOf(subscription).Now;
        (subscription["status"], subscription["ended_at"]) = ("canceled", now);
        subscription["canceled_at"] ??= now;
        subscription["cancellation_details"]!["reason"] = reason;
        account.Emit("customer.subscription.deleted", subscription);
    }

    static string Interval(JsonObject subscription) =>
        $"{Subscriptions.Recurring(subscription).Text("interval")} {Subscriptions.Recurring(subscription).Long("interval_count")}";

    static string? Name(Account account, JsonObject price) => account.Find("product", price.Text("product"))?.Text("name");
}
