using System.Globalization;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/tax</c>: fixed rates by country, so that sums can be computed by hand.</summary>
static class Taxes
{
    const long Lifetime = 90L * 24 * 60 * 60;

    /// <summary>Percent. A country that is not here, and the United States, have none.</summary>
    public static readonly IReadOnlyDictionary<string, decimal> Rates = new Dictionary<string, decimal>
    {
        ["DE"] = 19, ["AT"] = 20, ["FR"] = 20, ["IT"] = 22, ["ES"] = 21, ["NL"] = 21, ["BE"] = 21, ["IE"] = 23, ["PL"] = 23, ["SE"] = 25,
        ["DK"] = 25, ["FI"] = 25.5m, ["GB"] = 20, ["CH"] = 8.1m, ["NO"] = 25,
    };

    static readonly HashSet<string> ReverseCharged = ["DE", "AT", "FR", "IT", "ES", "NL", "BE", "IE", "PL", "SE", "DK", "FI"];

    const string Address = "address{city country! line1 line2 postal_code state}";

    public static void Map(Routes routes)
    {
        routes.Post(
            "/v1/tax/calculations",
            $"currency! customer customer_details{{{Address} address_source:billing|shipping ip_address tax_ids:[{{type! value!}}] "
                + "taxability_override:none|customer_exempt|reverse_charge} tax_date:int "
                + "line_items:[{amount:int! quantity:int reference product tax_behavior:exclusive|inclusive tax_code metadata:map}]!",
            Calculate);
        routes.Get("/v1/tax/calculations/*", "", call => call.Subject("tax.calculation"));
        routes.Get("/v1/tax/calculations/*/line_items", Params.Paging, call =>
            call.Page(call.Subject("tax.calculation").Object("_line_items")!.Items("data").Cast<JsonObject>()));
        routes.Post("/v1/tax/transactions/create_from_calculation", "calculation! reference! metadata:map posted_at:int", Record);
        routes.Post(
            "/v1/tax/transactions/create_reversal",
            "mode:full|partial! original_transaction! reference! metadata:map flat_amount:int",
            Reverse);
        routes.Get("/v1/tax/transactions/*", "", call => call.Subject("tax.transaction"));
    }

    /// <summary>The tax on an amount: on top of it, or within.</summary>
    public static long Of(long amount, decimal rate, bool isInclusive) =>
        (long)Math.Round(isInclusive ? amount * rate / (100 + rate) : amount * rate / 100, MidpointRounding.AwayFromZero);

    public static decimal RateOf(string? country) => country is null ? 0 : Rates.GetValueOrDefault(country);

    static JsonObject Calculate(Call call)
    {
        var given = call.Given;
        Amounts.CheckCurrency(given.Text("currency")!);
        var customer = Customers.Given(call);
        var details = given.Object("customer_details");
        var address = details?.Object("address") ?? customer?.Object("address");
        if (address?.Text("country") is not { } country)
        {
            throw Refusal.Invalid("An address with a country is needed.", "customer_details[address]", "customer_tax_location_invalid");
        }
        var isReversed = details?.Text("taxability_override") == "reverse_charge"
            || details?.Items("tax_ids").Count > 0 && ReverseCharged.Contains(country);
        var isExempt = details?.Text("taxability_override") == "customer_exempt";
        var rate = isReversed || isExempt ? 0 : RateOf(country);
        var reason = isReversed ? "reverse_charge" : isExempt ? "customer_exempt" : rate == 0 ? "not_collecting" : "standard_rated";
        var lines = given.Items("line_items").Cast<JsonObject>().Select((line, i) => Line(line, i, rate)).ToList();
        var (exclusive, inclusive) = (Sum("exclusive"), Sum("inclusive"));
        var calculation = new JsonObject
        {
            ["id"] = StripeIds.New("taxcalc"),
            ["object"] = "tax.calculation",
            ["amount_total"] = lines.Sum(line => line.Long("amount")) + exclusive,
            ["currency"] = given.Text("currency")!.ToLowerInvariant(),
            ["customer"] = customer?.Id(),
            ["customer_details"] = new JsonObject
            {
                ["address"] = Customers.Address(address),
                ["address_source"] = details?.Text("address_source") ?? "billing",
                ["ip_address"] = details?.Text("ip_address"),
                ["tax_ids"] = new JsonArray([.. (details?.Items("tax_ids") ?? []).Select(id => id.DeepClone())]),
                ["taxability_override"] = details?.Text("taxability_override") ?? "none",
            },
            ["expires_at"] = call.Now + Lifetime,
            ["livemode"] = false,
            ["ship_from_details"] = null,
            ["shipping_cost"] = null,
            ["tax_amount_exclusive"] = exclusive,
            ["tax_amount_inclusive"] = inclusive,
            ["tax_breakdown"] = new JsonArray(Breakdown(lines, country, rate, reason)),
            ["tax_date"] = given.MaybeLong("tax_date") ?? call.Now,
        };
        calculation["_line_items"] = Fields.ListOf(lines, $"/v1/tax/calculations/{calculation.Id()}/line_items");
        return call.Account.Add(calculation);

        long Sum(string behavior) => lines.Where(line => line.Text("tax_behavior") == behavior).Sum(line => line.Long("amount_tax"));
    }

