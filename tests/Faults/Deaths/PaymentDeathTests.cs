using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>
/// Whoever moves money for cards is killed between any two steps, and the same calls are made again until they are answered: every card
/// pays once, every refund goes back once, and the books say so.
/// </summary>
public sealed class PaymentDeathTests
{
    /// <summary>What a worker had taken when it died is free again after a minute.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static TheoryData<string> Steps => [.. Points.OfPayments];

    public static TheoryData<string> SomeSteps => [.. Points.EveryFourth(Points.OfPayments)];

    [Theory, MemberData(nameof(SomeSteps))]
    public Task A_payment_its_refund_a_dispute_and_what_is_charged_by_itself_happen_once_whatever_dies_on_the_way(string point) =>
        DieAsync(point);

    /// <summary><c>./dev chaos --failpoints</c>: at every point.</summary>
    [Theory(Explicit = true), MemberData(nameof(Steps))]
    public Task Failpoints(string point) => DieAsync(point);

    static async Task DieAsync(string point)
    {
        await Outage.WaitUntilAllIsHealthyAsync();
        var service = Points.Owner(point);
        var address = await TellAsync();
        Stack.App.Once(service, Failpoint.Variable, $"{point}:1:kill");
        await Outage.KillAsync(service);
        var armed = Stack.ProcessId(service);

        var refunded = await PaidAsync(Purchase.Visa);
        await RefundAsync(refunded, "3.15");
        var disputed = await PaidAsync(Purchase.Disputed);
        var card = await ToppedUpAsync();
        await RedeemedAsync();
        await ErasedAsync();
        await ReconcileAsync();

        await refunded.MustHaveAsync("5.833333334", Patience);
        await disputed.MustHaveAsync("0", Patience);
        await Eventually.HoldsAsync(async () => await IsFrozenAsync(disputed.User), "the frozen wallet", Patience);
        // Mail is sent a moment after what it tells of.
        await Eventually.HoldsAsync(() => Task.FromResult(Stack.ProcessId(service) != armed), "the death", Patience);
        Assert.Equal(["refund -2.499999999", "topup 8.333333333"], await refunded.EntriesAsync());
        Assert.Equal(["dispute -8.333333333", "topup 8.333333333"], await disputed.EntriesAsync());
        Assert.Single((await Purchase.StripeAsync("GET", $"/v1/refunds?payment_intent={refunded.Intent}")).Json.Items("data"));
        Assert.Single(await card.TopUpsAsync());
        Assert.Equal("succeeded", Assert.Single(await card.IntentsAsync()).Text("status"));
        foreach (var purchase in (Purchase[])[refunded, disputed])
            await Eventually.HoldsAsync(async () => await purchase.WaitingEventsAsync() == 0, "the end of all events", Patience);
        await DocumentsMustBeRightAsync(refunded);
        await DocumentsMustBeRightAsync(disputed);
        await MustBeMailedOnceAsync(address, disputed);
        await Books.WaitUntilRightAsync();
    }

    /// <summary>Who sells, and who is told of disputes: an address that no other test has.</summary>
    static async Task<string> TellAsync()
    {
        var address = $"ops-{Guid.NewGuid():N}@example.com";
        (await Backend.App.PutAsync("/v1/invoices/seller", """{"name":"Acme GmbH","address":"Street 1"}""")).MustBe(200);
        (await Backend.App.PutAsync("/v1/alerts", $$"""{"email":"{{address}}","events":["dispute.opened"]}""")).MustBe(200);
        return address;
    }

