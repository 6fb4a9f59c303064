using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>The hosted page of an invoice.</summary>
static class InvoicePage
{
    public static IResult Show(StripePages.Visit visit)
    {
        if (visit.Path is not [var id, ..] || visit.World.Platform.Find("invoice", id) is not { } invoice)
        {
            throw Refusal.Missing("invoice", visit.Id, "id");
        }
        var currency = invoice.Text("currency")!;
        var lines = invoice.Object("lines")!.Items("data").Cast<JsonObject>().Select(line =>
            $"<tr><td>{Html.Text(line.Text("description"))}</td><td>{Amounts.Text(line.Long("amount"), currency)}</td></tr>");
        return Html.Page(
            $"Invoice {invoice.Text("number")}",
            $"<table>{string.Concat(lines)}<tr><th>Total</th><th>{Amounts.Text(invoice.Long("total"), currency)}</th></tr></table>"
                + $"<p>Status: {Html.Text(invoice.Text("status"))}</p>");
    }
}