    static JsonObject Line(JsonObject given, int place, decimal rate)
    {
        var behavior = given.Text("tax_behavior") ?? "exclusive";
        return new()
        {
            ["id"] = StripeIds.New("tax_li"),
            ["object"] = "tax.calculation_line_item",
            ["amount"] = given.Long("amount"),
            ["amount_tax"] = Of(given.Long("amount"), rate, behavior == "inclusive"),
            ["livemode"] = false,
            ["metadata"] = Metadata.Merged(null, given),
            ["performance_location"] = null,
            ["product"] = given.Text("product"),
            ["quantity"] = given.MaybeLong("quantity") ?? 1,
            ["reference"] = given.Text("reference") ?? $"L{place + 1}",
            ["tax_behavior"] = behavior,
            ["tax_breakdown"] = null,
            ["tax_code"] = given.Text("tax_code") ?? "txcd_10000000",
        };
    }

    static JsonObject Breakdown(List<JsonObject> lines, string country, decimal rate, string reason) => new()
    {
        ["amount"] = lines.Sum(line => line.Long("amount_tax")),
        ["inclusive"] = lines.Count > 0 && lines.TrueForAll(line => line.Text("tax_behavior") == "inclusive"),
        ["tax_rate_details"] = new JsonObject
        {
            ["country"] = country,
            ["flat_amount"] = null,
            ["percentage_decimal"] = rate.ToString(CultureInfo.InvariantCulture),
            ["rate_type"] = "percentage",
            ["state"] = null,
            ["tax_type"] = "vat",
        },
        ["taxability_reason"] = reason,
        ["taxable_amount"] = rate == 0 ? 0L : lines.Sum(line => line.Long("amount")),
    };

    static JsonObject Record(Call call)
    {
        var calculation = call.Account.Get("tax.calculation", call.Given.Text("calculation"), "calculation");
        if (call.Now > calculation.Long("expires_at"))
        {
            throw Refusal.Invalid("The calculation has expired.", "calculation");
        }
        RequireNew(call);
        return Keep(call, calculation, "transaction", 1, null);
    }

    static JsonObject Reverse(Call call)
    {
        var original = call.Account.Get("tax.transaction", call.Given.Text("original_transaction"), "original_transaction");
        RequireNew(call);
        var total = original.Object("_line_items")!.Items("data").Cast<JsonObject>().Sum(line => line.Long("amount"));
        if (call.Given.Text("mode") == "partial" && call.Given.Long("flat_amount") is >= 0 || -call.Given.Long("flat_amount") > total)
        {
            throw Refusal.Invalid("A partial reversal needs a negative amount within the transaction.", "flat_amount");
        }
        var share = call.Given.Text("mode") == "full" || total == 0 ? -1m : (decimal)call.Given.Long("flat_amount") / total;
        return Keep(call, original, "reversal", share, original.Id());
    }

    static void RequireNew(Call call)
    {
        if (call.Account.Newest("tax.transaction").Any(each => each.Text("reference") == call.Given.Text("reference")))
        {
            throw Refusal.Invalid("A transaction with this reference exists.", "reference", "resource_already_exists");
        }
    }

    static JsonObject Keep(Call call, JsonObject source, string type, decimal share, string? original)
    {
        var transaction = new JsonObject
        {
            ["id"] = StripeIds.New("tax"), ["object"] = "tax.transaction", ["created"] = call.Now, ["livemode"] = false, ["type"] = type,
        };
        transaction.Take(source, "currency", "customer", "customer_details", "ship_from_details", "shipping_cost", "tax_date");
        transaction["metadata"] = Metadata.Merged(null, call.Given);
        transaction["posted_at"] = call.Given.MaybeLong("posted_at") ?? call.Now;
        transaction["reference"] = call.Given.Text("reference");
        transaction["reversal"] = original is null ? null : new JsonObject { ["original_transaction"] = original };
        var lines = source.Object("_line_items")!.Items("data").Cast<JsonObject>().Select(line => Kept(line, type, share));
        transaction["_line_items"] = Fields.ListOf(lines, $"/v1/tax/transactions/{transaction.Id()}/line_items");
        return call.Account.Add(transaction);
    }

    static JsonObject Kept(JsonObject line, string type, decimal share)
    {
        var kept = new JsonObject
        {
            ["id"] = StripeIds.New("tax_li"),
            ["object"] = "tax.transaction_line_item",
            ["amount"] = (long)Math.Round(line.Long("amount") * share, MidpointRounding.AwayFromZero),
            ["amount_tax"] = (long)Math.Round(line.Long("amount_tax") * share, MidpointRounding.AwayFromZero),
            ["livemode"] = false,
            ["type"] = type,
            ["reversal"] = type == "reversal" ? new JsonObject { ["original_line_item"] = line.Id() } : null,
        };
        kept.Take(line, "metadata", "product", "quantity", "reference", "tax_behavior", "tax_code");
        return kept;
    }
}
