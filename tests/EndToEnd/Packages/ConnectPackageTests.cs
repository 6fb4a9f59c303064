using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>The npm package <c>@llmgateway/server</c> 1.2.0, unchanged: a developer is paid, and its system is told.</summary>
[Collection(nameof(Payments))]
public sealed class ConnectPackageTests
{
    readonly Payee _payee = Payee.Next();

    [Fact]
    public async Task Onboards_is_paid_out_and_verifies_what_it_is_told()
    {
        await using var listener = await WebhookListener.StartAsync();
        var endpoint = await RunAsync("webhookEndpoints", new { url = listener.Url, enabledEvents = (string[])["payout.paid"] });
        MustBe(await RunAsync("connectStatus"), account: null, isReady: false, margin: "0");
        Assert.Equal(("LLMGatewayError", 400), Failure(await RunAsync("payoutFails")));

        var link = await RunAsync("onboard", new { refreshUrl = "https://example.com/again", returnUrl = "https://example.com/done" });
        var account = link.Text("accountId");
        await StripeWorld.VisitAsync(link.Text("url"), [("step", "save"), .. await FormAsync(account)]);
        await Payee.FundAsync();
        var purchase = await _payee.EarnAsync();
        MustBe(await RunAsync("connectStatus"), account, isReady: true, margin: "2");

        var payout = await RunAsync("payout");
        Assert.Equal(("2", "0"), (payout.Text("amount"), payout.Text("marginBalance")));
        Assert.StartsWith("tr_", payout.Text("transferId"));
        Assert.Equal([200], await Payee.TransfersAsync(account));
        var refused = await RunAsync("payoutFails");
        Assert.Equal(("LLMGatewayError", 400), Failure(refused));
        Assert.Contains("1 USD", refused.Text("message"));

        var told = await Eventually.GetAsync(
            () => Task.FromResult(listener.All is [var first, ..] ? first : null), one => one is not null, "the event");
        var constructed = await RunAsync(
            "constructEvent",
            new { payload = told!.Body, signature = told.Headers["X-LLMGateway-Signature"], secret = endpoint.Text("secret") });
        Assert.Equal(("payout.paid", told.Id), (constructed.Text("type"), constructed.Text("id")));
        var data = constructed.GetProperty("data");
        Assert.Equal((payout.Text("transferId"), "2", account), (data.Text("transferId"), data.Text("amount"), data.Text("accountId")));

        var ended = await RunAsync("endWebhookEndpoint", new { id = endpoint.Text("id") });
        Assert.Equal(listener.Url, Assert.Single(ended.Items("endpoints")).Text("url"));
        Assert.Empty(ended.GetProperty("left").Items("endpoints"));
        Assert.Equal("succeeded", (await purchase.ShownAsync()).Text("status"));
    }

    /// <summary>What Stripe's page asks for.</summary>
    static async Task<IEnumerable<(string, string)>> FormAsync(string account) =>
        (await Purchase.StripeAsync("GET", $"/v1/accounts/{account}")).MustBe(200).Json.GetProperty("requirements").Items("currently_due")
            .Select(field => field.GetString()!)
            .Select(field => (field, field.EndsWith("year", StringComparison.Ordinal) ? "1990" : "000123456789"));

    static void MustBe(JsonElement status, string? account, bool isReady, string margin) => Assert.Equal(
        (account, isReady, isReady, margin),
        (status.Text("accountId"), status.GetProperty("onboarded").GetBoolean(), status.GetProperty("payoutsEnabled").GetBoolean(),
            status.Text("marginBalance")));

    static (string, int) Failure(JsonElement error) => (error.Text("name"), error.Int("status"));

    Task<JsonElement> RunAsync(string scenario, object? parameters = null) => Node.RunAsync(
        "server.mjs", scenario, new { url = Stack.Proxy2, secretKey = _payee.Backend.Key, @params = parameters });
}