    /// <summary>One invoice and one credit note, and no number of the organization is missing.</summary>
    static async Task DocumentsMustBeRightAsync(Purchase purchase)
    {
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from invoice where customer = $1", purchase.User.Customer) == 2,
            "two documents", Patience);
        Assert.Equal(0, await Purchase.NumberAsync("billing", """
            select coalesce(sum(missing), 0)::bigint from (
                select max(number) - count(*) as missing from invoice
                where organization = (select organization from invoice where customer = $1 limit 1) group by test, kind) as series
            """, purchase.User.Customer));
    }

    /// <summary>Who died after the server had it sends it again with the same id, by which it is one mail.</summary>
    static async Task MustBeMailedOnceAsync(string address, Purchase disputed)
    {
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from mail where recipient = $1 and status = 'sent'", address) == 1,
            "a mail that was sent", Patience);
        var mails = (await Gateway.SendAsync("GET", $"/sandbox/mail?to={address}", at: Stack.Sandbox)).MustBe(200).Json.Items("mails");
        Assert.Single(mails.Select(mail => mail.Text("messageId")).Distinct());
        Assert.All(mails, mail => Assert.Contains(disputed.User.CustomerId, mail.Text("text")));
    }

    static async Task<Purchase> PaidAsync(string method)
    {
        var user = await Backend.App.NewUserAsync(credit: null);
        var begun = await AnsweredAsync(() => Purchase.AskAsync(user, """{"amount":"10"}"""), 200);
        var secret = begun.Json.Text("clientSecret");
        var purchase = new Purchase(user, begun.Json.Text("id"), secret.Split("_secret_")[0], begun);
        (await purchase.PayAsync(method)).MustBe(200);
        await ReconcileAsync();
        // Who has the ledger may be the one that dies.
        await Eventually.HoldsAsync(
            async () => await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}/ledger") is { Status: 200 } reply
                && reply.Json.Items("entries").Any(entry => entry.Text("type") == "topup"),
            "the top-up", Patience);
        return purchase;
    }

    /// <summary>A card is saved, and charged by itself once.</summary>
    static async Task<SavedCard> ToppedUpAsync()
    {
        var user = await Backend.App.NewUserAsync("2");
        var begun = await AnsweredAsync(() => Gateway.SendAsync("POST", "/v1/wallet/payment-method", user.Token), 200);
        var card = await SavedCard.ConfirmAsync(user, begun, Purchase.Visa);
        await AnsweredAsync(() => SavedCard.PutAsync(user, """{"below":"1","amount":"10","monthlyCeiling":"100"}"""), 200);
        await card.SpendAsync("1.5");
        await Eventually.HoldsAsync(async () => (await card.TopUpsAsync()).Length > 0, "the top-up", Patience);
        return card;
    }

    /// <summary>Who has saved a card is deleted.</summary>
    static async Task ErasedAsync()
    {
        var user = await Backend.App.NewUserAsync("2");
        var begun = await AnsweredAsync(() => Gateway.SendAsync("POST", "/v1/wallet/payment-method", user.Token), 200);
        var card = await SavedCard.ConfirmAsync(user, begun, Purchase.Visa);
        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}")).MustBe(204);
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from erasure where customer = $1 and done_at is not null", user.Customer) == 1,
            "the erasure", Patience);
        Assert.True(
            (await Purchase.StripeAsync("GET", $"/v1/customers/{card.Customer}")).MustBe(200).Json.GetProperty("deleted").GetBoolean());
    }

    static async Task RedeemedAsync()
    {
        var (user, code) = (await Backend.App.NewUserAsync(credit: null), $"T{Guid.NewGuid():N}"[..20]);
        var body = $$"""{"code":"{{code}}","amount":"1","maxRedemptions":1}""";
        await AnsweredAsync(() => Backend.App.PostAsync("/v1/promotions", body, code), 201);
        await AnsweredAsync(
            () => Gateway.SendAsync("POST", "/v1/wallet/redeem", user.Token, $$"""{"code":"{{code}}"}"""), 200);
        Assert.Equal(1_000_000_000, await user.BalanceAsync());
    }

    static Task<Reply> RefundAsync(Purchase purchase, string amount)
    {
        var key = Guid.NewGuid().ToString();
        var body = $$"""{"payment":"{{purchase.Id}}","amount":"{{amount}}"}""";
        return AnsweredAsync(() => Backend.App.PostAsync($"/v1/wallets/{purchase.User.WalletId}/refunds", body, key), 201);
    }

    /// <summary>While the service is away, and while the key of the call that died is still taken.</summary>
    static Task<Reply> AnsweredAsync(Func<Task<Reply>> ask, int status) =>
        Eventually.GetAsync(ask, reply => reply.Status == status, $"an answer {status}", Patience);

    static Task<Reply> ReconcileAsync() => AnsweredAsync(async () =>
    {
        try
        {
            return await Gateway.SendAsync(
                "POST", "/internal/reconcile", at: Stack.Url("billing"), headers: [Stack.Signed("operator", "billing")]);
        }
        catch (HttpRequestException)
        {
            return await Gateway.SendAsync("GET", "/nobody-is-there");
        }
    }, 200);

    static async Task<bool> IsFrozenAsync(User user) =>
        (await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}")).MustBe(200).Json.Text("status") == "frozen";
}
