using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// The attempt to pay an intent: the method, the cardholder's authentication, the charge, the money. A failed attempt leaves the intent
/// where
/// another method can be tried.
/// </summary>
static class Confirmation
{
    /// <summary>Seconds that a bank needs, and that pass before what a test card leads to.</summary>
    public const long BankSeconds = 5, LaterSeconds = 1;

    /// <exception cref="Refusal">There is no method, it is declined, or the cardholder would be needed who is not there.</exception>
    public static JsonObject Attempt(Call call, JsonObject intent) =>
        Try(call.Account, intent, call.Given) is { } refusal ? throw refusal : intent;

    /// <summary>What stands in the way of the payment, or null. With null the cardholder may still have something to do.</summary>
    public static Refusal? Try(Account account, JsonObject intent, JsonObject given)
    {
        if (account.Find("payment_method", intent.Text("payment_method")) is not { } method)
        {
            return PaymentIntents.Unexpected(
                intent,
                "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with "
                    + "a payment method and then confirm it again, or confirm it again directly with a payment method or "
                    + "ConfirmationToken.");
        }
        if (PaymentMethods.Unusable(method) is { } unusable)
        {
            return unusable;
        }
        var card = PaymentMethods.CardOf(method);
        var type = method.Text("type")!;
        if (!intent.Items("payment_method_types").Any(each => each.GetValue<string>() == type))
        {
            return Refusal.Invalid($"The PaymentMethod provided ({type}) is not allowed for this PaymentIntent.", "payment_method");
        }
        intent["_return_url"] = given.Text("return_url");
        intent["last_payment_error"] = null;
        if (given.Object("payment_method_options")?.Object("card")?.Text("request_three_d_secure") is { } wish)
        {
            intent["payment_method_options"]!["card"]!["request_three_d_secure"] = wish;
        }
        if (!NeedsAuthentication(intent, method, card))
        {
            return Charge(account, intent, method, card);
        }
        if (given.Is("off_session") || given.Is("error_on_requires_action"))
        {
            return Fail(account, intent, method, Refusal.Card(
                "Your card was declined. This transaction requires authentication.", "authentication_required", "authentication_required"));
        }
        RequireAction(account.World, intent);
        account.Emit("payment_intent.requires_action", intent);
        Settled(account, intent);
        return null;
    }

    /// <summary>What the cardholder did on the bank's page.</summary>
    public static void Authenticate(Account account, JsonObject intent, bool isSuccess)
    {
        var method = account.Get("payment_method", intent.Text("payment_method"));
        intent["next_action"] = null;
        if (isSuccess)
        {
            method["_authenticated"] = true;
            if (PaymentMethods.Unusable(method) is { } unusable)
            {
                Fail(account, intent, method, unusable, isCharged: false);
                return;
            }
            Charge(account, intent, method, PaymentMethods.CardOf(method));
            return;
        }
        Fail(account, intent, method, Refusal.Invalid(
            "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
            code: "payment_intent_authentication_failure"), isCharged: false);
    }

    static bool NeedsAuthentication(JsonObject intent, JsonObject method, TestCard card) =>
        card.Authentication == Authentication.Always
        || card.Authentication == Authentication.UntilSetUp && !method.Is("_set_up")
        || card.Brand != "bank" && intent["payment_method_options"]!["card"] is JsonObject options
            && options.Text("request_three_d_secure") is "any" or "challenge";

    /// <summary>The page of the bank on which the cardholder says yes or no.</summary>
    public static void RequireAction(World world, JsonObject intent)
    {
        intent["status"] = "requires_action";
        intent["next_action"] = intent.Text("_return_url") is { } back
            ? new JsonObject
            {
                ["type"] = "redirect_to_url",
                ["redirect_to_url"] = new JsonObject { ["return_url"] = back, ["url"] = AuthenticationPage(world, intent) },
            }
            : new JsonObject
            {
                ["type"] = "use_stripe_sdk",
                ["use_stripe_sdk"] = new JsonObject
                {
                    ["type"] = "three_d_secure_redirect", ["stripe_js"] = AuthenticationPage(world, intent),
                },
            };
    }

