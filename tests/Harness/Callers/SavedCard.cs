using System.Text.Json;

namespace LlmGateway.Harness;

/// <summary>A card that a user has saved at Stripe, to be topped up with by itself.</summary>
/// <param name="Customer">Stripe's.</param>
sealed record SavedCard(User User, string Customer)
{
    /// <summary>Can be saved; payments are declined.</summary>
    public const string DeclinedLater = "pm_card_chargeCustomerFail";

    /// <summary>Wants its holder always.</summary>
    public const string NeedsOwner = "pm_card_authenticationRequired";

    const string Path = "/v1/wallet/auto-top-up";

    /// <summary>As the page does it, the bank's questions included.</summary>
    public static async Task<SavedCard> SaveAsync(User user, string method = Purchase.Visa) => await ConfirmAsync(
        user, (await Gateway.SendAsync("POST", "/v1/wallet/payment-method", user.Token)).MustBe(200), method);

    /// <param name="begun">What our route has answered.</param>
    public static async Task<SavedCard> ConfirmAsync(User user, Reply begun, string method)
    {
        var setup = begun.Json.Text("clientSecret").Split("_secret_")[0];
        var saved = (await Purchase.StripeAsync(
            "POST", $"/v1/setup_intents/{setup}/confirm", $"payment_method={method}&return_url=https%3A%2F%2Fexample.com")).MustBe(200);
        await AuthenticateAsync(saved.Json);
        return new(user, saved.Json.Text("customer"));
    }

    /// <summary>The card's holder says yes to the bank, if it asks.</summary>
    public static async Task AuthenticateAsync(JsonElement intent)
    {
        if (intent.Text("status") != "requires_action")
            return;
        var page = new Uri(intent.GetProperty("next_action").GetProperty("redirect_to_url").Text("url"));
        using var request = Gateway.Request("POST", page.PathAndQuery, at: page);
        request.Content = new FormUrlEncodedContent([new("outcome", "complete")]);
        using var answer = await Gateway.OpenAsync(request);
        Assert.True((int)answer.StatusCode < 400, $"the bank's page says {answer.StatusCode}");
    }

    public static Task<Reply> PutAsync(User user, string json) => Gateway.SendAsync("PUT", Path, user.Token, json);

    public async Task<JsonElement> TurnOnAsync(string below, string amount, string ceiling) => (await PutAsync(
        User, $$"""{"below":"{{below}}","amount":"{{amount}}","monthlyCeiling":"{{ceiling}}"}""")).MustBe(200).Json;

    public async Task<JsonElement> ShownAsync() => (await Gateway.SendAsync("GET", Path, User.Token)).MustBe(200).Json;

    public Task<JsonElement> MustBecomeAsync(string status) =>
        Eventually.GetAsync(ShownAsync, shown => shown.Text("status") == status, $"the auto top-up's {status}", Patience);

    /// <summary>The card was declined, and is not tried again before a pause is over.</summary>
    public Task MustBeDeclinedAsync() => Eventually.GetAsync(
        ShownAsync, shown => shown.GetProperty("nextTry").ValueKind == JsonValueKind.String, "the pause", Patience);

    public async Task TurnOffAsync() => (await Gateway.SendAsync("DELETE", Path, User.Token)).MustBe(204);

    /// <summary>What Stripe was asked to charge, newest first.</summary>
    public async Task<JsonElement[]> IntentsAsync() =>
    [
        .. (await Purchase.StripeAsync("GET", $"/v1/payment_intents?customer={Customer}&limit=100")).MustBe(200).Json.Items("data"),
    ];

    /// <summary>The wallet is looked at until then without the pauses between looks.</summary>
    public Task MustHaveIntentsAsync(int count) => Eventually.GetAsync(async () =>
    {
        await MakeDueAsync();
        return (await IntentsAsync()).Length;
    }, found => found == count, $"{count} charges", Patience);

    /// <summary>
    /// A look that began after this call is over when it returns. A Billing ends its look before it begins another one, and no more than
    /// two of them run: at the last look one of those before it is over. One more is for a charge that is begun meanwhile, which puts off
    /// the next look, too.
    /// </summary>
    public async Task MustBeLookedAtAsync()
    {
        const int looks = 4;
        for (var look = 1; look <= looks; look++)
        {
            await MakeDueAsync();
            await Eventually.HoldsAsync(
                async () => await Purchase.NumberAsync(
                    "billing", "select count(*) from auto_top_up where customer = $1 and due_at > now()", User.Customer) == 1,
                $"look {look} at the wallet", Patience);
        }
    }

    /// <summary>As when something is told of the wallet.</summary>
    Task<long> MakeDueAsync() => Purchase.NumberAsync(
        "billing", "update auto_top_up set due_at = now() where customer = $1 returning 1::bigint", User.Customer);

    public async Task SpendAsync(string usd) =>
        (await User.Backend.PostAsync($"/v1/wallets/{User.WalletId}/debit", $$"""{"amount":"{{usd}}"}""")).MustBe(200);

    public async Task<string[]> TopUpsAsync() =>
    [
        .. (await User.Backend.GetAsync($"/v1/wallets/{User.WalletId}/ledger")).MustBe(200).Json.Items("entries")
            .Where(entry => entry.Text("type") == "topup").Select(entry => entry.Text("amount")),
    ];

    /// <summary>Without an event a wallet is looked at every 15 seconds.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
}
