namespace LlmGateway.EndToEnd;

/// <summary>A wallet that its owner has frozen, and what happens to its money all the same.</summary>
[Collection(nameof(Payments))]
public sealed class FrozenWalletTests
{
    /// <summary>A refund, a purchase, its dispute and the end of that. The freeze is its owner's to end, not the bank's.</summary>
    [Theory]
    [InlineData("winning_evidence", "won", "15.833333334")]
    [InlineData("losing_evidence", "lost", "5.833333334")]
    public async Task Whatever_is_booked_while_a_wallet_is_frozen_is_there_after_the_thaw_and_a_dispute_s_end_does_not_thaw_it(
        string evidence, string end, string balance)
    {
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync("8.333333333");
        var (user, wallet) = (purchase.User, $"/v1/wallets/{purchase.User.WalletId}");
        var disputed = await Purchase.BeginAsync(user, "12");

        (await Backend.App.PostAsync($"{wallet}/freeze", "{}")).MustBe(200);
        await purchase.MustHaveAsync("8.333333333");
        (await purchase.RefundAsync("\"amount\":\"3.15\"")).MustBe(201);
        (await disputed.PayAsync(Purchase.Disputed)).MustBe(200);
        var dispute = await Eventually.GetAsync(
            async () => (await Purchase.StripeAsync("GET", $"/v1/disputes?payment_intent={disputed.Intent}")).MustBe(200).Json.Items("data")
                .Select(one => one.Text("id")).SingleOrDefault(),
            id => id is not null, "a dispute");
        await MustHaveEntriesAsync("dispute -10", "topup 10", "refund -2.499999999", "topup 8.333333333");
        await MustBeFrozenAsync("5.833333334");

        (await Purchase.StripeAsync("POST", $"/v1/disputes/{dispute}", $"evidence[uncategorized_text]={evidence}")).MustBe(200);
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from dispute where id = $1 and status = $2", dispute!, end) == 1
                && await disputed.WaitingEventsAsync() == 0,
            $"a dispute that is {end}");

        string[] entries = ["dispute -10", "topup 10", "refund -2.499999999", "topup 8.333333333"];
        await MustHaveEntriesAsync(end == "won" ? ["reversal 10", .. entries] : entries);
        await MustBeFrozenAsync(balance);
        Assert.Equal(0, await purchase.OwedAsync());

        (await Backend.App.PostAsync($"{wallet}/unfreeze", "{}")).MustBe(200);
        await purchase.MustHaveAsync(balance);
        await Eventually.HoldsAsync(
            async () => (await user.ChatAsync("small", Price.Question)).Status == 200, "an answer", TimeSpan.FromSeconds(1));
        await Books.MustBeRightAsync();

        Task MustHaveEntriesAsync(params string[] expected) => Eventually.GetAsync(
            purchase.EntriesAsync, booked => booked.SequenceEqual(expected), string.Join(", ", expected));

        async Task MustBeFrozenAsync(string usd)
        {
            var shown = (await Backend.App.GetAsync(wallet)).MustBe(200).Json;
            Assert.Equal((usd, "frozen"), (shown.Text("balance"), shown.Text("status")));
            foreach (var proxy in Stack.Proxies)
                (await user.ChatAsync("small", Price.Question, at: proxy)).MustBeProblem(402, "wallet_frozen");
        }
    }
}
