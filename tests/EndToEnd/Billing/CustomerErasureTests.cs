using System.Text.Json;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>What Billing and Stripe know of a customer leaves when it is deleted, and what the law wants kept stays.</summary>
public sealed class CustomerErasureTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Cards_and_persons_are_forgotten_here_and_at_Stripe_and_payments_stay_and_can_be_refunded()
    {
        await InvoiceTests.SayAsync(Backend.App);
        var mark = $"jane{Guid.NewGuid():N}";
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"), await CardOfAsync(mark));
        var bought = await Purchase.BeginAsync(card.User, "10");
        (await bought.PayAsync(await CardOfAsync(mark))).MustBe(200);
        await bought.MustHaveAsync("10.333333333");
        await card.TurnOnAsync("1", "10", "100");
        await card.SpendAsync("9.5");
        await Eventually.GetAsync(card.TopUpsAsync, all => all.Length == 2, "the top-up", SavedCard.Patience);
        foreach (var about in (string[])[card.Customer, bought.Intent])
            await Purchase.OrderAsync($"/webhooks/settle?about={about}");
        await Eventually.HoldsAsync(async () => await WaitingAsync(card) == 0, "the end of all events", SavedCard.Patience);
        Assert.NotEqual(0, await MentionsAsync(mark));
        var intent = Assert.Single(await card.IntentsAsync());

        (await Backend.App.DeleteAsync($"/v1/customers/{card.User.CustomerId}")).MustBe(204);

        await MustBeErasedAsync(card.User);
        Assert.True((await Purchase.StripeAsync("GET", $"/v1/customers/{card.Customer}")).MustBe(200).Json.GetProperty("deleted")
            .GetBoolean());
        Assert.Equal(JsonValueKind.Null, (await MethodAsync(intent.Text("payment_method"))).GetProperty("customer").ValueKind);
        Assert.Equal(0, await MentionsAsync(mark));
        Assert.Equal(0, await KnownCardsAsync(card.User));
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from invoice where customer = $1", card.User.Customer) == 2,
            "two documents");
        var refunds = $"/v1/wallets/{card.User.WalletId}/refunds";
        foreach (var payment in await PaymentsAsync(card.User))
            (await Backend.App.PostAsync(refunds, $$"""{"payment":"{{payment}}","amount":"1"}""")).MustBe(201);
        Assert.Equal(2, (await Backend.App.GetAsync(refunds)).MustBe(200).Json.Items("refunds").Count());
    }

    [Fact]
    public async Task While_Stripe_is_away_it_is_owed_and_asked_for_again()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
        await using (var orders = new StripeOrders(card.Customer))
        {
            await orders.FailAsync("error-before", "DELETE /v1/customers");
            (await Backend.App.DeleteAsync($"/v1/customers/{card.User.CustomerId}")).MustBe(204);
            await Eventually.HoldsAsync(
                async () => await Purchase.NumberAsync(
                    "billing", "select count(*) from erasure where customer = $1 and attempts > 0", card.User.Customer) == 1,
                "an attempt");
            Assert.Equal(1, await KnownCardsAsync(card.User));
        }
        await RunAsync("update erasure set due_at = now() where customer = $1", card.User.Customer); // a minute later

        await MustBeErasedAsync(card.User);
        Assert.Equal(0, await KnownCardsAsync(card.User));
    }

    [Fact]
    public async Task A_payment_that_is_under_way_is_ended_before_its_card_is_forgotten()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"), SavedCard.NeedsOwner);
        await card.TurnOnAsync("1", "10", "100");
        await card.SpendAsync("1.5");
        await card.MustBecomeAsync("paused");

        (await Backend.App.DeleteAsync($"/v1/customers/{card.User.CustomerId}")).MustBe(204);
        await Eventually.HoldsAsync(
            async () => (await card.IntentsAsync()).Single().Text("status") == "canceled", "the end of the payment", SavedCard.Patience);
        await RunAsync("update erasure set due_at = now() where customer = $1 and done_at is null", card.User.Customer);

        await MustBeErasedAsync(card.User);
        Assert.Equal(0, await KnownCardsAsync(card.User));
    }

    [Fact]
    public async Task Nobody_can_pay_into_the_wallet_of_who_is_deleted()
    {
        var open = await Purchase.BeginAsync(await Backend.App.NewUserAsync("2"), "10");

        (await Backend.App.DeleteAsync($"/v1/customers/{open.User.CustomerId}")).MustBe(204);
        await MustBeErasedAsync(open.User);

        Assert.Equal("canceled", (await Purchase.StripeAsync("GET", $"/v1/payment_intents/{open.Intent}")).MustBe(200).Json.Text("status"));
    }

    [Fact]
    public async Task An_open_page_can_save_no_card_of_who_is_deleted_and_neither_can_a_backend()
    {
        var user = await Backend.App.NewUserAsync("2");
        var begun = (await Gateway.SendAsync("POST", "/v1/wallet/payment-method", user.Token)).MustBe(200);
        (await Backend.App.DeleteAsync($"/v1/customers/{user.CustomerId}")).MustBe(204);
        await MustBeErasedAsync(user);

        var setup = begun.Json.Text("clientSecret").Split("_secret_")[0];
        Assert.Equal("canceled", (await Purchase.StripeAsync("GET", $"/v1/setup_intents/{setup}")).MustBe(200).Json.Text("status"));
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/payment-method", "")).MustBe(404);
    }

    /// <summary>It may have been saved in the moment in which its customer was forgotten.</summary>
    [Fact]
    public async Task A_card_that_a_page_has_saved_after_all_is_not_kept()
    {
        var user = await Backend.App.NewUserAsync("2");
        var begun = (await Gateway.SendAsync("POST", "/v1/wallet/payment-method", user.Token)).MustBe(200);
        await RunAsync(
            "insert into erasure (customer, wallet, done_at) select $1, wallet, now() from card_setup where intent = $2", user.Customer,
            begun.Json.Text("clientSecret").Split("_secret_")[0]);

        var method = await CardOfAsync("late");
        await SavedCard.ConfirmAsync(user, begun, method);

        await Eventually.HoldsAsync(
            async () => (await MethodAsync(method)).GetProperty("customer").ValueKind == JsonValueKind.Null, "the card that is let go");
        Assert.Equal(0, await Purchase.NumberAsync(
            "billing", "select count(*) from card_holder join erasure using (wallet) where erasure.customer = $1 and method is not null",
            user.Customer));
        Assert.Equal(0, await Purchase.NumberAsync(
            "billing", "select count(*) from stripe_event where status = 'parked' and about = $1",
            begun.Json.Text("clientSecret").Split("_secret_")[0]));
    }

    /// <summary>A card at Stripe with its holder's name and addresses.</summary>
    internal static async Task<string> CardOfAsync(string mark) => (await Purchase.StripeAsync(
        "POST", "/v1/payment_methods",
        "type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2040&card[cvc]=123"
            + $"&billing_details[name]={mark}&billing_details[email]={mark}%40example.com&billing_details[address][line1]={mark}"))
        .MustBe(200).Json.Text("id");

    static async Task<JsonElement> MethodAsync(string id) =>
        (await Purchase.StripeAsync("GET", $"/v1/payment_methods/{id}")).MustBe(200).Json;

    static Task MustBeErasedAsync(User user) => Eventually.HoldsAsync(
        async () => await Purchase.NumberAsync(
            "billing", "select count(*) from erasure where customer = $1 and done_at is not null", user.Customer) == 1,
        "the erasure", SavedCard.Patience);

    /// <summary>Cards of a user that Billing could show, charge, or find again.</summary>
    static Task<long> KnownCardsAsync(User user) => Purchase.NumberAsync("billing", """
        select count(*) from card_holder
        where wallet = (select wallet from erasure where customer = $1)
            and coalesce(customer, method, brand, last4, fingerprint, exp_year::text) is not null
        """, user.Customer);

    /// <summary>Events of Stripe's in which a text stands.</summary>
    internal static Task<long> MentionsAsync(string text) => Purchase.NumberAsync(
        "billing", "select count(*) from stripe_event where convert_from(body, 'UTF8') like '%' || $1 || '%'", text);

    static Task<long> WaitingAsync(SavedCard card) => Purchase.NumberAsync("billing", """
        select count(*) from stripe_event
        where status = 'waiting' and (intent in (select intent from payment where customer = $1) or about = $2)
        """, card.User.Customer, card.Customer);

    static async Task<string[]> PaymentsAsync(User user) =>
    [
        .. (await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}/top-ups")).MustBe(200).Json.Items("topUps")
            .Select(one => one.Text("id")),
    ];

    static async Task RunAsync(string sql, params object[] values)
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));
        await using var command = database.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        await command.ExecuteNonQueryAsync(Token);
    }
}
