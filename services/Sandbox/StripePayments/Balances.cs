using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/balance</c> and <c>/v1/balance_transactions</c>: every movement of an account's money, with the fee it cost.</summary>
static class Balances
{
    const long Day = 24 * 60 * 60;

    /// <summary>Days until a payment is available.</summary>
    public const int PendingDays = 2;

    /// <summary>Stripe's fee: 2.9 % and 30 cents, 1.5 % more for cards of other countries.</summary>
    public const long FeePerMille = 29, ForeignFeePerMille = 15, FixedFee = 30;

    public const long DisputeFee = 15_00;

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "balance_transaction", "amount": 0, "available_on": 0, "balance_type": "payments", "created": 0,
         "currency": "", "description": null, "exchange_rate": null, "fee": 0, "fee_details": [], "net": 0, "reporting_category": "",
         "source": null, "status": "available", "type": ""}
        """);

    public static void Map(Routes routes)
    {
        routes.Get("/v1/balance", "", call => Balance(call.Account));
        routes.Get("/v1/balance_transactions/*", "", call => call.Subject("balance_transaction"));
        routes.Get(
            "/v1/balance_transactions",
            "created:range currency payout source type" + Params.Paging,
            call => call.Page("balance_transaction", "currency", "source", "type"));
        routes.Get("/v1/balance/history", "type" + Params.Paging, call => call.Page("balance_transaction", "type"));
    }

    /// <summary>A fee of Stripe's for a payment, rounded to the nearest cent.</summary>
    public static long FeeOf(long amount, TestCard card)
    {
        var perMille = FeePerMille + (card.Country == "US" ? 0 : ForeignFeePerMille);
        return (amount * perMille + 500) / 1000 + FixedFee;
    }

    /// <summary>Books a movement. What is not available yet becomes so after days of the clock.</summary>
    public static JsonObject Book(
        Account account, Clock clock, string type, JsonObject source, long amount, long fee = 0, int days = 0, string? description = null)
    {
        var booked = account.New(Shape, "txn", clock);
        var currency = source.Text("currency")!;
        (booked["type"], booked["amount"], booked["fee"], booked["net"]) = (type, amount, fee, amount - fee);
        (booked["currency"], booked["source"], booked["description"]) = (currency, source.Id(), description);
        booked["reporting_category"] = type switch { "payment" => "charge", "adjustment" => "dispute", var other => other };
        booked["available_on"] = clock.Now + days * Day;
        booked["_test_clock"] = source.Text("_test_clock");
        if (fee != 0)
        {
            booked["fee_details"] = new JsonArray(new JsonObject
            {
                ["amount"] = fee,
                ["application"] = null,
                ["currency"] = currency,
                ["description"] = type == "adjustment" ? "Dispute fee" : "Stripe processing fees",
                ["type"] = "stripe_fee",
            });
        }
        account.Add(booked);
        account.Funds.Add(currency, amount - fee, days > 0);
        if (days > 0)
        {
            booked["status"] = "pending";
            clock.At(booked.Long("available_on"), () =>
            {
                booked["status"] = "available";
                account.Funds.Release(currency, booked.Long("net"));
                account.Emit("balance.available", Balance(account));
            });
        }
        return booked;
    }

    static JsonObject Balance(Account account)
    {
        var currencies = account.Funds.Currencies.Order().DefaultIfEmpty("usd").ToList();
        return new()
        {
            ["object"] = "balance",
            ["available"] = Sums(currencies, account.Funds.Available),
            ["livemode"] = false,
            ["pending"] = Sums(currencies, account.Funds.Pending),
        };
    }

    static JsonArray Sums(List<string> currencies, Func<string, long> sum) => [.. currencies.Select(currency => new JsonObject
    {
        ["amount"] = sum(currency),
        ["currency"] = currency,
        ["source_types"] = new JsonObject { ["card"] = sum(currency) },
    })];
}
