using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/payouts</c>: from an account's balance to its bank, when asked or, unless its schedule is manual, every day.</summary>
static class Payouts
{
    const long Day = 24 * 60 * 60;

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "payout", "amount": 0, "application_fee": null, "application_fee_amount": null, "arrival_date": 0,
         "automatic": false, "balance_transaction": null, "created": 0, "currency": "", "description": null, "destination": null,
         "failure_balance_transaction": null, "failure_code": null, "failure_message": null, "livemode": false, "metadata": {},
         "method": "standard", "original_payout": null, "payout_method": null, "reconciliation_status": "not_applicable",
         "reversed_by": null, "source_type": "card", "statement_descriptor": null, "status": "pending", "trace_id": null,
         "type": "bank_account"}
        """);

    public static void Map(Routes routes)
    {
        routes.Get("/v1/payouts/*", "", call => call.Subject("payout"));
        routes.Get(
            "/v1/payouts",
            "created:range arrival_date:range destination status" + Params.Paging,
            call => call.Page("payout", "destination", "status"));
        routes.Post(
            "/v1/payouts",
            "amount:int! currency! description destination metadata:map method:standard|instant source_type:bank_account|card|fpx "
                + "statement_descriptor",
            Create);
        routes.Post("/v1/payouts/*", "metadata:map", call =>
        {
            var payout = call.Subject("payout");
            var metadata = Metadata.Merged(payout.Object("metadata"), call.Given);
            call.Account.Change(payout, "payout.updated", () => payout["metadata"] = metadata);
            return payout;
        });
        routes.Post("/v1/payouts/*/cancel", "", Cancel);
    }

    /// <summary>Lets the automatic payouts of an account that is ready begin.</summary>
    public static void Schedule(Account state, JsonObject account)
    {
        if (!account.Is("payouts_enabled") || account.Is("_scheduled"))
        {
            return;
        }
        account["_scheduled"] = true;
        state.World.Clock.After(Day, () =>
        {
            account["_scheduled"] = false;
            if (account.Object("settings")?.Object("payouts")?.Object("schedule")?.Text("interval") != "manual")
            {
                PayAll(state);
            }
            Schedule(state, account);
        });
    }

    static void PayAll(Account state)
    {
        foreach (var currency in state.Funds.Currencies.ToList())
        {
            if (state.Funds.Available(currency) > 0 && Bank(state, currency) is { } bank)
            {
                var payout = state.New(Shape, "po");
                payout["automatic"] = true;
                Make(state, payout, state.Funds.Available(currency), currency, bank);
            }
        }
    }

    static JsonObject? Bank(Account state, string currency) =>
        state.Newest("bank_account").FirstOrDefault(bank => bank.Text("currency") == currency);

    static JsonObject Create(Call call)
    {
        var (state, given) = (call.Account, call.Given);
        var account = Accounts.Own(state);
        var (amount, currency) = (given.Long("amount"), given.Text("currency")!.ToLowerInvariant());
        Amounts.CheckPositive(amount);
        Amounts.CheckCurrency(currency);
        if (!account.Is("payouts_enabled"))
        {
            throw Refusal.Invalid("Cannot create payouts: this account has payouts disabled.", code: "payouts_not_allowed");
        }
        if (state.Funds.Available(currency) < amount)
        {
            throw Refusal.Invalid(
                "You have insufficient funds in your Stripe account for this transfer. Your card balance is too low. You can use the "
                    + "/v1/balance endpoint to view your Stripe balance (for more details, see stripe.com/docs/api#balance).",
                code: "balance_insufficient");
        }
        var bank = call.Named("bank_account", "destination") ?? Bank(state, currency);
        if (bank is null && !state.IsPlatform)
        {
            throw Refusal.Invalid(
                $"Sorry, you don't have any external accounts in that currency ({currency}).", "currency", "payouts_not_allowed");
        }
        var metadata = Metadata.Merged(null, given);
        var payout = state.New(Shape, "po");
        payout["metadata"] = metadata;
        payout.Take(given, "description", "method", "statement_descriptor");
        return Make(state, payout, amount, currency, bank);
    }

    static JsonObject Make(Account state, JsonObject payout, long amount, string currency, JsonObject? bank)
    {
        var clock = state.World.Clock;
        (payout["amount"], payout["currency"], payout["destination"]) = (amount, currency, bank?.Id());
        payout["arrival_date"] = clock.Now + 2 * Day;
        state.Add(payout);
        payout["balance_transaction"] = Balances.Book(state, clock, "payout", payout, -amount).Id();
        state.Emit("payout.created", payout);
        clock.After(Confirmation.BankSeconds, () => Arrive(state, payout));
        return payout;
    }

    static void Arrive(Account state, JsonObject payout)
    {
        if (payout.Status() != "pending")
        {
            return;
        }
        var failure = payout.Text("destination") is { } bank ? ExternalAccounts.FailureOf(state, bank) : null;
        if (failure is null)
        {
            state.Change(payout, "payout.updated", () => payout["status"] = "paid");
            state.Emit("payout.paid", payout);
            return;
        }
        Return(state, payout, "failed");
        payout["failure_code"] = failure;
        payout["failure_message"] = "The bank account of the payout could not be credited (" + failure + ").";
        state.Emit("payout.failed", payout);
    }

    static JsonObject Cancel(Call call)
    {
        var payout = call.Subject("payout");
        if (payout.Status() != "pending" || payout.Is("automatic"))
        {
            throw Refusal.Invalid("Payouts to bank accounts may only be canceled while they are pending.", code: "payout_unexpected_state");
        }
        Return(call.Account, payout, "canceled");
        call.Account.Emit("payout.canceled", payout);
        return payout;
    }

    static void Return(Account state, JsonObject payout, string status)
    {
        payout["status"] = status;
        payout["failure_balance_transaction"] = Balances.Book(
            state, state.World.Clock, status == "failed" ? "payout_failure" : "payout_cancel", payout, payout.Long("amount")).Id();
    }
}
