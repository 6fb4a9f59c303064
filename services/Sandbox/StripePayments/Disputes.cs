using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// <c>/v1/disputes</c>. <c>winning_evidence</c> and <c>losing_evidence</c> as the uncategorized text decide, as at Stripe.
/// </summary>
static class Disputes
{
    const long DueSeconds = 7 * 24 * 60 * 60;

    const string Evidence = "evidence{access_activity_log billing_address cancellation_policy cancellation_policy_disclosure "
        + "cancellation_rebuttal customer_communication customer_email_address customer_name customer_purchase_ip customer_signature "
        + "duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt refund_policy "
        + "refund_policy_disclosure refund_refusal_explanation service_date service_documentation shipping_address shipping_carrier "
        + "shipping_date shipping_documentation shipping_tracking_number uncategorized_file uncategorized_text}";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "dispute", "amount": 0, "balance_transactions": [], "charge": "", "created": 0, "currency": "",
         "enhanced_eligibility_types": [], "evidence": {"access_activity_log": null, "billing_address": null, "cancellation_policy": null,
          "cancellation_policy_disclosure": null, "cancellation_rebuttal": null, "customer_communication": null,
          "customer_email_address": null, "customer_name": null, "customer_purchase_ip": null, "customer_signature": null,
          "duplicate_charge_documentation": null, "duplicate_charge_explanation": null, "duplicate_charge_id": null,
          "enhanced_evidence": {}, "product_description": null, "receipt": null, "refund_policy": null, "refund_policy_disclosure": null,
          "refund_refusal_explanation": null, "service_date": null, "service_documentation": null, "shipping_address": null,
          "shipping_carrier": null, "shipping_date": null, "shipping_documentation": null, "shipping_tracking_number": null,
          "uncategorized_file": null, "uncategorized_text": null},
         "evidence_details": {"due_by": null, "enhanced_eligibility": {}, "has_evidence": false, "past_due": false, "submission_count": 0,
          "submission_method": "not_submitted"},
         "intended_submission_method": null, "is_charge_refundable": false, "livemode": false, "metadata": {},
         "network_reason_code": "10.4", "payment_intent": null, "reason": "", "status": "needs_response"}
        """);

    public static void Map(Routes routes)
    {
        routes.Read("/v1/disputes", "dispute", "charge", "payment_intent");
        routes.Post("/v1/disputes/*", $"{Evidence} metadata:map submit:bool", Update);
        routes.Post("/v1/disputes/*/close", "", call =>
        {
            var dispute = call.Subject("dispute");
            RequireOpen(dispute);
            Close(call.Account, dispute, "lost");
            return dispute;
        });
    }

    public static void Open(Account account, JsonObject charge, string reason, bool isInquiry)
    {
        var clock = account.World.ClockOf(charge);
        var dispute = account.New(Shape, "du", clock);
        dispute["_test_clock"] = charge.Text("_test_clock");
        dispute.Take(charge, "currency", "payment_intent");
        (dispute["amount"], dispute["charge"], dispute["reason"]) = (charge.Long("amount_captured"), charge.Id(), reason);
        dispute["status"] = isInquiry ? "warning_needs_response" : "needs_response";
        dispute["is_charge_refundable"] = isInquiry;
        dispute["evidence_details"]!["due_by"] = clock.Now + DueSeconds;
        account.Add(dispute);
        if (!isInquiry)
        {
            Book(account, dispute, -dispute.Long("amount"), Balances.DisputeFee);
        }
        account.Change(charge, "charge.updated", () => charge["disputed"] = !isInquiry);
        account.Emit("charge.dispute.created", dispute);
        if (!isInquiry)
        {
            account.Emit("charge.dispute.funds_withdrawn", dispute);
        }
    }

    static JsonObject Update(Call call)
    {
        var dispute = call.Subject("dispute");
        RequireOpen(dispute);
        var metadata = Metadata.Merged(dispute.Object("metadata"), call.Given);
        // Evidence is handed in unless the caller only stages it.
        var isSubmitted = call.Given.ContainsKey("submit") ? call.Given.Is("submit") : call.Given.Object("evidence") is not null;
        call.Account.Change(dispute, "charge.dispute.updated", () =>
        {
            dispute["metadata"] = metadata;
            dispute.Merge(call.Given, "evidence");
            var details = dispute.Object("evidence_details")!;
            details["has_evidence"] = dispute.Object("evidence")!.Any(each => each.Value is JsonValue);
            if (isSubmitted)
            {
                details["submission_count"] = details.Long("submission_count") + 1;
                details["submission_method"] = "manual";
                dispute["status"] = dispute.Status() == "warning_needs_response" ? "warning_under_review" : "under_review";
            }
        });
        var decision = dispute.Object("evidence")!.Text("uncategorized_text") switch
        {
            "winning_evidence" => "won",
            "losing_evidence" => "lost",
            _ => null,
        };
        if (isSubmitted && decision is not null)
        {
            call.World.ClockOf(dispute).After(Confirmation.LaterSeconds, () => Close(call.Account, dispute, decision));
        }
        return dispute;
    }

    static void RequireOpen(JsonObject dispute)
    {
        if (dispute.Status() is not ("needs_response" or "warning_needs_response" or "under_review"))
        {
            throw Refusal.Invalid("This dispute is already closed", code: "dispute_already_closed");
        }
    }

    static void Close(Account account, JsonObject dispute, string decision)
    {
        if (dispute.Status() is "won" or "lost" or "warning_closed")
        {
            return;
        }
        var isInquiry = dispute.Status().StartsWith("warning", StringComparison.Ordinal);
        dispute["status"] = isInquiry ? "warning_closed" : decision;
        if (decision == "won" && !isInquiry)
        {
            Book(account, dispute, dispute.Long("amount"), -Balances.DisputeFee);
            account.Emit("charge.dispute.funds_reinstated", dispute);
        }
        account.Emit("charge.dispute.closed", dispute);
    }

    static void Book(Account account, JsonObject dispute, long amount, long fee)
    {
        var booked = Balances.Book(account, account.World.ClockOf(dispute), "adjustment", dispute, amount, fee);
        ((JsonArray)dispute["balance_transactions"]!).Add(booked.Shown());
    }
}
