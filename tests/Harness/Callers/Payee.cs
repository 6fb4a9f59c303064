using System.Globalization;
using System.Text.Json;

namespace LlmGateway.Harness;

/// <summary>A project of <c>test.seed.json</c> that no other test has, whose developer is to be paid.</summary>
sealed class Payee
{
    static int s_last;

    Payee(int number) =>
        Backend = new(string.Create(CultureInfo.InvariantCulture, $"sk_live_payee{number:00}{new string('0', 33)}"));

    /// <summary>Money of it is available at Stripe at once.</summary>
    public const string Available = "pm_card_bypassPending";

    public Backend Backend { get; }

    public static Payee Next() => new(Interlocked.Increment(ref s_last));

    /// <summary>One that has earned so many times two dollars, to an account that is ready.</summary>
    public static async Task<(Payee Payee, string Account)> ReadyAsync(int times = 1)
    {
        var payee = Next();
        var account = await payee.OnboardAsync();
        await OrderAsync(account, "ready");
        await FundAsync();
        for (var i = 0; i < times; i++)
            await payee.EarnAsync();
        return (payee, account);
    }

    /// <summary>
    /// Money for the platform at Stripe: what tests have given back, lost in disputes or sent on before may have left it without.
    /// </summary>
    public static async Task FundAsync() => (await Purchase.StripeAsync(
        "POST", "/v1/payment_intents",
        $"amount=90000000&currency=usd&confirm=true&payment_method={Available}&return_url=https%3A%2F%2Fexample.com")).MustBe(200);

    public Task<Reply> AskForPageAsync(string more = "") => Backend.PostAsync(
        "/v1/connect/onboard", $$"""{"refreshUrl":"https://example.com/again","returnUrl":"https://example.com/done"{{more}}}""");

    /// <returns>Stripe's account.</returns>
    public async Task<string> OnboardAsync() => (await AskForPageAsync()).MustBe(200).Json.Text("accountId");

    /// <summary>As the account's owner and Stripe would bring it there.</summary>
    public static Task<Reply> OrderAsync(string account, string state) =>
        Purchase.OrderAsync($"/accounts/{account}", $$"""{"name":"{{state}}"}""");

    /// <summary>Two dollars, from a customer who buys for twelve.</summary>
    public async Task<Purchase> EarnAsync()
    {
        var purchase = await Purchase.BeginAsync(await Backend.NewUserAsync(credit: null), "12");
        (await purchase.PayAsync(Available)).MustBe(200);
        await purchase.MustHaveAsync("10");
        return purchase;
    }

    public async Task<JsonElement> StatusAsync() => (await Backend.GetAsync("/v1/connect/status")).MustBe(200).Json;

    public Task<Reply> PayOutAsync(string? amount = null, string? key = null) =>
        Backend.PostAsync("/v1/connect/payouts", amount is null ? "{}" : $$"""{"amount":"{{amount}}"}""", key);

    /// <summary>Of the project, newest first.</summary>
    public async Task<JsonElement[]> PayoutsAsync() =>
        [.. (await Backend.GetAsync("/v1/connect/payouts?limit=100")).MustBe(200).Json.Items("payouts")];

    /// <summary>Status and amount of each, newest first.</summary>
    public async Task<string[]> ShownAsync() => [.. (await PayoutsAsync()).Select(one => $"{one.Text("status")} {one.Text("amount")}")];

    /// <summary>What Stripe has sent to an account: cents of each transfer.</summary>
    public static async Task<IReadOnlyList<int>> TransfersAsync(string account) =>
    [
        .. (await Purchase.StripeAsync("GET", $"/v1/transfers?limit=100&destination={account}")).MustBe(200).Json.Items("data")
            .Select(one => one.Int("amount")),
    ];

    public async Task MustHaveAsync(string margin, string owed = "0", string inPayout = "0")
    {
        var status = await StatusAsync();
        Assert.Equal((margin, owed, inPayout), (status.Text("marginBalance"), status.Text("owed"), status.Text("inPayout")));
    }
}
