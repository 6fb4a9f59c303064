using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// <c>/v1/payment_intents</c>: what is to be paid, from the first call to the money. <see cref="Confirmation"/> is the attempt.
/// </summary>
static class PaymentIntents
{
    const string Methods = "allowed_payment_method_types:[text] payment_method_options{"
        + "card{request_three_d_secure:any|automatic|challenge setup_future_usage:none|off_session|on_session "
        + "capture_method:manual} us_bank_account{verification_method setup_future_usage}}";

    const string Common = $" customer description metadata:map payment_method {PaymentMethods.Data} {Methods} receipt_email "
        + "setup_future_usage:off_session|on_session shipping:any statement_descriptor statement_descriptor_suffix transfer_group "
        + "application_fee_amount:int capture_method:automatic|automatic_async|manual hooks{inputs{tax{calculation!}}}";

    const string Confirming = " off_session:bool error_on_requires_action:bool return_url use_stripe_sdk:bool mandate mandate_data:any";

    public const string ConfirmParams = $"client_secret payment_method {PaymentMethods.Data} receipt_email shipping:any "
        + $"setup_future_usage:off_session|on_session expected_payment_method_type {Methods}{Confirming}";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "payment_intent", "allowed_payment_method_types": null, "amount": 0, "amount_capturable": 0,
         "amount_details": {"tip": {}}, "amount_received": 0, "application": null, "application_fee_amount": null,
         "automatic_payment_methods": null, "canceled_at": null, "cancellation_reason": null, "capture_method": "automatic_async",
         "client_secret": null, "confirmation_method": "automatic", "created": 0, "currency": "", "customer": null,
         "customer_account": null, "description": null, "excluded_payment_method_types": null, "last_payment_error": null,
         "latest_charge": null, "livemode": false, "managed_payments": null, "metadata": {}, "next_action": null, "on_behalf_of": null,
         "payment_method": null, "payment_method_configuration_details": null,
         "payment_method_options": {"card": {"installments": null, "mandate_options": null, "network": null,
          "request_three_d_secure": "automatic"}},
         "payment_method_types": ["card"], "payment_record": null, "processing": null, "receipt_email": null, "review": null,
         "setup_future_usage": null, "shipping": null, "source": null, "statement_descriptor": null, "statement_descriptor_suffix": null,
         "status": "requires_payment_method", "transfer_data": null, "transfer_group": null}
        """);

    public static void Map(Routes routes)
    {
        routes.Post(
            "/v1/payment_intents",
            $"amount:int! currency! confirm:bool confirmation_method:automatic|manual transfer_data{{destination! amount:int}} "
                + $"automatic_payment_methods{{enabled:bool! allow_redirects:always|never}} on_behalf_of{Common}{Confirming}",
            Create);
        routes.Post("/v1/payment_intents/*", $"amount:int currency{Common}", Update);
        routes.Get("/v1/payment_intents/*", "client_secret", call => Subject(call), isPublic: true);
        routes.Get(
            "/v1/payment_intents", "created:range customer" + Params.Paging, call => call.Page("payment_intent", "customer"));
        routes.Post("/v1/payment_intents/*/confirm", ConfirmParams, Confirm, isPublic: true);
        routes.Post(
            "/v1/payment_intents/*/cancel", "cancellation_reason:abandoned|duplicate|fraudulent|requested_by_customer", Cancel);
        routes.Post("/v1/payment_intents/*/capture", "amount_to_capture:int final_capture:bool metadata:map", Capture);
    }

    /// <summary>The intent of the path. A browser has to know its secret, too.</summary>
    static JsonObject Subject(Call call)
    {
        var intent = call.Subject("payment_intent");
        return !call.IsPublic || call.Given.Text("client_secret") == intent.Text("client_secret")
            ? intent
            : throw Refusal.Invalid(
                "The client_secret provided does not match any associated PaymentIntent on this account.",
                "client_secret",
                "payment_intent_invalid_parameter");
    }

    public static Refusal Unexpected(JsonObject intent, string message) => new(400, "invalid_request_error", message)
    {
        Code = $"{intent.Text("object")}_unexpected_state",
        Others = new() { [intent.Text("object")!] = intent.Shown() },
    };

    /// <summary>An intent of an invoice or a checkout, which is not confirmed yet.</summary>
    public static JsonObject For(Account account, JsonObject customer, long amount, string currency, string? method, string? description)
    {
        var intent = account.New(Shape, "pi", account.World.ClockOf(customer));
        intent["_test_clock"] = customer.Text("test_clock");
        intent["client_secret"] = StripeIds.Secret(intent.Id());
        (intent["amount"], intent["currency"], intent["customer"]) = (amount, currency, customer.Id());
        (intent["payment_method"], intent["description"]) = (method, description);
        intent["payment_method_types"] = new JsonArray("card", "us_bank_account");
        intent["status"] = method is null ? "requires_payment_method" : "requires_confirmation";
        account.Add(intent);
        account.Emit("payment_intent.created", intent);
        return intent;
    }

    /// <summary>Ends an intent that is not wanted any more, if nothing has been paid yet.</summary>
    public static void Drop(Account account, JsonObject intent, string reason)
    {
        if (intent.Status() is "succeeded" or "canceled" or "processing")
        {
            return;
        }
        intent["status"] = "canceled";
        intent["canceled_at"] = account.World.ClockOf(intent).Now;
        intent["cancellation_reason"] = reason;
        intent["next_action"] = null;
        account.Emit("payment_intent.canceled", intent);
    }

    static JsonObject Create(Call call)
    {
        var given = call.Given;
        Amounts.Check(given.Long("amount"), given.Text("currency")!);
        var customer = Customers.Given(call);
        var destination = given.Object("transfer_data") is { } data
            ? call.Account.Get("account", data.Text("destination"), "transfer_data[destination]")
            : null;
        var isConfirmed = given.Is("confirm");
        if (given.Is("off_session") && !isConfirmed)
        {
            throw Refusal.Invalid("You cannot specify off_session without confirm=true.", "off_session");
        }
        var metadata = Metadata.Merged(null, given);
        var method = PaymentMethods.Given(call);
        CheckOwner(method, customer?.Id());

        var intent = call.Account.New(Shape, "pi", call.World.ClockOf(customer));
        intent["_test_clock"] = customer?.Text("test_clock");
        intent["client_secret"] = StripeIds.Secret(intent.Id());
        intent["payment_method"] = method?.Id();
        intent["metadata"] = metadata;
        intent.Take(given, "amount", "currency", "confirmation_method", "on_behalf_of");
        intent["currency"] = given.Text("currency")!.ToLowerInvariant();
        Take(intent, given);
        AllowMethods(intent, given);
        if (destination is not null)
        {
            intent.Put("transfer_data", given["transfer_data"]);
            intent["transfer_group"] ??= "group_" + intent.Id();
        }
        if (method is not null)
        {
            intent["status"] = "requires_confirmation";
        }
        if (isConfirmed && method is not null)
        {
            RequireReturn(intent, given);
        }
        call.Account.Add(intent);
        call.Account.Emit("payment_intent.created", intent);
        return isConfirmed ? Confirmation.Attempt(call, intent) : intent;
    }

    static JsonObject Update(Call call)
    {
        var (intent, given) = (call.Subject("payment_intent"), call.Given);
        var isOpen = intent.Status() is "requires_payment_method" or "requires_confirmation" or "requires_action";
        if (!isOpen && given.Any(each => each.Key is not ("metadata" or "description" or "receipt_email" or "expand" or "transfer_group")))
        {
            throw Unexpected(
                intent,
                $"This PaymentIntent's {given.First().Key} could not be updated because it has a status of {intent.Status()}. You may only "
                    + "update the amount of a PaymentIntent with one of the following statuses: requires_payment_method, "
                    + "requires_confirmation, requires_action.");
        }
        if (given.MaybeLong("amount") is { } amount)
        {
            Amounts.Check(amount, given.Text("currency") ?? intent.Text("currency")!);
        }
        var customer = Customers.Given(call);
        var metadata = Metadata.Merged(intent.Object("metadata"), given);
        var method = PaymentMethods.Given(call);
        CheckOwner(method, customer?.Id() ?? intent.Text("customer"));
        intent["metadata"] = metadata;
        intent.Take(given, "amount", "currency");
        Take(intent, given);
        if (method is not null)
        {
            intent["payment_method"] = method.Id();
            intent["status"] = "requires_confirmation";
            intent["next_action"] = null;
        }
        return intent;
    }

    static void Take(JsonObject intent, JsonObject given)
    {
        intent.Take(
            given, "customer", "description", "receipt_email", "setup_future_usage", "shipping", "statement_descriptor",
            "statement_descriptor_suffix", "transfer_group", "application_fee_amount", "capture_method");
        if (given.Object("hooks") is { } hooks)
        {
            intent["hooks"] = hooks.DeepClone();
        }
        if (given["allowed_payment_method_types"] is JsonArray)
        {
            AllowMethods(intent, given);
        }
        if (given.Object("payment_method_options")?.Object("card") is { } options)
        {
            intent.Object("payment_method_options")!.Merge(new() { ["card"] = options.DeepClone() }, "card");
        }
    }

    /// <summary>The methods that were named, or all that there are: those of the account's settings, which may redirect.</summary>
    public static void AllowMethods(JsonObject intent, JsonObject given)
    {
        var automatic = given.Object("automatic_payment_methods");
        if (given["allowed_payment_method_types"] is JsonArray { Count: > 0 } named)
        {
            intent.Put("allowed_payment_method_types", named.DeepClone());
            intent.Put("payment_method_types", named.DeepClone());
            intent["automatic_payment_methods"] = null;
        }
        else if (automatic is null || automatic.Is("enabled"))
        {
            intent["automatic_payment_methods"] = new JsonObject
            {
                ["allow_redirects"] = automatic?.Text("allow_redirects") ?? "always", ["enabled"] = true,
            };
            intent["payment_method_types"] = new JsonArray("card", "us_bank_account");
        }
    }

    /// <summary>Methods that redirect need an address to come back to, unless nobody is there or a browser takes care.</summary>
    public static void RequireReturn(JsonObject intent, JsonObject given)
    {
        if (intent.Object("automatic_payment_methods")?.Text("allow_redirects") == "always" && given.Text("return_url") is null
            && !given.Is("off_session") && !given.Is("use_stripe_sdk"))
        {
            throw Refusal.Invalid(
                $"This {(intent.Text("object") == "payment_intent" ? "PaymentIntent" : "SetupIntent")} is configured to accept payment "
                    + "methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your "
                    + "page, you must provide a `return_url`.");
        }
    }

    /// <summary>A method of one customer pays for no other, and one that was let go for nobody.</summary>
    public static void CheckOwner(JsonObject? method, string? customer)
    {
        if (method is not null && PaymentMethods.Unusable(method) is { } unusable)
        {
            throw unusable;
        }
        if (method?.Text("customer") is { } owner && owner != customer)
        {
            throw Refusal.Invalid(
                customer is null
                    ? $"The PaymentMethod {method.Id()} belongs to the Customer {owner}. Please include the Customer in the "
                        + "`customer` parameter "
                        + "on the PaymentIntent."
                    : $"The provided PaymentMethod cannot be attached: it belongs to the Customer {owner}.",
                "payment_method");
        }
    }

    static JsonObject Confirm(Call call)
    {
        var (intent, given) = (Subject(call), call.Given);
        if (intent.Status() is not ("requires_payment_method" or "requires_confirmation" or "requires_action"))
        {
            throw Unexpected(
                intent,
                intent.Status() is "succeeded" or "requires_capture"
                    ? "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
                    : $"You cannot confirm this PaymentIntent because it has a status of {intent.Status()}. Only a PaymentIntent "
                        + "with one of the "
                        + "following statuses may be confirmed: requires_confirmation, requires_payment_method, requires_action.");
        }
        var method = PaymentMethods.Given(call);
        CheckOwner(method, intent.Text("customer"));
        if (given["allowed_payment_method_types"] is JsonArray)
        {
            AllowMethods(intent, given);
        }
        if ((method?.Id() ?? intent.Text("payment_method")) is { } paying)
        {
            RequireReturn(intent, given);
            intent["payment_method"] = paying;
        }
        intent.Take(given, "receipt_email", "setup_future_usage", "shipping");
        return Confirmation.Attempt(call, intent);
    }

    static JsonObject Cancel(Call call)
    {
        var intent = call.Subject("payment_intent");
        if (intent.Status() is "succeeded" or "canceled" or "processing")
        {
            throw Unexpected(
                intent,
                $"You cannot cancel this PaymentIntent because it has a status of {intent.Status()}. Only a PaymentIntent with one of the "
                    + "following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, "
                    + "requires_action.");
        }
        if (intent.Status() == "requires_capture" && call.Account.Find("charge", intent.Text("latest_charge")) is { } charge)
        {
            Charges.Void(call.Account, charge);
        }
        intent["status"] = "canceled";
        intent["canceled_at"] = call.World.ClockOf(intent).Now;
        intent["cancellation_reason"] = call.Given.Text("cancellation_reason");
        intent["amount_capturable"] = 0L;
        intent["next_action"] = null;
        call.Account.Emit("payment_intent.canceled", intent);
        return intent;
    }

    static JsonObject Capture(Call call)
    {
        var intent = call.Subject("payment_intent");
        if (intent.Status() != "requires_capture")
        {
            throw Unexpected(
                intent,
                $"This PaymentIntent could not be captured because it has a status of {intent.Status()}. Only a PaymentIntent with "
                    + "one of the "
                    + "following statuses may be captured: requires_capture.");
        }
        var amount = call.Given.MaybeLong("amount_to_capture") ?? intent.Long("amount");
        if (amount <= 0 || amount > intent.Long("amount_capturable"))
        {
            throw Refusal.Invalid(
                $"The amount to capture must be between 1 and {intent.Long("amount_capturable")}.",
                "amount_to_capture",
                "amount_too_large");
        }
        intent["metadata"] = Metadata.Merged(intent.Object("metadata"), call.Given);
        Confirmation.Receive(call.Account, intent, call.Account.Get("charge", intent.Text("latest_charge")), amount);
        return intent;
    }
}
