using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>
/// The npm package <c>@llmgateway/elements</c> 1.4.0, unchanged, in Chromium: what a customer sees of a purchase. <c>clients/elements/</c>
/// has the page, and says what is done there.
/// </summary>
public sealed class ElementsTests
{
    [Fact]
    public async Task A_customer_buys_credit_and_sees_the_balance_rise()
    {
        var user = await Backend.App.NewUserAsync();

        var seen = await VisitAsync("pays", user);

        Assert.Equal(("1", "9.333333333", "Balance$9.33"), (seen.Text("before"), seen.Text("after"), seen.Text("label")));
        var offered = Assert.Single(seen.Items("topUps"));
        Assert.Equal((200, "10.5", "8.333333333"), (offered.Int("status"), offered.Text("totalAmount"), offered.Text("netCredited")));
        Assert.Equal(["succeeded 10"], await TopUpsAsync(user));
    }

    [Fact]
    public async Task A_declined_card_is_told_on_the_page_costs_nothing_and_another_card_pays_the_same_purchase()
    {
        var user = await Backend.App.NewUserAsync();

        var seen = await VisitAsync("isDeclined", user);

        Assert.Equal("Your card was declined.", seen.Text("error"));
        Assert.Equal(("1", "1", "9.333333333"), (seen.Text("before"), seen.Text("between"), seen.Text("after")));
        Assert.Single(Secrets(seen).Distinct());
        Assert.Equal(["succeeded 10"], await TopUpsAsync(user));
    }

    [Fact]
    public async Task A_card_that_wants_its_holder_pays_when_the_holder_has_agreed_at_the_bank()
    {
        var user = await Backend.App.NewUserAsync();

        var seen = await VisitAsync("authenticates", user);

        Assert.Equal(("1", "succeeded"), (seen.Text("before"), seen.Text("status")));
        await Eventually.GetAsync(
            async () => Gateway.Usd(await user.BalanceAsync()), balance => balance == "9.333333333", "a balance of 9.333333333");
        // The page that the customer comes back to offers the next purchase.
        Assert.Contains("succeeded 10", await TopUpsAsync(user));
    }

    [Fact]
    public async Task A_card_whose_holder_did_not_agree_pays_nothing()
    {
        var user = await Backend.App.NewUserAsync();

        var seen = await VisitAsync("authenticates", user, isRefused: true);

        Assert.Equal(("1", "failed", "1"), (seen.Text("before"), seen.Text("status"), seen.Text("now")));
        Assert.Equal(1_000_000_000, await user.BalanceAsync());
    }

    [Fact]
    public async Task A_dialog_that_is_opened_again_goes_on_with_the_same_purchase_and_another_amount_cancels_it()
    {
        var user = await Backend.App.NewUserAsync();

        var seen = await VisitAsync("opensTwice", user);

        var secrets = Secrets(seen).ToArray();
        Assert.Equal(3, secrets.Length);
        Assert.Equal(secrets[0], secrets[1]);
        Assert.NotEqual(secrets[0], secrets[2]);
        Assert.Equal(("1", "21.833333333"), (seen.Text("before"), seen.Text("after")));
        Assert.Equal(["succeeded 25", "canceled 10"], await TopUpsAsync(user));
    }

    static IEnumerable<string> Secrets(JsonElement seen) => seen.Items("topUps").Select(topUp => topUp.Text("clientSecret"));

    /// <summary>The user's purchases, newest first.</summary>
    static async Task<string[]> TopUpsAsync(User user) =>
    [
        .. (await Gateway.SendAsync("GET", "/v1/wallet/top-ups", user.Token)).MustBe(200).Json.Items("topUps")
            .Select(one => $"{one.Text("status")} {one.Text("amount")}"),
    ];

    /// <summary>What the page showed. It has no error, and asked for nothing but the gateway, Stripe and itself.</summary>
    static async Task<JsonElement> VisitAsync(string scenario, User user, bool isRefused = false)
    {
        var seen = await Node.RunAsync(
            "elements/run.mjs", scenario, new { url = Stack.Proxy, stripe = Stack.Stripe, token = user.Token, isRefused });
        Assert.Empty(seen.Items("strangers").Select(url => url.GetString()));
        Assert.Empty(seen.Items("problems").Select(problem => problem.GetString()));
        return seen;
    }
}
