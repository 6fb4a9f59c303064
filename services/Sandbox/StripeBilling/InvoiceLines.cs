using System.Globalization;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>Lines of invoices, from subscription items, from their usage, and from invoice items.</summary>
static class InvoiceLines
{
    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "line_item", "amount": 0, "currency": "", "description": null, "discount_amounts": [], "discountable": true,
         "discounts": [], "invoice": null, "livemode": false, "metadata": {}, "parent": null, "period": {"end": 0, "start": 0},
         "pretax_credit_amounts": [], "pricing": null, "quantity": null, "quantity_decimal": null, "subscription": null, "subtotal": 0,
         "taxes": []}
        """);

    /// <summary>What an item costs for a period; one line for each tier that is reached.</summary>
    public static IEnumerable<JsonObject> Of(Account account, JsonObject subscription, JsonObject item, long quantity, long start, long end)
    {
        var price = item.Object("price")!;
        var product = account.Find("product", price.Text("product"))?.Text("name");
        foreach (var (i, (part, unit, amount)) in Prices.Costs(price, quantity).ToList().Index())
        {
            var tier = price.Text("billing_scheme") == "tiered" ? $"Tier {i + 1} " : "";
            var text = $"{part} × {product} ({tier}at {unit.ToString(CultureInfo.InvariantCulture)} cents)";
            yield return Line(subscription, item, amount, part, text, start, end, isProration: false);
        }
    }

    public static JsonObject Proration(JsonObject subscription, JsonObject item, long amount, string text, long start, long end) =>
        Line(subscription, item, amount, item.MaybeLong("quantity") ?? 1, text, start, end, isProration: true);

    static JsonObject Line(
        JsonObject subscription, JsonObject item, long amount, long quantity, string text, long start, long end, bool isProration)
    {
        var price = item.Object("price")!;
        var line = New(subscription.Text("currency")!, amount, text, start, end);
        line["subscription"] = subscription.Id();
        Price(line, price, quantity);
        line["parent"] = new JsonObject
        {
            ["invoice_item_details"] = null,
            ["subscription_item_details"] = new JsonObject
            {
                ["invoice_item"] = null,
                ["proration"] = isProration,
                ["proration_details"] = new JsonObject { ["credited_items"] = null },
                ["subscription"] = subscription.Id(),
                ["subscription_item"] = item.Id(),
            },
            ["type"] = "subscription_item_details",
        };
        line["_behavior"] = price.Text("tax_behavior");
        return line;
    }

    /// <summary>An invoice item as it is on its invoice.</summary>
    public static JsonObject OfItem(JsonObject item)
    {
        var line = New(
            item.Text("currency")!, item.Long("amount"), item.Text("description"), item.Object("period")!.Long("start"),
            item.Object("period")!.Long("end"));
        line.Take(item, "metadata", "quantity", "quantity_decimal", "pricing", "discountable");
        line["subscription"] = item.Object("parent")?.Object("subscription_details")?.Text("subscription");
        line["parent"] = new JsonObject
        {
            ["invoice_item_details"] = new JsonObject
            {
                ["invoice_item"] = item.Id(),
                ["proration"] = item.Is("proration"),
                ["proration_details"] = new JsonObject { ["credited_items"] = null },
                ["subscription"] = line.Text("subscription"),
            },
            ["subscription_item_details"] = null,
            ["type"] = "invoice_item_details",
        };
        line["_behavior"] = item.Text("_behavior");
        return line;
    }

    public static void Price(JsonObject line, JsonObject price, long quantity)
    {
        line["quantity"] = quantity;
        line["quantity_decimal"] = quantity.ToString(CultureInfo.InvariantCulture);
        line["pricing"] = new JsonObject
        {
            ["price_details"] = new JsonObject { ["price"] = price.Id(), ["product"] = price.Text("product") },
            ["type"] = "price_details",
            ["unit_amount_decimal"] = price.Text("unit_amount_decimal"),
        };
    }

    /// <summary>Puts the tax of a country on a line.</summary>
    /// <returns>What comes on top of its amount.</returns>
    public static long Tax(JsonObject line, string? country)
    {
        var rate = Taxes.RateOf(country);
        var isInclusive = line.Text("_behavior") == "inclusive";
        var tax = Taxes.Of(line.Long("amount"), rate, isInclusive);
        line["taxes"] = rate == 0 ? new JsonArray() : new JsonArray(new JsonObject
        {
            ["amount"] = tax,
            ["tax_behavior"] = isInclusive ? "inclusive" : "exclusive",
            ["tax_rate_details"] = new JsonObject { ["tax_rate"] = $"txr_sandbox{country}" },
            ["taxability_reason"] = "standard_rated",
            ["taxable_amount"] = line.Long("amount") - (isInclusive ? tax : 0),
            ["type"] = "tax_rate_details",
        });
        return isInclusive ? 0 : tax;
    }

    static JsonObject New(string currency, long amount, string? text, long start, long end)
    {
        var line = (JsonObject)Shape.DeepClone();
        (line["id"], line["currency"], line["description"]) = (StripeIds.New("il"), currency, text);
        (line["amount"], line["subtotal"]) = (amount, amount);
        line["period"] = new JsonObject { ["end"] = end, ["start"] = start };
        return line;
    }
}