    static string AuthenticationPage(World world, JsonObject intent) =>
        $"{world.Address}/pages/authenticate/{world.Name}/{intent.Text("client_secret")}";

    /// <summary>What failed, or null.</summary>
    static Refusal? Charge(Account account, JsonObject intent, JsonObject method, TestCard card)
    {
        if (card.Brand == "bank")
        {
            Process(account, intent, method, card);
            return null;
        }
        if (card.Decline is not null)
        {
            return Fail(account, intent, method, TestCards.Declined(card));
        }
        Save(account, intent, method);
        var charge = Charges.Make(account, intent, method, "succeeded");
        if (intent.Text("capture_method") == "manual")
        {
            intent["status"] = "requires_capture";
            intent["amount_capturable"] = intent.Long("amount");
            account.Emit("charge.succeeded", charge);
            account.Emit("payment_intent.amount_capturable_updated", intent);
            return null;
        }
        Receive(account, intent, charge, intent.Long("amount"));
        return null;
    }

    /// <summary>The money comes: the intent has succeeded.</summary>
    public static void Receive(Account account, JsonObject intent, JsonObject charge, long amount)
    {
        var wasCaptured = charge.Is("captured");
        Charges.Capture(account, charge, amount);
        intent["status"] = "succeeded";
        intent["amount_received"] = amount;
        intent["amount_capturable"] = 0L;
        intent["processing"] = null;
        account.Emit(intent.Text("capture_method") == "manual" && !wasCaptured ? "charge.captured" : "charge.succeeded", charge);
        account.Emit("payment_intent.succeeded", intent);
        Settled(account, intent);
        Charges.Follow(account, charge);
    }

    /// <summary>Banks take their time.</summary>
    static void Process(Account account, JsonObject intent, JsonObject method, TestCard card)
    {
        Save(account, intent, method);
        var charge = Charges.Make(account, intent, method, "pending");
        intent["status"] = "processing";
        account.Emit("charge.pending", charge);
        account.Emit("payment_intent.processing", intent);
        account.World.ClockOf(intent).After(BankSeconds, () =>
        {
            if (card.Decline is null)
            {
                charge["status"] = "succeeded";
                charge["paid"] = true;
                Receive(account, intent, charge, intent.Long("amount"));
            }
            else
            {
                Fail(account, intent, method, TestCards.Declined(card), charge: charge);
            }
        });
    }

    static Refusal Fail(
        Account account, JsonObject intent, JsonObject method, Refusal why, bool isCharged = true, JsonObject? charge = null)
    {
        if (isCharged)
        {
            charge ??= Charges.Make(account, intent, method, "failed");
            Charges.Fail(charge, why);
            account.Emit("charge.failed", charge);
        }
        var error = why.Body(account.Id, account.World.Running?.Request ?? "req_sandbox").Object("error")!;
        if (charge is not null)
        {
            error["charge"] = charge.Id();
        }
        error["payment_method"] = method.Shown();
        intent["status"] = "requires_payment_method";
        intent["payment_method"] = null;
        intent["processing"] = null;
        intent["last_payment_error"] = error.DeepClone();
        ((JsonObject)intent["last_payment_error"]!).Remove("request_log_url");
        account.Emit("payment_intent.payment_failed", intent);
        Settled(account, intent);
        why.Others["payment_intent"] = intent.Shown();
        why.Others["payment_method"] = method.Shown();
        if (charge is not null)
        {
            why.Others["charge"] = charge.Id();
        }
        return why;
    }

    /// <summary>A method that is to be used again belongs to the customer from now on. Any other one has paid once and for all.</summary>
    static void Save(Account account, JsonObject intent, JsonObject method)
    {
        if (intent.Text("setup_future_usage") is null)
        {
            if (method.Text("customer") is null)
            {
                PaymentMethods.Spend(method);
            }
            return;
        }
        method["_set_up"] = true;
        if (account.Find("customer", intent.Text("customer")) is { } customer)
        {
            PaymentMethods.Attach(account, method, customer);
        }
    }

    /// <summary>Tells the invoice or the checkout whose intent this is, if there is one.</summary>
    static void Settled(Account account, JsonObject intent)
    {
        Collection.Settled(account, intent);
        CheckoutSessions.Settled(account, intent);
    }
}
