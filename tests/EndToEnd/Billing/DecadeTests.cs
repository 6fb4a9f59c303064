namespace LlmGateway.EndToEnd;

/// <summary>
/// Ten years of a project's payments, a month in a quarter of a second: purchases, declines, refunds by us and in Stripe's dashboard,
/// disputes that are won and lost, spending, promotions that expire, payouts. In the end books, Stripe, documents and wallets say the same.
/// </summary>
[Collection(nameof(Payments))]
public sealed class DecadeTests
{
    const int Customers = 6, Months = 120, Seed = 2026;

    const long NanosPerCent = 10_000_000;

    static readonly TimeSpan Month = TimeSpan.FromMilliseconds(250), Patience = TimeSpan.FromMinutes(3);

    static readonly string[] Amounts = ["5", "9.99", "10", "12.34", "49.95", "100.01", "777.77"];

    [Fact]
    public async Task Ten_years_of_payments_are_the_same_in_the_books_at_Stripe_in_the_documents_and_in_the_wallets()
    {
        var (payee, account) = await Payee.ReadyAsync(times: 0);
        (await payee.Backend.PutAsync("/v1/invoices/seller", """{"name":"Decade","address":"Road 1"}""")).MustBe(200);
        var lives = await Task.WhenAll(Enumerable.Range(0, Customers).Select(number => LiveAsync(payee, number)));

        await Purchase.ReconcileAsync();
        var paid = lives.SelectMany(life => life.Paid).ToList();
        Assert.True(paid.Count > Months, $"{paid.Count} purchases were paid");
        foreach (var purchase in paid)
            await Eventually.HoldsAsync(async () => await purchase.WaitingEventsAsync() == 0, "the end of all events", Patience);
        var (kept, transferred) = (0L, (await Payee.TransfersAsync(account)).Sum(cents => (long)cents));
        foreach (var purchase in paid)
            kept += await KeptAsync(purchase);
        Assert.True(transferred > 0, "something was paid out");
        var project = await ProjectAsync(lives[0].User);
        Assert.Equal((kept - transferred) * NanosPerCent, -await SumAsync(project, "project = $1 and kind = 105"));
        Assert.Equal(0, await SumAsync(project, "true"));
        await Eventually.HoldsAsync(
            async () => await DocumentedAsync(payee.Backend) == kept * NanosPerCent, "documents of all that was kept", Patience);
        foreach (var life in lives)
        {
            // What has expired is booked by who looks at the statement.
            (await payee.Backend.GetAsync($"/v1/wallets/{life.User.WalletId}/ledger")).MustBe(200);
            Assert.Equal(
                await life.User.BalanceAsync(),
                await Purchase.NumberAsync("wallet", "select coalesce(sum(amount), 0)::bigint from entry where account = $1", life.Wallet));
        }
        await Books.MustBeRightAsync();
    }

    sealed record Life(User User, List<Purchase> Paid)
    {
        public Guid Wallet => Guid.ParseExact(User.WalletId["wal_".Length..], "N");
    }

    static async Task<Life> LiveAsync(Payee payee, int number)
    {
        var chance = new Random(Seed + number);
        var life = new Life(await payee.Backend.NewUserAsync(credit: null), []);
        for (var month = 0; month < Months; month++)
            await (chance.Next(10) switch
            {
                < 4 => BuyAsync(life, chance),
                < 6 => SpendAsync(life, chance),
                < 7 => RefundAsync(life, chance),
                < 8 => RefundAtStripeAsync(life, chance),
                < 9 => PromoteAsync(life, chance),
                _ => PayOutAsync(payee),
            });
        return life;
    }

    static async Task BuyAsync(Life life, Random chance)
    {
        var purchase = await Purchase.BeginAsync(life.User, Amounts[chance.Next(Amounts.Length)]);
        if (chance.Next(8) == 0)
            (await purchase.PayAsync(Purchase.Declined)).MustBe(402);
        var isDisputed = chance.Next(8) == 0;
        (await purchase.PayAsync(isDisputed ? Purchase.Disputed : Purchase.Visa)).MustBe(200);
        await purchase.MustBecomeAsync("succeeded");
        life.Paid.Add(purchase);
        if (isDisputed)
            await DecideAsync(life.User, purchase, wins: chance.Next(2) == 0);
    }

    static async Task DecideAsync(User user, Purchase purchase, bool wins)
    {
        await Eventually.HoldsAsync(async () => await StatusAsync(user) == "frozen", "the frozen wallet", Patience);
        var dispute = (await DisputesAsync(purchase)).Single().Text("id");
        var evidence = wins ? "winning_evidence" : "losing_evidence";
        (await Purchase.StripeAsync("POST", $"/v1/disputes/{dispute}", $"evidence[uncategorized_text]={evidence}")).MustBe(200);
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from dispute where id = $1 and status in ('won', 'lost')", dispute) == 1,
            "the decision", Patience);
        if (wins)
            await Eventually.HoldsAsync(async () => await StatusAsync(user) == "active", "the wallet that is let go", Patience);
        else
            (await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/unfreeze", "")).MustBe(200);
    }

