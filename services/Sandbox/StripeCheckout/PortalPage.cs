using System.Text;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>The portal: subscriptions to cancel or keep, a card to replace, invoices to read.</summary>
static class PortalPage
{
    public static IResult Show(StripePages.Visit visit)
    {
        var account = visit.World.Platform;
        if (visit.Path is not [var id] || account.Find("billing_portal.session", id) is not { } session)
        {
            throw Refusal.Missing("billing_portal.session", visit.Id, "id");
        }
        var customer = account.Get("customer", session.Text("customer"));
        if (visit.Sent is { } sent)
        {
            if (sent.GetValueOrDefault("step") == "return" && session.Text("return_url") is { } back)
            {
                return StripePages.Back(back);
            }
            Act(visit.World, account, customer, sent);
            if (session.Object("flow")?.Object("after_completion")?.Object("redirect")?.Text("return_url") is { } after)
            {
                return StripePages.Back(after);
            }
        }
        return Page(account, customer, session);
    }

    static void Act(World world, Account account, JsonObject customer, IReadOnlyDictionary<string, string> sent)
    {
        if (sent.GetValueOrDefault("step") == "card")
        {
            var call = new Call(world, account, "/pages/portal", [], new()
            {
                ["payment_method_data"] = new JsonObject
                {
                    ["type"] = "card",
                    ["card"] = new JsonObject
                    {
                        ["number"] = sent.GetValueOrDefault("number"), ["exp_month"] = 12L, ["exp_year"] = 2040L, ["cvc"] = "123",
                    },
                },
            }) { Request = StripeIds.New("req") };
            var method = PaymentMethods.Attach(account, PaymentMethods.Given(call)!, customer);
            account.Change(customer, "customer.updated", () => customer["invoice_settings"]!["default_payment_method"] = method.Id());
            return;
        }
        var subscription = account.Get("subscription", sent.GetValueOrDefault("subscription"));
        if (subscription.Text("customer") != customer.Id() || subscription.Status() == "canceled")
        {
            throw Refusal.Missing("subscription", subscription.Id(), "id");
        }
        SubscriptionChanges.SetCancellation(account, subscription, sent.GetValueOrDefault("step") == "cancel");
    }

    static IResult Page(Account account, JsonObject customer, JsonObject session)
    {
        var page = new StringBuilder("<h2>Subscriptions</h2>");
        foreach (var each in account.Newest("subscription").Where(each => each.Text("customer") == customer.Id()))
        {
            var (step, label) = each.Is("cancel_at_period_end") ? ("keep", "Keep") : ("cancel", "Cancel at the end of the period");
            page.Append($"<form method=\"post\"><p>{Html.Text(each.Id())}: {Html.Text(each.Status())}</p>")
                .Append($"<input type=\"hidden\" name=\"subscription\" value=\"{Html.Text(each.Id())}\">");
            page.Append(each.Status() == "canceled" ? "" : Html.Button("step", step, label)).Append("</form>");
        }
        page.Append("<h2>Card</h2><form method=\"post\">").Append(Html.Field("number", "Card number", "4242424242424242"))
            .Append(Html.Button("step", "card", "Use this card")).Append("</form><h2>Invoices</h2><table>");
        foreach (var invoice in account.Newest("invoice").Where(each => each.Text("customer") == customer.Id()).Take(50))
        {
            page.Append($"<tr><td><a href=\"{Html.Text(invoice.Text("hosted_invoice_url"))}\">{Html.Text(invoice.Text("number"))}</a></td>")
                .Append($"<td>{Amounts.Text(invoice.Long("total"), invoice.Text("currency")!)}</td>")
                .Append($"<td>{Html.Text(invoice.Text("status"))}</td></tr>");
        }
        page.Append("</table>");
        if (session.Text("return_url") is not null)
        {
            page.Append("<form method=\"post\">").Append(Html.Button("step", "return", "Return", isPlain: true)).Append("</form>");
        }
        return Html.Page("Your plan", page.ToString());
    }
}
