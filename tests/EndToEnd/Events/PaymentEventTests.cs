namespace LlmGateway.EndToEnd;

/// <summary>What Billing tells has numbers, by which it is proved that all of it has arrived.</summary>
[Collection(nameof(Outages))]
public sealed class PaymentEventTests
{
    [Fact]
    public async Task An_event_of_payments_that_nobody_was_told_of_is_found_by_its_number()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        (await purchase.PayAsync(Purchase.Declined)).MustBe(402);
        await purchase.MustBecomeAsync("failed");
        await Books.WaitUntilAllIsToldAsync();
        var series = LlmGateway.Billing.PaymentEvents.SubjectOf(purchase.User.Customer);
        Assert.Equal(1, await NumberAsync("last", series));

        await NumberAsync("last + 1", series); // decided, and lost
        var missing = await VerifyAsync();
        await NumberAsync("last - 1", series);

        Assert.False(missing.Json.GetProperty("ok").GetBoolean());
        Assert.Contains(
            $"series {series:N}: 2 were decided, 1 are here, the highest 1", missing.Json.Items("wrong").Select(one => one.GetString()));
        await Books.WaitUntilAllIsToldAsync();
    }

    static Task<long> NumberAsync(string next, Guid series) => Purchase.NumberAsync(
        "billing", $"update event_sequence set last = {next} where subject = $1 returning last", series);

    static async Task<Reply> VerifyAsync() => (await Gateway.SendAsync(
        "GET", "/internal/verify", at: Stack.Url("webhooks"), headers: [Stack.Signed("operator", "webhooks")])).MustBe(200);
}