    /// <summary>Of what there is, or of nothing, which is refused.</summary>
    static async Task SpendAsync(Life life, Random chance) => (await life.User.Backend.PostAsync(
        $"/v1/wallets/{life.User.WalletId}/debit", $$"""{"amount":"{{chance.Next(1, 4000) / 100m}}"}""")).MustBeOneOf(200, 402);

    /// <summary>What is spent or refunded already is refused, unless it is forced.</summary>
    static async Task RefundAsync(Life life, Random chance)
    {
        if (life.Paid.Count == 0)
            return;
        var force = chance.Next(2) == 0 ? "true" : "false";
        (await life.Paid[chance.Next(life.Paid.Count)]
            .RefundAsync($"\"amount\":\"{chance.Next(1, 3000) / 100m}\",\"force\":{force}")).MustBeOneOf(201, 400, 409);
    }

    static async Task RefundAtStripeAsync(Life life, Random chance)
    {
        if (life.Paid.Count > 0)
            (await life.Paid[chance.Next(life.Paid.Count)].RefundAtStripeAsync(chance.Next(1, 500))).MustBeOneOf(200, 400);
    }

    /// <summary>Ends after some months, often before it is spent.</summary>
    static async Task PromoteAsync(Life life, Random chance)
    {
        var ends = DateTimeOffset.UtcNow + Month * chance.Next(4, 24);
        (await life.User.Backend.PostAsync(
            $"/v1/wallets/{life.User.WalletId}/credit",
            $$"""{"amount":"{{chance.Next(1, 500) / 100m}}","kind":"promotion","expiresAt":"{{ends:O}}"}""")).MustBe(200);
    }

    /// <summary>Of all that was earned, if it is a dollar and not somebody else's at this moment.</summary>
    static async Task PayOutAsync(Payee payee) => (await payee.PayOutAsync()).MustBeOneOf(200, 202, 400, 409);

    /// <summary>Invoices less credit notes, nano-dollars.</summary>
    static async Task<long> DocumentedAsync(Backend backend)
    {
        var (sum, cursor) = (0L, "");
        do
        {
            var page = (await backend.GetAsync($"/v1/invoices?limit=100{cursor}")).MustBe(200).Json;
            sum += page.Items("invoices").Sum(one =>
                (one.Text("kind") == "invoice" ? 1 : -1) * Gateway.Nanos(one.GetProperty("total")));
            cursor = page.GetProperty("nextCursor").GetString() is { } next ? $"&cursor={Uri.EscapeDataString(next)}" : null;
        }
        while (cursor is not null);
        return sum;
    }

    /// <summary>What Stripe has kept of a payment, in cents: paid, less what went back to the card or to its bank.</summary>
    static async Task<long> KeptAsync(Purchase purchase)
    {
        var intent = (await Purchase.StripeAsync("GET", $"/v1/payment_intents/{purchase.Intent}?expand[]=latest_charge")).MustBe(200).Json;
        var charge = intent.GetProperty("latest_charge");
        var lost = (await DisputesAsync(purchase)).Where(dispute => dispute.Text("status") != "won").Sum(dispute => dispute.Int("amount"));
        return charge.Int("amount_captured") - charge.Int("amount_refunded") - lost;
    }

    static async Task<IEnumerable<System.Text.Json.JsonElement>> DisputesAsync(Purchase purchase) =>
        (await Purchase.StripeAsync("GET", $"/v1/disputes?payment_intent={purchase.Intent}")).MustBe(200).Json.Items("data");

    static async Task<string> StatusAsync(User user) =>
        (await user.Backend.GetAsync($"/v1/wallets/{user.WalletId}")).MustBe(200).Json.Text("status");

    static async Task<Guid> ProjectAsync(User user)
    {
        await using var query = Books.Wallet.CreateCommand("select project from account where owner = $1 limit 1");
        query.Parameters.Add(new() { Value = user.Customer });
        return (Guid)(await query.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }

    /// <summary>Of accounts of the project's organization: grants are of all its projects.</summary>
    static Task<long> SumAsync(Guid project, string which) => Purchase.NumberAsync(
        "wallet",
        $"""
        select coalesce(sum(posted), 0)::bigint from account
        where unit = 0 and organization = (select organization from account where project = $1 limit 1) and {which}
        """,
        project);
}
