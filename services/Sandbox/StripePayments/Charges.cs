using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/charges</c>: one attempt each. They are made by intents alone.</summary>
static class Charges
{
    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "charge", "amount": 0, "amount_captured": 0, "amount_refunded": 0, "application": null,
         "application_fee": null, "application_fee_amount": null, "balance_transaction": null, "billing_details": {},
         "calculated_statement_descriptor": "LLM GATEWAY SANDBOX", "captured": false, "created": 0, "currency": "", "customer": null,
         "description": null, "disputed": false, "failure_balance_transaction": null, "failure_code": null, "failure_message": null,
         "fraud_details": {}, "livemode": false, "metadata": {}, "on_behalf_of": null,
         "outcome": {"advice_code": null, "network_advice_code": null, "network_decline_code": null,
          "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 20,
          "seller_message": "Payment complete.", "type": "authorized"},
         "paid": false, "payment_intent": null, "payment_method": null, "payment_method_details": null, "receipt_email": null,
         "receipt_number": null, "receipt_url": null, "refunded": false, "review": null, "shipping": null, "source": null,
         "source_transfer": null, "statement_descriptor": null, "statement_descriptor_suffix": null, "status": "", "transfer_data": null,
         "transfer_group": null}
        """);

    static readonly JsonObject CardDetails = Fields.Shape("""
        {"amount_authorized": 0, "authorization_code": null, "brand": "", "checks": {"address_line1_check": null,
         "address_postal_code_check": null, "cvc_check": "pass"}, "country": "", "electronic_commerce_indicator": null, "exp_month": 0,
         "exp_year": 0, "extended_authorization": {"status": "disabled"}, "fingerprint": "", "funding": "",
         "incremental_authorization": {"status": "unavailable"}, "installments": null, "last4": "", "mandate": null,
         "multicapture": {"status": "unavailable"}, "network": "", "network_token": {"used": false}, "network_transaction_id": null,
         "overcapture": {"maximum_amount_capturable": 0, "status": "unavailable"}, "regulated_status": "unregulated",
         "three_d_secure": null, "transaction_link_id": null, "wallet": null}
        """);

    static readonly JsonObject BankDetails = Fields.Shape("""
        {"account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK", "fingerprint": "",
         "last4": "", "payment_reference": null, "routing_number": "110000000"}
        """);

    public static void Map(Routes routes)
    {
        routes.Get("/v1/charges/*", "", call => call.Subject("charge"));
        routes.Get(
            "/v1/charges",
            "created:range customer payment_intent transfer_group" + Params.Paging,
            call => call.Page("charge", "customer", "payment_intent", "transfer_group"));
        routes.Post("/v1/charges/*", "description metadata:map receipt_email transfer_group", call =>
        {
            var charge = call.Subject("charge");
            var metadata = Metadata.Merged(charge.Object("metadata"), call.Given);
            call.Account.Change(charge, "charge.updated", () =>
            {
                charge["metadata"] = metadata;
                charge.Take(call.Given, "description", "receipt_email", "transfer_group");
            });
            return charge;
        });
    }

    public static TestCard CardOf(Account account, JsonObject charge) =>
        PaymentMethods.CardOf(account.Get("payment_method", charge.Text("payment_method")));

    public static JsonObject Make(Account account, JsonObject intent, JsonObject method, string status)
    {
        var clock = account.World.ClockOf(intent);
        var charge = account.New(Shape, method.Text("type") == "card" ? "ch" : "py", clock);
        charge["_test_clock"] = intent.Text("_test_clock");
        charge.Take(
            intent, "amount", "currency", "customer", "description", "metadata", "on_behalf_of", "receipt_email", "shipping",
            "statement_descriptor", "statement_descriptor_suffix", "transfer_data", "transfer_group", "application_fee_amount");
        (charge["status"], charge["paid"], charge["payment_intent"]) = (status, status == "succeeded", intent.Id());
        charge["payment_method"] = method.Id();
        charge.Put("billing_details", method["billing_details"]);
        charge["payment_method_details"] = Details(intent, method);
        charge["receipt_url"] = $"{account.World.Address}/pages/receipt/{charge.Id()}";
        charge["_refunds"] = Fields.ListOf([], $"/v1/charges/{charge.Id()}/refunds");
        intent["latest_charge"] = charge.Id();
        return account.Add(charge);
    }

    static JsonObject Details(JsonObject intent, JsonObject method)
    {
        if (method.Text("type") != "card")
        {
            var bank = (JsonObject)BankDetails.DeepClone();
            bank.Take(method.Object("us_bank_account")!, "fingerprint", "last4");
            return new() { ["type"] = "us_bank_account", ["us_bank_account"] = bank };
        }
        var card = (JsonObject)CardDetails.DeepClone();
        card.Take(method.Object("card")!, "brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4");
        card["network"] = card.Text("brand");
        card["amount_authorized"] = intent.Long("amount");
        card["overcapture"]!["maximum_amount_capturable"] = intent.Long("amount");
        card["network_transaction_id"] = StripeIds.Fingerprint(intent.Id())[..15];
        if (method.Is("_authenticated"))
        {
            card["three_d_secure"] = Fields.Shape("""
                {"authentication_flow": "challenge", "electronic_commerce_indicator": "05", "exemption_indicator": null,
                 "result": "authenticated", "result_reason": null, "transaction_id": null, "version": "2.2.0"}
                """);
        }
        return new() { ["card"] = card, ["type"] = "card" };
    }

    public static void Fail(JsonObject charge, Refusal why)
    {
        charge["status"] = "failed";
        charge["failure_code"] = why.Code;
        charge["failure_message"] = why.Message;
        var outcome = charge.Object("outcome")!;
        var isBlocked = why.DeclineCode == "fraudulent";
        outcome["network_status"] = isBlocked ? "not_sent_to_network" : "declined_by_network";
        outcome["reason"] = isBlocked ? "highest_risk_level" : why.DeclineCode ?? why.Code;
        outcome["risk_level"] = isBlocked ? "highest" : "normal";
        outcome["seller_message"] = isBlocked ? "Stripe blocked this payment." : "The bank did not return any further details.";
        outcome["type"] = isBlocked ? "blocked" : "issuer_declined";
    }

    /// <summary>Books the payment and its fee.</summary>
    public static void Capture(Account account, JsonObject charge, long amount)
    {
        var card = CardOf(account, charge);
        var clock = account.World.ClockOf(charge);
        charge["captured"] = true;
        charge["amount_captured"] = amount;
        if (amount < charge.Long("amount"))
        {
            charge["amount_refunded"] = charge.Long("amount") - amount;
        }
        var booked = Balances.Book(
            account,
            clock,
            charge.Id().StartsWith("py", StringComparison.Ordinal) ? "payment" : "charge",
            charge,
            amount,
            Balances.FeeOf(amount, card),
            card.BypassesPending ? 0 : Balances.PendingDays,
            charge.Text("description"));
        charge["balance_transaction"] = booked.Id();
        if (charge.Object("transfer_data") is { } data)
        {
            Transfers.OfCharge(account, charge, data, amount);
        }
    }

    public static void Void(Account account, JsonObject charge)
    {
        charge["amount_refunded"] = charge.Long("amount");
        charge["refunded"] = true;
        account.Emit("charge.refunded", charge);
    }

    /// <summary>What the test card leads to.</summary>
    public static void Follow(Account account, JsonObject charge)
    {
        var reason = CardOf(account, charge).Afterwards switch
        {
            Afterwards.Dispute or Afterwards.Inquiry => "fraudulent",
            Afterwards.DisputeNotReceived => "product_not_received",
            _ => null,
        };
        if (reason is not null)
        {
            var isInquiry = CardOf(account, charge).Afterwards == Afterwards.Inquiry;
            account.World.ClockOf(charge).After(Confirmation.LaterSeconds, () => Disputes.Open(account, charge, reason, isInquiry));
        }
    }
}
