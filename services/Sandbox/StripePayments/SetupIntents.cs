using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/setup_intents</c>: a method that is to be charged later, without the customer.</summary>
static class SetupIntents
{
    const string Common = $" customer description metadata:map payment_method {PaymentMethods.Data} allowed_payment_method_types:[text] "
        + "payment_method_options{card{request_three_d_secure:any|automatic|challenge}}";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "setup_intent", "allowed_payment_method_types": null, "application": null, "automatic_payment_methods": null,
         "cancellation_reason": null, "client_secret": null, "created": 0, "customer": null, "customer_account": null, "description": null,
         "excluded_payment_method_types": null, "flow_directions": null, "last_setup_error": null, "latest_attempt": null,
         "livemode": false, "mandate": null, "metadata": {}, "next_action": null, "on_behalf_of": null, "payment_method": null,
         "payment_method_configuration_details": null,
         "payment_method_options": {"card": {"mandate_options": null, "network": null, "request_three_d_secure": "automatic"}},
         "payment_method_types": ["card"], "single_use_mandate": null, "status": "requires_payment_method", "usage": "off_session"}
        """);

    public static void Map(Routes routes)
    {
        routes.Post(
            "/v1/setup_intents",
            $"confirm:bool usage:off_session|on_session automatic_payment_methods{{enabled:bool! allow_redirects:always|never}} return_url "
                + $"use_stripe_sdk:bool mandate_data:any{Common}",
            Create);
        routes.Post("/v1/setup_intents/*", Common, Update);
        routes.Get("/v1/setup_intents/*", "client_secret", Subject, isPublic: true);
        routes.Get(
            "/v1/setup_intents",
            "created:range customer payment_method" + Params.Paging,
            call => call.Page("setup_intent", "customer", "payment_method"));
        routes.Post(
            "/v1/setup_intents/*/confirm",
            $"client_secret payment_method {PaymentMethods.Data} return_url use_stripe_sdk:bool mandate_data:any "
                + "expected_payment_method_type",
            Confirm,
            isPublic: true);
        routes.Post("/v1/setup_intents/*/cancel", "cancellation_reason:abandoned|duplicate|requested_by_customer", Cancel);
    }

    static JsonObject Subject(Call call)
    {
        var intent = call.Subject("setup_intent");
        return !call.IsPublic || call.Given.Text("client_secret") == intent.Text("client_secret")
            ? intent
            : throw Refusal.Invalid(
                "The client_secret provided does not match any associated SetupIntent on this account.", "client_secret");
    }

    static JsonObject Create(Call call)
    {
        var given = call.Given;
        var customer = Customers.Given(call);
        var metadata = Metadata.Merged(null, given);
        var method = PaymentMethods.Given(call);
        PaymentIntents.CheckOwner(method, customer?.Id());
        var intent = call.Account.New(Shape, "seti", call.World.ClockOf(customer));
        intent["_test_clock"] = customer?.Text("test_clock");
        intent["client_secret"] = StripeIds.Secret(intent.Id());
        intent["metadata"] = metadata;
        intent.Take(given, "customer", "description", "usage");
        PaymentIntents.AllowMethods(intent, given);
        if (method is not null)
        {
            intent["payment_method"] = method.Id();
            intent["status"] = "requires_confirmation";
        }
        if (given.Is("confirm") && method is not null)
        {
            PaymentIntents.RequireReturn(intent, given);
        }
        call.Account.Add(intent);
        call.Account.Emit("setup_intent.created", intent);
        return given.Is("confirm") ? Attempt(call, intent) : intent;
    }

    static JsonObject Update(Call call)
    {
        var intent = call.Subject("setup_intent");
        RequireOpen(intent, "update");
        var customer = Customers.Given(call);
        var metadata = Metadata.Merged(intent.Object("metadata"), call.Given);
        var method = PaymentMethods.Given(call);
        PaymentIntents.CheckOwner(method, customer?.Id() ?? intent.Text("customer"));
        intent["metadata"] = metadata;
        intent.Take(call.Given, "customer", "description");
        if (call.Given["allowed_payment_method_types"] is JsonArray)
        {
            PaymentIntents.AllowMethods(intent, call.Given);
        }
        if (method is not null)
        {
            intent["payment_method"] = method.Id();
            intent["status"] = "requires_confirmation";
        }
        return intent;
    }

    static JsonObject Confirm(Call call)
    {
        var intent = Subject(call);
        RequireOpen(intent, "confirm");
        var method = PaymentMethods.Given(call);
        PaymentIntents.CheckOwner(method, intent.Text("customer"));
        if ((method?.Id() ?? intent.Text("payment_method")) is { } saved)
        {
            PaymentIntents.RequireReturn(intent, call.Given);
            intent["payment_method"] = saved;
        }
        return Attempt(call, intent);
    }

    static JsonObject Cancel(Call call)
    {
        var intent = call.Subject("setup_intent");
        RequireOpen(intent, "cancel");
        (intent["status"], intent["next_action"]) = ("canceled", null);
        intent["cancellation_reason"] = call.Given.Text("cancellation_reason");
        call.Account.Emit("setup_intent.canceled", intent);
        return intent;
    }

    static void RequireOpen(JsonObject intent, string verb)
    {
        if (intent.Status() is "succeeded" or "canceled")
        {
            throw PaymentIntents.Unexpected(
                intent, $"You cannot {verb} this SetupIntent because it has a status of {intent.Status()}.");
        }
    }

    static JsonObject Attempt(Call call, JsonObject intent) =>
        Try(call.Account, intent, call.Given) is { } refusal ? throw refusal : intent;

    /// <summary>An intent of a checkout.</summary>
    public static JsonObject For(Account account, JsonObject customer)
    {
        var intent = account.New(Shape, "seti", account.World.ClockOf(customer));
        intent["_test_clock"] = customer.Text("test_clock");
        (intent["client_secret"], intent["customer"]) = (StripeIds.Secret(intent.Id()), customer.Id());
        account.Add(intent);
        account.Emit("setup_intent.created", intent);
        return intent;
    }

    /// <summary>What stands in the way of the setup, or null. With null the cardholder may still have something to do.</summary>
    public static Refusal? Try(Account account, JsonObject intent, JsonObject given)
    {
        if (account.Find("payment_method", intent.Text("payment_method")) is not { } method)
        {
            return PaymentIntents.Unexpected(intent, "You cannot confirm this SetupIntent because it's missing a payment method.");
        }
        if (PaymentMethods.Unusable(method) is { } unusable)
        {
            return unusable;
        }
        intent["_return_url"] = given.Text("return_url");
        if (PaymentMethods.CardOf(method).Authentication == Authentication.Never)
        {
            return Finish(account, intent, method);
        }
        Confirmation.RequireAction(account.World, intent);
        account.Emit("setup_intent.requires_action", intent);
        return null;
    }

    /// <summary>What the cardholder did on the bank's page.</summary>
    public static void Authenticate(Account account, JsonObject intent, bool isSuccess)
    {
        var method = account.Get("payment_method", intent.Text("payment_method"));
        intent["next_action"] = null;
        if (isSuccess)
        {
            Finish(account, intent, method);
            return;
        }
        Fail(account, intent, method, Refusal.Invalid(
            "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
            code: "setup_intent_authentication_failure"));
    }

    static Refusal? Finish(Account account, JsonObject intent, JsonObject method)
    {
        var card = PaymentMethods.CardOf(method);
        if (card is { Decline: not null, FailsLate: false, Brand: not "bank" })
        {
            return Fail(account, intent, method, TestCards.Declined(card));
        }
        method["_set_up"] = true;
        if (account.Find("customer", intent.Text("customer")) is { } customer)
        {
            PaymentMethods.Attach(account, method, customer);
        }
        SetupAttempts.Make(account, intent, method, error: null);
        intent["status"] = "succeeded";
        intent["last_setup_error"] = null;
        account.Emit("setup_intent.succeeded", intent);
        CheckoutSessions.Settled(account, intent);
        return null;
    }

    static Refusal Fail(Account account, JsonObject intent, JsonObject method, Refusal why)
    {
        var error = why.Body(account.Id, "req_sandbox").Object("error")!;
        error.Remove("request_log_url");
        error["payment_method"] = method.Shown();
        SetupAttempts.Make(account, intent, method, error);
        intent["status"] = "requires_payment_method";
        intent["payment_method"] = null;
        intent.Put("last_setup_error", error);
        account.Emit("setup_intent.setup_failed", intent);
        why.Others["setup_intent"] = intent.Shown();
        why.Others["payment_method"] = method.Shown();
        return why;
    }
}
