using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/transfers</c> and their reversals: from the platform's balance to a connected account's, and back.</summary>
static class Transfers
{
    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "transfer", "amount": 0, "amount_reversed": 0, "balance_transaction": null, "created": 0, "currency": "",
         "description": null, "destination": null, "destination_payment": null, "livemode": false, "metadata": {},
         "reversals": {"object": "list", "data": [], "has_more": false, "url": ""}, "reversed": false, "source_transaction": null,
         "source_type": "card", "transfer_group": null}
        """);

    static readonly JsonObject ReversalShape = Fields.Shape("""
        {"id": "", "object": "transfer_reversal", "amount": 0, "balance_transaction": null, "created": 0, "currency": "",
         "destination_payment_refund": null, "metadata": {}, "source_refund": null, "transfer": ""}
        """);

    /// <summary>What the connected account sees: a payment without a card.</summary>
    static readonly JsonObject PaymentShape = Fields.Shape("""
        {"id": "", "object": "charge", "amount": 0, "amount_captured": 0, "amount_refunded": 0, "application": null,
         "application_fee": null, "application_fee_amount": null, "balance_transaction": null,
         "billing_details": {"address": {"city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null},
          "email": null, "name": null, "phone": null, "tax_id": null},
         "calculated_statement_descriptor": null, "captured": true, "created": 0, "currency": "", "customer": null, "description": null,
         "disputed": false, "failure_balance_transaction": null, "failure_code": null, "failure_message": null, "fraud_details": {},
         "livemode": false, "metadata": {}, "on_behalf_of": null, "outcome": null, "paid": true, "payment_intent": null,
         "payment_method": null, "payment_method_details": {"stripe_account": {}, "type": "stripe_account"}, "receipt_email": null,
         "receipt_number": null, "receipt_url": null, "refunded": false, "review": null, "shipping": null, "source": null,
         "source_transfer": null, "statement_descriptor": null, "statement_descriptor_suffix": null, "status": "succeeded",
         "transfer_data": null, "transfer_group": null}
        """);

    public static void Map(Routes routes)
    {
        routes.Read("/v1/transfers", "transfer", "destination", "transfer_group");
        routes.Post(
            "/v1/transfers",
            "amount:int currency! destination! description metadata:map source_transaction source_type:bank_account|card|fpx "
                + "transfer_group",
            Create);
        routes.Post("/v1/transfers/*", "description metadata:map", Update);
        routes.Post("/v1/transfers/*/reversals", "amount:int description metadata:map refund_application_fee:bool", call =>
        {
            var transfer = call.Subject("transfer");
            var left = transfer.Long("amount") - transfer.Long("amount_reversed");
            return Reverse(call.Account, transfer, call.Given.MaybeLong("amount") ?? left, call.Given);
        });
        routes.Get("/v1/transfers/*/reversals", Params.Paging, call =>
            call.Page(call.Account.Newest("transfer_reversal").Where(each => each.Text("transfer") == call.Id)));
        routes.Get("/v1/transfers/*/reversals/*", "", call => call.Account.Get("transfer_reversal", call.Ids[1]));
    }

    static JsonObject Create(Call call)
    {
        var given = call.Given;
        if (given.MaybeLong("amount") is not { } amount)
        {
            throw Refusal.Invalid("Missing required param: amount.", "amount", "parameter_missing");
        }
        Amounts.CheckPositive(amount);
        Amounts.CheckCurrency(given.Text("currency")!);
        var destination = Destination(call.World, given.Text("destination")!);
        var currency = given.Text("currency")!.ToLowerInvariant();
        var charge = call.Named("charge", "source_transaction");
        if (charge is null ? call.Account.Funds.Available(currency) < amount : charge.Long("amount_captured") < amount)
        {
            throw Refusal.Invalid(
                charge is null
                    ? "You have insufficient available funds in your Stripe account. Try adding funds directly to your available "
                        + "balance by creating Charges using the 4000000000000077 test card. See: "
                        + "https://stripe.com/docs/testing#available-balance"
                    : $"The transfer amount is greater than the charge {charge.Id()}.",
                charge is null ? null : "amount",
                charge is null ? "balance_insufficient" : "amount_too_large");
        }
        var metadata = Metadata.Merged(null, given);
        var transfer = call.Account.New(Shape, "tr");
        transfer.Take(given, "description", "transfer_group", "source_transaction");
        (transfer["amount"], transfer["currency"], transfer["metadata"]) = (amount, currency, metadata);
        transfer["transfer_group"] ??= charge?.Text("transfer_group");
        return Make(call.Account, transfer, destination);
    }

    /// <summary>A charge that names a destination sends it money by itself.</summary>
    public static void OfCharge(Account platform, JsonObject charge, JsonObject data, long amount)
    {
        var transfer = platform.New(Shape, "tr", platform.World.ClockOf(charge));
        transfer.Take(charge, "currency", "transfer_group");
        transfer["amount"] = data.MaybeLong("amount") ?? amount;
        transfer["source_transaction"] = charge.Id();
        Make(platform, transfer, Destination(platform.World, data.Text("destination")!));
        charge["transfer"] = transfer.Id();
    }

    public static JsonObject? ReverseOf(Account platform, JsonObject charge, long amount) =>
        platform.Find("transfer", charge.Text("transfer")) is { } transfer ? Reverse(platform, transfer, amount, []) : null;

    static Account Destination(World world, string id)
    {
        if (world.Account(id) is not { IsPlatform: false, IsDeauthorized: false } account)
        {
            throw Refusal.Missing("destination", id, "destination");
        }
        if (world.Platform.Get("account", id).Object("capabilities")!.Text("transfers") != "active")
        {
            throw Refusal.Invalid(
                "Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, "
                    + "legacy_payments",
                "destination",
                "insufficient_capabilities_for_transfer");
        }
        return account;
    }

    static JsonObject Make(Account platform, JsonObject transfer, Account destination)
    {
        var (amount, clock) = (transfer.Long("amount"), platform.World.Clock);
        var source = platform.Find("charge", transfer.Text("source_transaction"));
        var payment = destination.New(PaymentShape, "py");
        (payment["amount"], payment["amount_captured"], payment["source_transfer"]) = (amount, amount, transfer.Id());
        payment.Take(transfer, "currency", "transfer_group", "description");
        transfer["destination"] = destination.Id;
        transfer["destination_payment"] = payment.Id();
        transfer["reversals"]!["url"] = $"/v1/transfers/{transfer.Id()}/reversals";
        platform.Add(transfer);
        destination.Add(payment);
        transfer["balance_transaction"] = Balances.Book(platform, clock, "transfer", transfer, -amount).Id();
        // What comes from a charge is available there when the charge's money is.
        var isPending = source is not null
            && platform.Find("balance_transaction", source.Text("balance_transaction"))?.Status() == "pending";
        payment["balance_transaction"] =
            Balances.Book(destination, clock, "payment", payment, amount, days: isPending ? Balances.PendingDays : 0).Id();
        platform.Emit("transfer.created", transfer);
        destination.Emit("charge.succeeded", payment);
        return transfer;
    }

    static JsonObject Update(Call call)
    {
        var transfer = call.Subject("transfer");
        var metadata = Metadata.Merged(transfer.Object("metadata"), call.Given);
        call.Account.Change(transfer, "transfer.updated", () =>
        {
            transfer["metadata"] = metadata;
            transfer.Take(call.Given, "description");
        });
        return transfer;
    }

    static JsonObject Reverse(Account platform, JsonObject transfer, long amount, JsonObject given)
    {
        Amounts.CheckPositive(amount);
        var left = transfer.Long("amount") - transfer.Long("amount_reversed");
        var currency = transfer.Text("currency")!;
        if (amount > left)
        {
            throw Refusal.Invalid(
                left == 0
                    ? $"Transfer {transfer.Id()} is already fully reversed."
                    : $"Reversal amount ({Amounts.Text(amount, currency)}) is greater than the unreversed amount on transfer "
                        + $"({Amounts.Text(left, currency)})",
                "amount");
        }
        var destination = platform.World.Account(transfer.Text("destination")!)!;
        if (destination.Funds.Available(currency) < amount)
        {
            throw Refusal.Invalid(
                "The connected account does not have enough available funds to reverse this transfer.", code: "balance_insufficient");
        }
        var metadata = Metadata.Merged(null, given);
        var payment = destination.Get("charge", transfer.Text("destination_payment"));
        var reversal = platform.New(ReversalShape, "trr");
        (reversal["amount"], reversal["currency"], reversal["transfer"]) = (amount, currency, transfer.Id());
        reversal["metadata"] = metadata;
        platform.Add(reversal);
        reversal["balance_transaction"] = Balances.Book(platform, platform.World.Clock, "transfer_refund", reversal, amount).Id();
        Balances.Book(destination, platform.World.Clock, "payment_refund", payment, -amount);
        payment["amount_refunded"] = payment.Long("amount_refunded") + amount;
        payment["refunded"] = payment.Long("amount_refunded") == payment.Long("amount");
        transfer["amount_reversed"] = transfer.Long("amount_reversed") + amount;
        transfer["reversed"] = amount == left;
        ((JsonArray)transfer.Object("reversals")!["data"]!).Insert(0, reversal.Shown());
        platform.Emit("transfer.reversed", transfer);
        return reversal;
    }
}
