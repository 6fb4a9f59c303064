using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/refunds</c>. Some cards' refunds are pending for a while, and some fail after they had succeeded.</summary>
static class Refunds
{
    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "refund", "amount": 0, "balance_transaction": null, "charge": null, "created": 0, "currency": "",
         "customer": null, "customer_account": null, "destination_details": {"card": {"reference_status": "pending",
          "reference_type": "acquirer_reference_number", "type": "refund"}, "type": "card"},
         "metadata": {}, "payment_intent": null, "payment_method": null, "reason": null, "receipt_number": null,
         "source_transfer_reversal": null, "status": "succeeded", "transfer_reversal": null}
        """);

    public static void Map(Routes routes)
    {
        routes.Read("/v1/refunds", "refund", "charge", "payment_intent");
        routes.Post(
            "/v1/refunds",
            "amount:int charge payment_intent reason:duplicate|fraudulent|requested_by_customer metadata:map reverse_transfer:bool "
                + "refund_application_fee:bool instructions_email currency",
            Create);
        routes.Post("/v1/refunds/*", "metadata:map", call =>
        {
            var refund = call.Subject("refund");
            var metadata = Metadata.Merged(refund.Object("metadata"), call.Given);
            call.Account.Change(refund, "refund.updated", () => refund["metadata"] = metadata);
            return refund;
        });
        routes.Post("/v1/refunds/*/cancel", "", call => throw Refusal.Invalid(
            $"You cannot cancel this refund because it has a status of {call.Subject("refund").Status()}.",
            code: "refund_unexpected_state"));
    }

    static JsonObject Create(Call call)
    {
        var (account, given) = (call.Account, call.Given);
        var charge = Subject(call);
        if (!charge.Is("paid") || !charge.Is("captured"))
        {
            throw Refusal.Invalid($"This charge ({charge.Id()}) cannot be refunded, because it has not succeeded.", "charge");
        }
        if (charge.Is("disputed"))
        {
            throw Refusal.Invalid($"Charge {charge.Id()} has been charged back; cannot issue a refund.", "charge", "charge_disputed");
        }
        var left = charge.Long("amount") - charge.Long("amount_refunded");
        if (left == 0)
        {
            throw Refusal.Invalid($"Charge {charge.Id()} has already been refunded.", "charge", "charge_already_refunded");
        }
        var amount = given.MaybeLong("amount") ?? left;
        Amounts.CheckPositive(amount);
        if (amount > left)
        {
            var currency = charge.Text("currency")!;
            throw Refusal.Invalid(
                $"Refund amount ({Amounts.Text(amount, currency)}) is greater than unrefunded amount on charge "
                    + $"({Amounts.Text(left, currency)})",
                "amount");
        }
        var metadata = Metadata.Merged(null, given);
        var afterwards = Charges.CardOf(account, charge).Afterwards;
        var clock = call.World.ClockOf(charge);
        var refund = account.New(Shape, charge.Id().StartsWith("py", StringComparison.Ordinal) ? "pyr" : "re", clock);
        refund["_test_clock"] = charge.Text("_test_clock");
        refund.Take(charge, "currency", "payment_intent");
        refund.Take(given, "reason");
        (refund["amount"], refund["charge"], refund["metadata"]) = (amount, charge.Id(), metadata);
        refund["status"] = afterwards == Afterwards.RefundPends ? "pending" : "succeeded";
        account.Add(refund);
        refund["balance_transaction"] = Balances.Book(account, clock, "refund", refund, -amount).Id();
        if (given.Is("reverse_transfer"))
        {
            refund["transfer_reversal"] = Transfers.ReverseOf(account, charge, amount)?.Id();
        }
        account.Emit("refund.created", refund);
        account.Change(charge, "charge.refunded", () => Count(charge, amount));
        Follow(account, charge, refund, afterwards, clock);
        return refund;
    }

    static JsonObject Subject(Call call)
    {
        if (call.Named("charge", "charge") is { } charge)
        {
            return charge;
        }
        if (call.Named("payment_intent", "payment_intent") is not { } intent)
        {
            throw Refusal.Invalid(
                "One of the following params should be provided for this request: payment_intent or charge.", code: "parameter_missing");
        }
        return call.Account.Find("charge", intent.Text("latest_charge")) ?? throw Refusal.Invalid(
            $"This PaymentIntent ({intent.Id()}) does not have a successful charge to refund.", "payment_intent");
    }

    static void Count(JsonObject charge, long amount)
    {
        charge["amount_refunded"] = charge.Long("amount_refunded") + amount;
        charge["refunded"] = charge.Long("amount_refunded") == charge.Long("amount");
    }

    static void Follow(Account account, JsonObject charge, JsonObject refund, Afterwards afterwards, Clock clock)
    {
        if (afterwards == Afterwards.RefundPends)
        {
            clock.After(Confirmation.BankSeconds, () => Changed(account, charge, refund, () => refund["status"] = "succeeded"));
        }
        else if (afterwards == Afterwards.RefundFails)
        {
            clock.After(Confirmation.BankSeconds, () =>
            {
                var back = Balances.Book(account, clock, "refund_failure", refund, refund.Long("amount"));
                Count(charge, -refund.Long("amount"));
                Changed(account, charge, refund, () =>
                {
                    refund["status"] = "failed";
                    refund["failure_reason"] = "expired_or_canceled_card";
                    refund["failure_balance_transaction"] = back.Id();
                });
                account.Emit("refund.failed", refund);
            });
        }
    }

    static void Changed(Account account, JsonObject charge, JsonObject refund, Action change)
    {
        account.Change(refund, "refund.updated", change);
        account.Emit("charge.refund.updated", refund);
        account.Emit("charge.updated", charge);
    }
}
