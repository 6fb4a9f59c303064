using System.Globalization;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/prices</c>: fixed, by the unit with fractions of a cent, or in tiers; licensed or metered.</summary>
static class Prices
{
    public const string Recurring = "recurring{interval:day|week|month|year! interval_count:int usage_type:licensed|metered meter "
        + "trial_period_days:int}";

    const string Products = "product product_data{name! id description metadata:map tax_code unit_label active:bool statement_descriptor}";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "price", "active": true, "billing_scheme": "per_unit", "created": 0, "currency": "",
         "custom_unit_amount": null, "livemode": false, "lookup_key": null, "metadata": {}, "nickname": null, "product": "",
         "recurring": null, "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null, "type": "one_time",
         "unit_amount": null, "unit_amount_decimal": null}
        """);

    public static void Map(Routes routes)
    {
        routes.Post(
            "/v1/prices",
            $"currency! unit_amount:int unit_amount_decimal:number active:bool billing_scheme:per_unit|tiered {Recurring} {Products} "
                + "tiers:[{up_to! unit_amount:int unit_amount_decimal:number flat_amount:int flat_amount_decimal:number}] "
                + "tiers_mode:graduated|volume lookup_key transfer_lookup_key:bool nickname tax_behavior:exclusive|inclusive|unspecified "
                + "metadata:map",
            call => Make(call, call.Given));
        routes.Post(
            "/v1/prices/*",
            "active:bool lookup_key transfer_lookup_key:bool nickname tax_behavior:exclusive|inclusive|unspecified metadata:map",
            Update);
        routes.Get("/v1/prices/*", "", call => call.Subject("price"));
        routes.Get(
            "/v1/prices",
            "created:range active:bool product currency type:one_time|recurring lookup_keys:[text]" + Params.Paging,
            List);
    }

    public static bool IsMetered(JsonObject price) => price.Object("recurring")?.Text("usage_type") == "metered";

    /// <summary>What parts of a quantity cost, in the order of the tiers, in whole cents each.</summary>
    public static IEnumerable<(long Quantity, decimal Unit, long Amount)> Costs(JsonObject price, long quantity)
    {
        if (price.Text("billing_scheme") != "tiered")
        {
            var unit = Number(price.Text("unit_amount_decimal"));
            yield return (quantity, unit, Cents(quantity * unit));
            yield break;
        }
        var below = 0L;
        foreach (var tier in price.Items("_tiers").Cast<JsonObject>())
        {
            var end = tier.MaybeLong("up_to") ?? long.MaxValue;
            var isVolume = price.Text("tiers_mode") == "volume";
            var inside = isVolume ? (quantity <= end ? quantity : 0) : Math.Min(quantity, end) - below;
            if (inside > 0 || below == 0 && quantity == 0)
            {
                var unit = Number(tier.Text("unit_amount_decimal"));
                yield return (inside, unit, Cents(inside * unit + Number(tier.Text("flat_amount_decimal"))));
            }
            if (quantity <= end)
            {
                yield break;
            }
            below = end;
        }
    }

    public static long Cost(JsonObject price, long quantity) => Costs(price, quantity).Sum(part => part.Amount);

    public static JsonObject Make(Call call, JsonObject given)
    {
        Amounts.CheckCurrency(given.Text("currency")!);
        var isTiered = given.Text("billing_scheme") == "tiered";
        if (isTiered != given.ContainsKey("tiers") || isTiered != given.ContainsKey("tiers_mode"))
        {
            throw Refusal.Invalid("`billing_scheme=tiered`, `tiers` and `tiers_mode` belong together.", "tiers");
        }
        var count = (given.ContainsKey("unit_amount") ? 1 : 0) + (given.ContainsKey("unit_amount_decimal") ? 1 : 0);
        if (count != (isTiered ? 0 : 1))
        {
            throw Refusal.Invalid("One of `unit_amount` and `unit_amount_decimal` is needed, and neither with tiers.", "unit_amount");
        }
        if (given.MaybeLong("unit_amount") < 0)
        {
            throw Refusal.Invalid("This value must be greater than or equal to 0.", "unit_amount", "parameter_invalid_integer");
        }
        var recurring = given.Object("recurring");
        CheckMeter(call, recurring);
        FreeKey(call, null, given);
        var metadata = Metadata.Merged(null, given);
        var product = given.Object("product_data") is { } data
            ? Stripe.Products.Make(call, data)
            : given.Text("product") is { } named
                ? call.Account.Get("product", named, "product")
                : throw Refusal.Invalid("You must specify either `product` or `product_data`.", "product", "parameter_missing");

        var price = call.Account.New(Shape, "price");
        price.Take(given, "active", "billing_scheme", "lookup_key", "nickname", "tax_behavior", "tiers_mode");
        (price["currency"], price["product"], price["metadata"]) = (given.Text("currency")!.ToLowerInvariant(), product.Id(), metadata);
        SetAmounts(price, given, "unit_amount");
        if (isTiered)
        {
            price["_tiers"] = Tiers(given);
        }
        if (recurring is not null)
        {
            price["type"] = "recurring";
            price["recurring"] = new JsonObject
            {
                ["interval"] = recurring.Text("interval"),
                ["interval_count"] = recurring.MaybeLong("interval_count") ?? 1,
                ["meter"] = recurring.Text("meter"),
                ["trial_period_days"] = recurring.MaybeLong("trial_period_days"),
                ["usage_type"] = recurring.Text("usage_type") ?? "licensed",
            };
        }
        call.Account.Add(price);
        call.Account.Emit("price.created", price);
        return price;
    }

    static void CheckMeter(Call call, JsonObject? recurring)
    {
        if (recurring is null)
        {
            return;
        }
        if ((recurring.Text("usage_type") == "metered") != (recurring.Text("meter") is not null))
        {
            throw Refusal.Invalid("Metered prices need a meter, and others have none.", "recurring[meter]");
        }
        if (recurring.Text("meter") is { } meter)
        {
            call.Account.Get("billing.meter", meter, "recurring[meter]");
        }
        if (recurring.MaybeLong("interval_count") is <= 0 or > 1095)
        {
            throw Refusal.Invalid("The interval cannot be longer than three years.", "recurring[interval_count]");
        }
    }

    static JsonArray Tiers(JsonObject given)
    {
        var (tiers, last) = (new JsonArray(), 0L);
        var all = given.Items("tiers").Cast<JsonObject>().ToList();
        foreach (var (i, each) in all.Index())
        {
            var tier = new JsonObject();
            SetAmounts(tier, each, "unit_amount");
            SetAmounts(tier, each, "flat_amount");
            var isLast = i == all.Count - 1;
            if (isLast != (each.Text("up_to") == "inf"))
            {
                throw Refusal.Invalid("The last tier, and no other, ends at `inf`.", $"tiers[{i}][up_to]");
            }
            tier["up_to"] = null;
            if (!isLast)
            {
                if (!long.TryParse(each.Text("up_to"), NumberStyles.None, CultureInfo.InvariantCulture, out var end) || end <= last)
                {
                    throw Refusal.Invalid("Tiers have to grow.", $"tiers[{i}][up_to]");
                }
                tier["up_to"] = last = end;
            }
            tiers.Add(tier);
        }
        return tiers;
    }

    /// <summary>Whole cents are shown as a number, too.</summary>
    static void SetAmounts(JsonObject target, JsonObject given, string name)
    {
        var text = given.MaybeLong(name)?.ToString(CultureInfo.InvariantCulture) ?? given.Text(name + "_decimal");
        target[name + "_decimal"] = text;
        target[name] = text is not null && decimal.Truncate(Number(text)) == Number(text) ? (long)Number(text) : null;
    }

    static decimal Number(string? text) => text is null ? 0 : decimal.Parse(text, CultureInfo.InvariantCulture);

    static long Cents(decimal amount) => (long)Math.Round(amount, MidpointRounding.AwayFromZero);

    static JsonObject Update(Call call)
    {
        var price = call.Subject("price");
        FreeKey(call, price, call.Given);
        var metadata = Metadata.Merged(price.Object("metadata"), call.Given);
        call.Account.Change(price, "price.updated", () =>
        {
            price["metadata"] = metadata;
            price.Take(call.Given, "active", "lookup_key", "nickname", "tax_behavior");
        });
        return price;
    }

    /// <summary>One price at a time has a lookup key.</summary>
    static void FreeKey(Call call, JsonObject? own, JsonObject given)
    {
        if (given.Text("lookup_key") is not { } key
            || call.Account.Newest("price").FirstOrDefault(other => other.Text("lookup_key") == key) is not { } holder || holder == own)
        {
            return;
        }
        if (!given.Is("transfer_lookup_key"))
        {
            throw Refusal.Invalid(
                $"A price (`{holder.Id()}`) already uses that lookup key. Use `transfer_lookup_key=true` to transfer it.", "lookup_key");
        }
        call.Account.Change(holder, "price.updated", () => holder["lookup_key"] = null);
    }

    static JsonObject List(Call call)
    {
        var keys = call.Given.Items("lookup_keys").Select(key => key.GetValue<string>()).ToList();
        return call.Page(call.Account.Newest("price").Where(price =>
            (keys.Count == 0 || keys.Contains(price.Text("lookup_key")!))
            && call.Matches(price, "active", "product", "currency", "type")));
    }
}
