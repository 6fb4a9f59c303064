using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/accounts/…/external_accounts</c>: where payouts go. Stripe's test numbers decide how those end.</summary>
static class ExternalAccounts
{
    const int Most = 20;

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "bank_account", "account": "", "account_holder_name": null, "account_holder_type": null, "account_type": null,
         "available_payout_methods": ["standard"], "bank_name": "STRIPE TEST BANK", "country": "US", "currency": "usd",
         "default_for_currency": true, "fingerprint": "", "last4": "6789",
         "future_requirements": {"currently_due": [], "errors": [], "past_due": [], "pending_verification": []},
         "metadata": {}, "requirements": {"currently_due": [], "errors": [], "past_due": [], "pending_verification": []},
         "routing_number": "110000000", "status": "new"}
        """);

    static readonly Params Described = Params.Of(
        "object country! currency! account_number! routing_number account_holder_name account_holder_type");

    /// <summary>Account numbers whose payouts fail, and why.</summary>
    static readonly Dictionary<string, string> Failures = new()
    {
        ["000111111116"] = "no_account",
        ["000111111113"] = "account_closed",
        ["000222222227"] = "insufficient_funds",
        ["000333333335"] = "debit_not_authorized",
        ["000444444440"] = "invalid_currency",
    };

    public static void Map(Routes routes)
    {
        routes.Post("/v1/accounts/*/external_accounts", "external_account:any! default_for_currency:bool metadata:map", call =>
        {
            var account = Accounts.Subject(call);
            Onboarding.Learn(call.World, account, call.Given);
            return (JsonObject)account.Object("external_accounts")!.Items("data")[0].DeepClone();
        });
        routes.Get("/v1/accounts/*/external_accounts", "object" + Params.Paging, call =>
            call.Page(Of(call).Select(each => (JsonObject)each)));
        routes.Get("/v1/accounts/*/external_accounts/*", "", One);
        routes.Delete("/v1/accounts/*/external_accounts/*", "", Delete);
    }

    /// <summary>Why payouts to this account number fail, or null.</summary>
    public static string? FailureOf(Account account, string destination) =>
        account.Find("bank_account", destination)?.Text("_number") is { } number ? Failures.GetValueOrDefault(number) : null;

    /// <param name="given">A token such as <c>btok_us_verified</c>, or a described bank account.</param>
    public static void Add(Account state, JsonObject account, JsonNode given)
    {
        var list = (JsonArray)account.Object("external_accounts")!["data"]!;
        if (list.Count >= Most)
        {
            throw Refusal.Invalid($"An account has at most {Most} external accounts.", "external_account");
        }
        var bank = state.New(Shape, "ba");
        bank["account"] = account.Id();
        var number = "000123456789";
        if (given is JsonObject described)
        {
            var read = Described.Read(described, "external_account");
            bank.Take(read, "country", "account_holder_name", "account_holder_type");
            bank["currency"] = read.Text("currency")!.ToLowerInvariant();
            number = read.Text("account_number")!;
            bank["routing_number"] = read.Text("routing_number") ?? "110000000";
        }
        else
        {
            bank["country"] = account.Text("country");
            bank["currency"] = account.Text("default_currency");
        }
        if (number.Length < 4)
        {
            throw Refusal.Invalid(
                "You must use a test bank account number in test mode.", "external_account[account_number]", "account_number_invalid");
        }
        bank["_number"] = number;
        bank["last4"] = number[^4..];
        bank["fingerprint"] = StripeIds.Fingerprint(number);
        foreach (var other in list.Where(other => other!["currency"]!.GetValue<string>() == bank.Text("currency")))
        {
            other!["default_for_currency"] = false;
        }
        state.Add(bank);
        list.Insert(0, bank.Shown());
        state.Emit("account.external_account.created", bank);
    }

    static IReadOnlyList<JsonNode> Of(Call call) => Accounts.Subject(call).Object("external_accounts")!.Items("data");

    static JsonObject One(Call call) =>
        Of(call).FirstOrDefault(each => ((JsonObject)each).Id() == call.Ids[1]) is JsonObject bank
            ? (JsonObject)bank.DeepClone()
            : throw Refusal.Missing("external account", call.Ids[1], "id");

    static JsonObject Delete(Call call)
    {
        var (account, bank) = (Accounts.Subject(call), One(call));
        var list = (JsonArray)account.Object("external_accounts")!["data"]!;
        if (bank.Is("default_for_currency") && list.Count > 1)
        {
            throw Refusal.Invalid("You cannot delete the default external account for your default currency.", "id");
        }
        list.Remove(list.First(each => ((JsonObject)each!).Id() == bank.Id()));
        call.World.Account(account.Id())!.Emit("account.external_account.deleted", bank);
        return new() { ["id"] = bank.Id(), ["object"] = "bank_account", ["currency"] = bank.Text("currency"), ["deleted"] = true };
    }
}
