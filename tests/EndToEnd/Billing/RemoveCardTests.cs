using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>Saved cards that their owners, or their backends, want to be forgotten.</summary>
public sealed class RemoveCardTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_card_that_is_removed_is_shown_no_more_charged_no_more_and_detached_at_Stripe(bool byBackend)
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
        await card.TurnOnAsync("1", "10", "100");
        var shown = (await CallAsync("GET")).MustBe(200).Json.GetProperty("card");
        Assert.Equal(("visa", "4242"), (shown.Text("brand"), shown.Text("last4")));
        Assert.Single(await MethodsAsync(card));

        (await CallAsync("DELETE")).MustBe(204);
        (await CallAsync("DELETE")).MustBe(204);

        Assert.Empty(await MethodsAsync(card));
        Assert.Equal(JsonValueKind.Null, (await CallAsync("GET")).MustBe(200).Json.GetProperty("card").ValueKind);
        Assert.Equal(JsonValueKind.Null, (await card.ShownAsync()).GetProperty("card").ValueKind);
        Assert.Equal("off", (await card.ShownAsync()).Text("status"));
        Assert.Equal("no_payment_method", (await SavedCard.PutAsync(
            card.User, """{"below":"1","amount":"10","monthlyCeiling":"100"}""")).MustBe(409).Code);
        Assert.Equal(0, await Purchase.NumberAsync(
            "billing", "select count(*) from card_holder where wallet = $1 and coalesce(method, brand, last4, fingerprint) is not null",
            Guid.ParseExact(card.User.WalletId["wal_".Length..], "N")));

        var next = await SavedCard.SaveAsync(card.User);
        Assert.Equal("visa", (await next.TurnOnAsync("1", "10", "100")).GetProperty("card").Text("brand"));
        await next.SpendAsync("1.5");
        await Eventually.GetAsync(next.TopUpsAsync, all => all.Length == 1, "the top-up", SavedCard.Patience);

        Task<Reply> CallAsync(string method) => byBackend
            ? Gateway.SendAsync(method, $"/v1/wallets/{card.User.WalletId}/payment-method", Backend.App.Key)
            : Gateway.SendAsync(method, "/v1/wallet/payment-method", card.User.Token);
    }

    /// <summary>What another one has replaced stays attached at Stripe until then.</summary>
    [Fact]
    public async Task With_a_card_those_that_it_has_replaced_are_detached_at_Stripe_too()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
        await card.TurnOnAsync("1", "10", "100");
        await SavedCard.SaveAsync(card.User);
        Assert.Equal(2, (await MethodsAsync(card)).Length);

        (await Gateway.SendAsync("DELETE", "/v1/wallet/payment-method", card.User.Token)).MustBe(204);

        Assert.Empty(await MethodsAsync(card));
    }

    [Fact]
    public async Task After_a_card_that_was_declined_is_removed_the_next_one_is_charged_at_once()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"), SavedCard.DeclinedLater);
        await card.TurnOnAsync("1", "10", "100");
        await card.SpendAsync("1.5");
        await card.MustBeDeclinedAsync();
        (await Gateway.SendAsync("DELETE", "/v1/wallet/payment-method", card.User.Token)).MustBe(204);

        var next = await SavedCard.SaveAsync(card.User);
        var shown = await next.TurnOnAsync("1", "10", "100");

        Assert.Equal(("active", (string?)null), (shown.Text("status"), shown.Text("reason")));
        Assert.Equal(JsonValueKind.Null, shown.GetProperty("nextTry").ValueKind);
        await Eventually.GetAsync(next.TopUpsAsync, all => all.Length == 1, "the top-up", SavedCard.Patience);
    }

    /// <summary>Stripe tells the whole card, with its owner's name and addresses, also of who asks for none of it.</summary>
    [Fact]
    public async Task What_Stripe_tells_of_a_card_that_comes_and_goes_is_not_kept()
    {
        var mark = $"jane{Guid.NewGuid():N}";
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"), await CustomerErasureTests.CardOfAsync(mark));
        var method = Assert.Single(await MethodsAsync(card)).Text("id");

        (await Gateway.SendAsync("DELETE", "/v1/wallet/payment-method", card.User.Token)).MustBe(204);
        await Purchase.OrderAsync($"/webhooks/settle?about={method}");

        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from stripe_event where about = $1 and status = 'ignored' and holder = $2 "
                    + "and type in ('payment_method.attached', 'payment_method.detached')", method, card.Customer) == 2,
            "the events of the card that comes and goes", SavedCard.Patience);
        Assert.Equal(0, await CustomerErasureTests.MentionsAsync(mark));
    }

    /// <summary>Who has its secret could save a card in the next moment.</summary>
    [Fact]
    public async Task With_a_card_the_setup_that_is_open_ends_also_where_the_wallet_is_frozen_or_there_was_no_card()
    {
        var user = await Backend.App.NewUserAsync("2");
        var begun = (await Gateway.SendAsync("POST", "/v1/wallet/payment-method", user.Token)).MustBe(200);
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);

        (await Gateway.SendAsync("DELETE", "/v1/wallet/payment-method", user.Token)).MustBe(204);

        var setup = begun.Json.Text("clientSecret").Split("_secret_")[0];
        Assert.Equal("canceled", (await Purchase.StripeAsync("GET", $"/v1/setup_intents/{setup}")).MustBe(200).Json.Text("status"));
    }

    /// <summary>Whoever was told that it is not done asks again.</summary>
    [Fact]
    public async Task While_Stripe_is_away_the_card_stays_shown_and_nothing_is_charged_with_it()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
        await card.TurnOnAsync("1", "10", "100");
        var method = Assert.Single(await MethodsAsync(card)).Text("id");
        await using (var orders = new StripeOrders(method))
        {
            await orders.FailAsync("error-before", $"POST /v1/payment_methods/{method}/detach", count: 100);
            (await Gateway.SendAsync("DELETE", "/v1/wallet/payment-method", card.User.Token)).MustBe(503);
        }

        Assert.Equal("off", (await card.ShownAsync()).Text("status"));
        Assert.NotEqual(JsonValueKind.Null, (await card.ShownAsync()).GetProperty("card").ValueKind);
        (await Gateway.SendAsync("DELETE", "/v1/wallet/payment-method", card.User.Token)).MustBe(204);
        Assert.Empty(await MethodsAsync(card));
    }

    [Fact]
    public async Task A_card_that_was_detached_at_Stripe_before_is_forgotten_here_too()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));
        await card.TurnOnAsync("1", "10", "100");
        var method = Assert.Single(await MethodsAsync(card)).Text("id");
        (await Purchase.StripeAsync("POST", $"/v1/payment_methods/{method}/detach", "")).MustBe(200);

        (await Gateway.SendAsync("DELETE", "/v1/wallet/payment-method", card.User.Token)).MustBe(204);

        Assert.Equal(JsonValueKind.Null, (await card.ShownAsync()).GetProperty("card").ValueKind);
    }

    [Fact]
    public async Task A_card_of_somebody_else_is_not_there()
    {
        var card = await SavedCard.SaveAsync(await Backend.App.NewUserAsync("2"));

        foreach (var wallet in (string[])[card.User.WalletId, "wal_nothing"])
        {
            (await Backend.Other.GetAsync($"/v1/wallets/{wallet}/payment-method")).MustBe(404);
            (await Backend.Other.DeleteAsync($"/v1/wallets/{wallet}/payment-method")).MustBe(404);
        }
        Assert.Single(await MethodsAsync(card));
    }

    /// <summary>Cards that Stripe has of the wallet's owner, and could be charged.</summary>
    static async Task<JsonElement[]> MethodsAsync(SavedCard card) =>
    [
        .. (await Purchase.StripeAsync("GET", $"/v1/payment_methods?customer={card.Customer}")).MustBe(200).Json.Items("data"),
    ];
}
