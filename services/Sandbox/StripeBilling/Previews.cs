using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>Invoices that are not there: what the next one would be, as it is or after a change.</summary>
static class Previews
{
    public static JsonObject Create(Call call)
    {
        var (account, given) = (call.Account, call.Given);
        var subscription = call.Named("subscription", "subscription");
        var details = given.Object("subscription_details");
        if (subscription is null)
        {
            var customer = Customers.Given(call)
                ?? throw Refusal.Invalid("Missing required param: customer.", "customer", "parameter_missing");
            return Preview(account, customer, null, InvoiceItems.Waiting(account, customer.Id()).Select(InvoiceLines.OfItem), given);
        }
        if (details is null)
        {
            return Upcoming(account, subscription);
        }
        var changes = SubscriptionChanges.Read(account, subscription, details);
        var at = details.MaybeLong("proration_date") ?? call.World.ClockOf(subscription).Now;
        var behavior = details.Text("proration_behavior") ?? "create_prorations";
        var prorations = behavior == "none" ? [] : SubscriptionChanges.Prorations(account, subscription, changes, at);
        var lines = behavior == "always_invoice" ? prorations : prorations.Concat(Next(account, subscription, changes));
        return Preview(account, account.Get("customer", subscription.Text("customer")), subscription, lines, given);
    }

    public static JsonObject Upcoming(Account account, JsonObject subscription)
    {
        var customer = account.Get("customer", subscription.Text("customer"));
        var waiting = InvoiceItems.Waiting(account, customer.Id()).Select(InvoiceLines.OfItem);
        var used = Cycles.Metered(account, subscription, Cycles.Start(subscription), Cycles.End(subscription));
        return Preview(account, customer, subscription, waiting.Concat(used).Concat(Next(account, subscription, [])), []);
    }

    static JsonObject Preview(
        Account account, JsonObject customer, JsonObject? subscription, IEnumerable<JsonObject> lines, JsonObject given)
    {
        var currency = subscription?.Text("currency") ?? given.Text("currency") ?? "usd";
        var invoice = Invoices.Draft(account, customer, currency, "upcoming", subscription);
        invoice["id"] = "upcoming_" + invoice.Id();
        invoice.Merge(given, "automatic_tax");
        Invoices.AddLines(account, invoice, lines);
        return invoice;
    }

    /// <summary>The licensed items of the next period, with changes made.</summary>
    static List<JsonObject> Next(Account account, JsonObject subscription, List<SubscriptionChanges.Change> changes)
    {
        var start = Cycles.End(subscription);
        var end = Periods.Add(
            subscription.Long("billing_cycle_anchor"), Subscriptions.Recurring(subscription), subscription.Long("_periods") + 1);
        var staying = Subscriptions.ItemsOf(subscription).Where(item => !changes.Exists(change => change.Item == item))
            .Select(item => (JsonObject)item.DeepClone());
        var coming = changes.Where(change => change.Price is not null).Select(change => new JsonObject
        {
            ["id"] = change.Item?.Id() ?? "si_new", ["price"] = change.Price!.DeepClone(), ["quantity"] = change.Quantity,
        });
        return
        [
            .. staying.Concat(coming).Where(item => !Prices.IsMetered(item.Object("price")!)).SelectMany(item =>
                InvoiceLines.Of(account, subscription, item, item.Long("quantity"), start, end)),
        ];
    }
}
