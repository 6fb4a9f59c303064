using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/invoiceitems</c>: what waits for the customer's next invoice.</summary>
static class InvoiceItems
{
    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "invoiceitem", "amount": 0, "currency": "", "customer": "", "customer_account": null, "date": 0,
         "description": null, "discountable": true, "discounts": [], "invoice": null, "livemode": false, "metadata": {}, "parent": null,
         "period": {"end": 0, "start": 0}, "pricing": null, "proration": false, "quantity": 1, "quantity_decimal": "1", "tax_rates": [],
         "test_clock": null}
        """);

    public static void Map(Routes routes)
    {
        routes.Read("/v1/invoiceitems", "invoiceitem", "customer", "invoice");
        routes.Post(
            "/v1/invoiceitems",
            "customer! amount:int currency description metadata:map invoice subscription quantity:int pricing{price} "
                + "price_data{currency! product! unit_amount:int unit_amount_decimal:number tax_behavior:exclusive|inclusive|unspecified} "
                + "period{start:int! end:int!} discountable:bool tax_behavior:exclusive|inclusive|unspecified tax_code "
                + "unit_amount_decimal:number",
            Create);
        routes.Post("/v1/invoiceitems/*", "amount:int description metadata:map", call =>
        {
            var item = Open(call);
            var metadata = Metadata.Merged(item.Object("metadata"), call.Given);
            item.Take(call.Given, "amount", "description");
            item["metadata"] = metadata;
            return item;
        });
        routes.Delete("/v1/invoiceitems/*", "", call =>
        {
            var item = Open(call);
            call.Account.Remove(item, leaves: false);
            call.Account.Emit("invoiceitem.deleted", item);
            return new() { ["id"] = item.Id(), ["object"] = "invoiceitem", ["deleted"] = true };
        });
    }

    /// <summary>What waits for an invoice of a customer, oldest first.</summary>
    public static List<JsonObject> Waiting(Account account, string customer) =>
        [.. account.Oldest("invoiceitem").Where(item => item.Text("customer") == customer && item.Text("invoice") is null)];

    /// <summary>Keeps a proration for the next invoice.</summary>
    public static JsonObject Keep(Account account, JsonObject subscription, JsonObject line)
    {
        var item = account.New(Shape, "ii");
        item.Take(line, "amount", "currency", "description", "quantity", "quantity_decimal", "pricing", "period");
        item.Take(subscription, "customer", "test_clock");
        (item["date"], item["proration"], item["_behavior"]) = (account.World.ClockOf(subscription).Now, true, line.Text("_behavior"));
        item["parent"] = new JsonObject
        {
            ["subscription_details"] = new JsonObject
            {
                ["subscription"] = subscription.Id(),
                ["subscription_item"] = line.Object("parent")!.Object("subscription_item_details")!.Text("subscription_item"),
            },
            ["type"] = "subscription_details",
        };
        account.Add(item);
        account.Emit("invoiceitem.created", item);
        return item;
    }

    /// <summary>A price that is paid once, with the next invoice.</summary>
    public static JsonObject OfPrice(Account account, JsonObject customer, JsonObject price, long quantity)
    {
        var now = account.World.ClockOf(customer).Now;
        var item = account.New(Shape, "ii");
        (item["customer"], item["amount"], item["currency"]) = (customer.Id(), Prices.Cost(price, quantity), price.Text("currency"));
        (item["date"], item["test_clock"], item["_behavior"]) = (now, customer.Text("test_clock"), price.Text("tax_behavior"));
        item["description"] = account.Find("product", price.Text("product"))?.Text("name");
        item["period"] = new JsonObject { ["end"] = now, ["start"] = now };
        InvoiceLines.Price(item, price, quantity);
        account.Add(item);
        account.Emit("invoiceitem.created", item);
        return item;
    }

    static JsonObject Create(Call call)
    {
        var (account, given) = (call.Account, call.Given);
        var customer = Customers.Given(call)!;
        var invoice = call.Named("invoice", "invoice");
        if (invoice is not null && invoice.Text("status") != "draft")
        {
            throw Refusal.Invalid("Items can be added to drafts only.", "invoice", "invoice_not_editable");
        }
        var price = given.Object("pricing")?.Text("price") is { } id ? account.Get("price", id, "pricing[price]") : null;
        if (given.Object("price_data") is { } data)
        {
            price = Prices.Make(call, data);
        }
        if (price is null == given.MaybeLong("amount") is null)
        {
            throw Refusal.Invalid("One of `amount` and a price is needed.", "amount", "parameter_missing");
        }
        if (price is null && given.Text("currency") is null)
        {
            throw Refusal.Invalid("Missing required param: currency.", "currency", "parameter_missing");
        }
        var quantity = given.MaybeLong("quantity") ?? 1;
        var metadata = Metadata.Merged(null, given);
        var clock = call.World.ClockOf(customer);
        var item = account.New(Shape, "ii");
        item.Take(given, "customer", "description", "discountable");
        item["amount"] = price is null ? given.Long("amount") : Prices.Cost(price, quantity);
        item["currency"] = (price?.Text("currency") ?? given.Text("currency"))!.ToLowerInvariant();
        (item["date"], item["metadata"], item["test_clock"]) = (clock.Now, metadata, customer.Text("test_clock"));
        item["_behavior"] = given.Text("tax_behavior") ?? price?.Text("tax_behavior");
        item.Put("period", given["period"] ?? new JsonObject { ["end"] = clock.Now, ["start"] = clock.Now });
        if (price is not null)
        {
            InvoiceLines.Price(item, price, quantity);
        }
        account.Add(item);
        account.Emit("invoiceitem.created", item);
        if (invoice is not null)
        {
            Invoices.Take(account, invoice, [item]);
        }
        return item;
    }

    static JsonObject Open(Call call)
    {
        var item = call.Subject("invoiceitem");
        return item.Text("invoice") is null
            ? item
            : throw Refusal.Invalid("This item is on an invoice already.", code: "invoice_not_editable");
    }
}
