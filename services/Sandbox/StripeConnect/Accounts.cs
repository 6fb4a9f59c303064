using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// <c>/v1/accounts</c>: the platform's own and those that are connected to it. <see cref="Onboarding"/> says what they may.
/// </summary>
static class Accounts
{
    const string Common = " business_type:individual|company|non_profit|government_entity email metadata:map default_currency "
        + "business_profile{mcc name url support_email support_phone product_description} capabilities:any "
        + "individual{first_name last_name email phone dob{day:int month:int year:int} address{city country line1 line2 postal_code state} "
        + "ssn_last_4 id_number} company{name phone tax_id address{city country line1 line2 postal_code state}} external_account:any "
        + "tos_acceptance{date:int ip user_agent service_agreement} settings{payouts{schedule{interval:daily|manual|weekly|monthly "
        + "delay_days weekly_anchor monthly_anchor:int} debit_negative_balances:bool statement_descriptor}}";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "account", "business_profile": {"annual_revenue": null, "estimated_worker_count": null, "mcc": null,
          "minority_owned_business_designation": null, "name": null, "support_address": null, "support_email": null, "support_phone": null,
          "support_url": null, "url": null, "specified_commercial_transactions_act_url": null},
         "business_type": null, "capabilities": {}, "charges_enabled": false,
         "controller": {"fees": {"payer": "account"}, "is_controller": true, "losses": {"payments": "stripe"},
          "requirement_collection": "stripe", "stripe_dashboard": {"type": "full"}, "type": "application"},
         "country": "US", "created": 0, "default_currency": "usd", "details_submitted": false, "email": null,
         "external_accounts": {"object": "list", "data": [], "has_more": false, "url": ""},
         "future_requirements": {"alternatives": [], "current_deadline": null, "currently_due": [], "disabled_reason": null, "errors": [],
          "eventually_due": [], "past_due": [], "pending_verification": []},
         "metadata": {}, "payouts_enabled": false,
         "requirements": {"alternatives": [], "current_deadline": null, "currently_due": [], "disabled_reason": null, "errors": [],
          "eventually_due": [], "past_due": [], "pending_verification": []},
         "settings": {"branding": {"icon": null, "logo": null, "primary_color": null, "secondary_color": null},
          "card_payments": {"decline_on": {"avs_failure": false, "cvc_failure": false}, "statement_descriptor_prefix": null,
           "statement_descriptor_prefix_kana": null, "statement_descriptor_prefix_kanji": null},
          "dashboard": {"display_name": null, "timezone": "Etc/UTC"},
          "payments": {"statement_descriptor": null, "statement_descriptor_kana": null, "statement_descriptor_kanji": null,
           "statement_descriptor_prefix_kana": null, "statement_descriptor_prefix_kanji": null},
          "payouts": {"debit_negative_balances": true, "schedule": {"delay_days": 2, "interval": "daily"},
           "statement_descriptor": null}},
         "tos_acceptance": {"date": null, "ip": null, "user_agent": null}, "type": "none"}
        """);

    public static void Map(Routes routes)
    {
        routes.Get("/v1/account", "", call => Own(call.Account));
        routes.Post(
            "/v1/accounts",
            "type:express|custom|standard country controller{fees{payer:account|application} losses{payments:application|stripe} "
                + $"requirement_collection:application|stripe stripe_dashboard{{type:express|full|none}}}}{Common}",
            Create);
        routes.Post("/v1/accounts/*", Common, Update);
        routes.Get("/v1/accounts/*", "", call => Subject(call));
        routes.Get("/v1/accounts", "created:range" + Params.Paging, call =>
            call.Page(call.World.Platform.Newest("account").Where(account => account.Id() != call.World.Platform.Id)));
        routes.Delete("/v1/accounts/*", "", Delete);
        routes.Post("/v1/accounts/*/reject", "reason:fraud|terms_of_service|other!", call =>
        {
            var account = Subject(call);
            Onboarding.Restrict(call.World, account, "rejected." + call.Given.Text("reason"));
            return account;
        });
        routes.Post("/v1/accounts/*/login_links", "", Login);
    }

    /// <summary>The account of the path, with which the platform may work.</summary>
    public static JsonObject Subject(Call call)
    {
        var account = call.Id == call.World.Platform.Id ? Own(call.World.Platform) : call.World.Platform.Find("account", call.Id);
        return account is not null && call.World.Account(call.Id) is { IsDeauthorized: false }
            ? account
            : throw new Refusal(
                StatusCodes.Status403Forbidden,
                "invalid_request_error",
                $"The provided key does not have access to account '{call.Id}' (or that account does not exist). Application access "
                    + "may have been revoked.") { Code = "account_invalid" };
    }

    /// <summary>The object of an account. The platform's is made when it is asked for first.</summary>
    public static JsonObject Own(Account account)
    {
        var platform = account.World.Platform;
        if (platform.Find("account", account.Id) is { } known)
        {
            return known;
        }
        var own = (JsonObject)Shape.DeepClone();
        (own["id"], own["created"], own["type"]) = (account.Id, account.World.Clock.Now, "standard");
        (own["charges_enabled"], own["payouts_enabled"], own["details_submitted"]) = (true, true, true);
        own["capabilities"] = new JsonObject { ["card_payments"] = "active", ["transfers"] = "active" };
        own["controller"] = new JsonObject { ["type"] = "account" };
        own["external_accounts"]!["url"] = $"/v1/accounts/{account.Id}/external_accounts";
        return platform.Add(own);
    }

    static JsonObject Create(Call call)
    {
        var given = call.Given;
        if (!call.Account.IsPlatform)
        {
            throw Refusal.Invalid("Only a platform can create accounts.");
        }
        var type = given.Text("type") ?? (given.Object("controller") is null ? "standard" : null);
        if (given.Text("type") is not null && given.Object("controller") is not null)
        {
            throw Refusal.Invalid("You may not specify `type` together with `controller`.", "type");
        }
        var metadata = Metadata.Merged(null, given);
        Capabilities.Check(given);
        var account = call.Account.New(Shape, "acct");
        (account["metadata"], account["type"]) = (metadata, type ?? "none");
        var country = given.Text("country")?.ToUpperInvariant() ?? "US";
        account["country"] = country;
        account["default_currency"] = country switch
        {
            "US" => "usd", "GB" => "gbp", "CH" => "chf", "CA" => "cad", "AU" => "aud", _ => "eur",
        };
        account["external_accounts"]!["url"] = $"/v1/accounts/{account.Id()}/external_accounts";
        Control(account, type, given.Object("controller"));
        Take(account, given);
        call.World.Connect(account.Id());
        call.Account.Add(account);
        Onboarding.Begin(call.World, account);
        Onboarding.Learn(call.World, account, given);
        return account;
    }

    static void Control(JsonObject account, string? type, JsonObject? given)
    {
        var controller = account.Object("controller")!;
        if (type is not null)
        {
            controller["fees"]!["payer"] = type == "express" ? "application_express" : type == "custom" ? "application_custom" : "account";
            controller["losses"]!["payments"] = type == "standard" ? "stripe" : "application";
            controller["requirement_collection"] = type == "custom" ? "application" : "stripe";
            controller["stripe_dashboard"]!["type"] = type switch { "express" => "express", "custom" => "none", _ => "full" };
            return;
        }
        controller.Merge(given!, "fees", "losses", "stripe_dashboard");
        controller.Take(given!, "requirement_collection");
    }

    static void Take(JsonObject account, JsonObject given)
    {
        account.Take(given, "email", "business_type", "default_currency");
        account.Merge(given, "business_profile");
        if (given.Object("settings")?.Object("payouts") is { } payouts)
        {
            var target = account.Object("settings")!.Object("payouts")!;
            target.Take(payouts, "debit_negative_balances", "statement_descriptor");
            target.Merge(payouts, "schedule");
        }
        if (given.Object("capabilities") is { } wanted)
        {
            Capabilities.Request(account, wanted);
        }
    }

    static JsonObject Update(Call call)
    {
        var account = Subject(call);
        Capabilities.Check(call.Given);
        var metadata = Metadata.Merged(account.Object("metadata"), call.Given);
        Onboarding.Change(call.World, account, () =>
        {
            account["metadata"] = metadata;
            Take(account, call.Given);
        });
        Onboarding.Learn(call.World, account, call.Given);
        return account;
    }

    static JsonObject Delete(Call call)
    {
        var account = Subject(call);
        var state = call.World.Account(account.Id())!;
        if (state.Funds.Currencies.Any(currency => state.Funds.Available(currency) != 0 || state.Funds.Pending(currency) != 0))
        {
            throw Refusal.Invalid("You cannot delete an account with a balance that is not zero.", code: "account_invalid");
        }
        call.World.Platform.Remove(account, leaves: false);
        call.World.Disconnect(account.Id());
        return new() { ["id"] = account.Id(), ["object"] = "account", ["deleted"] = true };
    }

    static JsonObject Login(Call call)
    {
        var account = Subject(call);
        if (account.Object("controller")?.Object("stripe_dashboard")?.Text("type") != "express")
        {
            throw Refusal.Invalid("Cannot create a login link for an account that is not an Express account.");
        }
        if (!account.Is("details_submitted"))
        {
            throw Refusal.Invalid("Cannot create a login link for an account that has not completed onboarding.");
        }
        return new()
        {
            ["object"] = "login_link",
            ["created"] = call.Now,
            ["url"] = $"{call.World.Address}/pages/express/{call.World.Name}/{account.Id()}",
        };
    }
}
