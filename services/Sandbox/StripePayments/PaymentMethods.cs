using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// <c>/v1/payment_methods</c>: cards and bank accounts. Those of Stripe's names (<c>pm_card_visa</c>) are made when they are used.
/// </summary>
static class PaymentMethods
{
    public const string BillingDetails = "billing_details{address{city country line1 line2 postal_code state} email name phone tax_id}";

    const string Card = "card{number exp_month:int exp_year:int cvc token}";

    /// <summary>What a browser sends in place of the id of a payment method.</summary>
    public const string Data = $"payment_method_data{{type:card|us_bank_account! {Card} {BillingDetails} metadata:map "
        + "us_bank_account{account_holder_type account_number account_type routing_number} allow_redisplay}";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "payment_method", "allow_redisplay": "unspecified",
         "billing_details": {"address": {"city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null},
          "email": null, "name": null, "phone": null, "tax_id": null},
         "created": 0, "customer": null, "customer_account": null, "livemode": false, "metadata": {}, "type": "card"}
        """);

    static readonly JsonObject CardShape = Fields.Shape("""
        {"brand": "", "checks": {"address_line1_check": null, "address_postal_code_check": null, "cvc_check": "unchecked"}, "country": "",
         "display_brand": "", "exp_month": 12, "exp_year": 0, "fingerprint": "", "funding": "", "generated_from": null, "last4": "",
         "networks": {"available": [], "preferred": null}, "regulated_status": "unregulated", "three_d_secure_usage": {"supported": true},
         "wallet": null}
        """);

    static readonly JsonObject BankShape = Fields.Shape("""
        {"account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
         "financial_connections_account": null, "fingerprint": "", "last4": "", "networks": {"preferred": "ach", "supported": ["ach"]},
         "routing_number": "110000000", "status_details": {}}
        """);

    public static void Map(Routes routes)
    {
        routes.Post(
            "/v1/payment_methods",
            $"type:card|us_bank_account! {Card} {BillingDetails} metadata:map allow_redisplay "
                + "us_bank_account{account_holder_type account_number account_type routing_number}",
            call => call.Account.Add(Make(call.Account, call.Given)),
            isPublic: true);
        routes.Get("/v1/payment_methods/*", "", call => Find(call, call.Id, "id"));
        routes.Get("/v1/payment_methods", "customer type" + Params.Paging, List);
        routes.Post("/v1/payment_methods/*", $"{BillingDetails} metadata:map allow_redisplay card{{exp_month:int exp_year:int}}", Update);
        routes.Post("/v1/payment_methods/*/attach", "customer!", call =>
        {
            var customer = Customers.Given(call)!;
            return Attach(call.Account, Find(call, call.Id, "id"), customer);
        });
        routes.Post("/v1/payment_methods/*/detach", "", Detach);
        routes.Get("/v1/customers/*/payment_methods", "type" + Params.Paging, call =>
        {
            call.Subject("customer");
            call.Given["customer"] = call.Id;
            return List(call);
        });
        routes.Get("/v1/customers/*/payment_methods/*", "", call =>
            call.Account.Get("payment_method", call.Ids[1]) is { } method && method.Text("customer") == call.Id
                ? method
                : throw Refusal.Missing("payment_method", call.Ids[1], "id"));
    }

    public static TestCard CardOf(JsonObject method) => TestCards.OfNumber(method.Text("_number")!)!;

    /// <summary>The payment method with this id, or a new one for one of Stripe's names.</summary>
    public static JsonObject Find(Call call, string id, string param = "payment_method")
    {
        if (TestCards.OfName(id) is { } card)
        {
            return call.Account.Add(Make(call.Account, card, call.World.Clock.Now, []));
        }
        return call.Account.Get("payment_method", id, param);
    }

    /// <summary>The one that a call names or describes, or null.</summary>
    public static JsonObject? Given(Call call)
    {
        if (call.Given.Object("payment_method_data") is { } data)
        {
            return call.Account.Add(Make(call.Account, data));
        }
        return call.Given.Text("payment_method") is { } id ? Find(call, id) : null;
    }

    /// <summary>It has paid without belonging to anybody, or was taken from whom it belonged to: it never pays again.</summary>
    public static void Spend(JsonObject method) => method["_spent"] = true;

    /// <summary>Why it may not be used, or null.</summary>
    public static Refusal? Unusable(JsonObject method) => method.Is("_spent")
        ? Refusal.Invalid(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a connected "
                + "account without Customer attachment, or was detached from a Customer. It may not be used again.")
        : null;

    /// <exception cref="Refusal">It is another customer's, may not be used again, or its bank refuses it.</exception>
    public static JsonObject Attach(Account account, JsonObject method, JsonObject customer)
    {
        if (Unusable(method) is { } unusable)
        {
            throw unusable;
        }
        if (method.Text("customer") is { } other && other != customer.Id())
        {
            throw Refusal.Invalid(
                "The payment method you provided has already been attached to a customer.",
                "payment_method",
                "payment_method_already_attached");
        }
        var card = CardOf(method);
        if (card is { Decline: not null, FailsLate: false, Brand: not "bank" })
        {
            throw TestCards.Declined(card);
        }
        if (method.Text("customer") is null)
        {
            method["customer"] = customer.Id();
            if (method.Object("card")?.Object("checks") is { } checks)
            {
                checks["cvc_check"] = "pass";
            }
            account.Emit("payment_method.attached", method);
        }
        return method;
    }

    static JsonObject Make(Account account, JsonObject given)
    {
        if (given.Text("type") == "us_bank_account")
        {
            var number = given.Object("us_bank_account")?.Text("account_number") ?? "";
            return Make(account, Known(number, "us_bank_account[account_number]"), account.World.Clock.Now, given);
        }
        var described = given.Object("card") ?? throw Refusal.Invalid("Missing required param: card.", "card", "parameter_missing");
        if (described.Text("token") is { } token)
        {
            var meant = TestCards.OfName(token) ?? throw Refusal.Missing("token", token, "card[token]");
            return Make(account, meant, account.World.Clock.Now, given);
        }
        var now = DateTimeOffset.FromUnixTimeSeconds(account.World.Clock.Now);
        var (month, year) = (described.Long("exp_month"), described.Long("exp_year"));
        if (month is < 1 or > 12)
        {
            throw Card402("Your card's expiration month is invalid.", "invalid_expiry_month", "exp_month");
        }
        year += year < 100 ? 2000 : 0;
        if (year < now.Year || year == now.Year && month < now.Month || year > now.Year + 50)
        {
            throw Card402("Your card's expiration year is invalid.", "invalid_expiry_year", "exp_year");
        }
        if (described.Text("cvc") is { Length: < 3 or > 4 })
        {
            throw Card402("Your card's security code is invalid.", "invalid_cvc", "cvc");
        }
        var card = (described.Text("number") ?? "").Replace(" ", "", StringComparison.Ordinal);
        var method = Make(account, Known(card, "number"), account.World.Clock.Now, given);
        method["card"]!["exp_month"] = month;
        method["card"]!["exp_year"] = year;
        return method;
    }

    static TestCard Known(string number, string param) =>
        TestCards.OfNumber(number) ?? throw Card402("Your card number is incorrect.", "incorrect_number", param);

    static Refusal Card402(string message, string code, string param) =>
        new(StatusCodes.Status402PaymentRequired, "card_error", message) { Code = code, Param = param };

    static JsonObject Make(Account account, TestCard card, long now, JsonObject given)
    {
        var method = account.New(Shape, "pm");
        method["_number"] = card.Number;
        var fingerprint = StripeIds.Fingerprint(account.Id + card.Number);
        if (card.Brand == "bank")
        {
            method["type"] = "us_bank_account";
            method["us_bank_account"] = BankShape.DeepClone();
            method["us_bank_account"]!["last4"] = card.Last4;
            method["us_bank_account"]!["fingerprint"] = fingerprint;
        }
        else
        {
            var shown = (JsonObject)CardShape.DeepClone();
            (shown["brand"], shown["display_brand"], shown["last4"]) = (card.Brand, card.Brand, card.Last4);
            (shown["country"], shown["funding"], shown["fingerprint"]) = (card.Country, card.Funding, fingerprint);
            shown["networks"]!["available"] = new JsonArray(card.Brand);
            shown["exp_year"] = (long)DateTimeOffset.FromUnixTimeSeconds(now).Year + 1;
            method["card"] = shown;
        }
        method.Take(given, "allow_redisplay");
        TakeBilling(method, given);
        method["metadata"] = Metadata.Merged(null, given);
        return method;
    }

    static void TakeBilling(JsonObject method, JsonObject given)
    {
        if (given.Object("billing_details") is not { } details)
        {
            return;
        }
        var billing = method.Object("billing_details")!;
        billing.Take(details, "email", "name", "phone", "tax_id");
        if (details.Object("address") is { } address)
        {
            billing["address"] = Customers.Address(address);
        }
    }

    static JsonObject List(Call call) => call.Page(call.Account.Newest("payment_method").Where(method =>
        method.Text("customer") is { } customer && (call.Given.Text("customer") is not { } wanted || customer == wanted)
        && (call.Given.Text("type") is not { } type || method.Text("type") == type)));

    static JsonObject Update(Call call)
    {
        var method = call.Subject("payment_method");
        var metadata = Metadata.Merged(method.Object("metadata"), call.Given);
        call.Account.Change(method, "payment_method.updated", () =>
        {
            method["metadata"] = metadata;
            method.Take(call.Given, "allow_redisplay");
            method.Merge(call.Given, "card");
            TakeBilling(method, call.Given);
        });
        return method;
    }

    static JsonObject Detach(Call call)
    {
        var method = call.Subject("payment_method");
        if (method.Text("customer") is not { } customer)
        {
            throw Refusal.Invalid(
                "The payment method you provided is not attached to a customer so detachment is impossible.",
                "payment_method",
                "payment_method_unexpected_state");
        }
        call.Account.Change(method, "payment_method.detached", () => method["customer"] = null);
        Spend(method);
        if (call.Account.Find("customer", customer)?.Object("invoice_settings") is { } settings
            && settings.Text("default_payment_method") == method.Id())
        {
            settings["default_payment_method"] = null;
        }
        return method;
    }
}
