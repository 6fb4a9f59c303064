namespace LlmGateway.EndToEnd;

/// <summary>What goes wrong on the way of a subscription, and prices that somebody has made at Stripe.</summary>
public sealed partial class SubscriptionTests
{
    [Fact]
    public async Task A_cheaper_plan_that_was_to_come_comes_all_the_same_when_the_card_is_declined_for_a_dearer_one()
    {
        var user = await Owner.NewUserAsync(credit: null);
        var (small, middle, large) = (await PlanAsync("9"), await PlanAsync("29"), await PlanAsync("99"));
        var id = await SubscribeAsync(user, middle);
        (await ChangeAsync(id, small)).MustBe(200);
        var before = await AtStripeAsync(id);
        await UseCardAsync(before, "pm_card_chargeCustomerFail");

        (await ChangeAsync(id, large)).MustBeProblem(409, "card_declined");

        Assert.Equal(PriceOf(before), PriceOf(await AtStripeAsync(id)));
        await Eventually.HoldsAsync(
            async () => await ShownAsync(id) is var shown && (shown.Text("plan"), shown.Text("nextPlan")) == (middle, small),
            "the cheaper plan that is to come");
        await Eventually.HoldsAsync(async () => await BookedAsync(user) == 1, "the first payment in the books");
    }

    [Fact]
    public async Task A_cheaper_plan_at_other_intervals_is_refused_as_nothing_of_what_is_paid_would_come_back()
    {
        var (yearly, monthly) = (await PricedAsync("currency=usd&unit_amount=9000&recurring[interval]=year"), await PlanAsync("9"));
        var user = await Owner.NewUserAsync(credit: null);
        var id = await SubscribeAsync(user, yearly);
        var before = await AtStripeAsync(id);

        (await ChangeAsync(id, monthly)).MustBeProblem(409, "other_interval");

        Assert.Equal(PriceOf(before), PriceOf(await AtStripeAsync(id)));
        Assert.Equal(before.Text("latest_invoice"), (await AtStripeAsync(id)).Text("latest_invoice"));
        Assert.Equal(yearly, (await ShownAsync(id)).Text("plan"));
    }

    [Fact]
    public async Task Whose_cards_were_declined_too_often_tries_no_further_ones_on_the_page()
    {
        var (user, plan) = (await Owner.NewUserAsync(credit: null), await PlanAsync("29"));
        Assert.Equal(1, await Purchase.RunAsync(
            "billing", "insert into top_up_freeze (customer, project, test, declines) values ($1, gen_random_uuid(), false, 5)",
            user.Customer));

        (await CheckoutAsync(user, plan)).MustBeProblem(403, "top_ups_frozen");

        Assert.Empty((await Owner.GetAsync($"/v1/subscriptions?customer={user.CustomerId}")).MustBe(200).Json.Items("subscriptions"));
    }

    /// <summary>A dearer one would be charged from the price that the other call has left.</summary>
    [Fact]
    public async Task While_one_call_changes_the_plan_another_one_is_told_to_come_again()
    {
        var (user, large) = (await Owner.NewUserAsync(credit: null), await PlanAsync("99"));
        var id = await SubscribeAsync(user, await PlanAsync("9"));
        Assert.Equal(1, await HoldAsync("now() + interval '1 minute'"));

        (await ChangeAsync(id, large)).MustBeProblem(409, "subscription_busy");

        Assert.Equal(1, await HoldAsync("now()"));
        Assert.Equal(large, (await ChangeAsync(id, large)).MustBe(200).Json.Text("plan"));
        Assert.Equal("99", (await ChangeAsync(id, large)).MustBe(200).Json.Text("price"));

        Task<int> HoldAsync(string until) =>
            Purchase.RunAsync("billing", $"update subscription set held_until = {until} where customer = $1", user.Customer);
    }

    [Theory]
    [InlineData("currency=eur&unit_amount=900&recurring[interval]=month")]
    [InlineData("currency=usd&unit_amount=0&recurring[interval]=month")]
    [InlineData("currency=usd&unit_amount=900")]
    public async Task A_price_of_Stripe_s_that_the_books_cannot_have_is_refused_before_anybody_pays_it(string price) =>
        (await CheckoutAsync(await Owner.NewUserAsync(credit: null), await PricedAsync(price)))
            .MustBeProblem(400, "invalid_value", "plan");

    [Fact]
    public async Task Of_two_plans_at_one_price_of_Stripe_s_a_customer_has_the_one_that_it_subscribed_to()
    {
        var price = await PriceAsync("currency=usd&unit_amount=900&recurring[interval]=month");
        await PricedAsync(price, "plan-0");
        var second = await PricedAsync(price, "plan-1");
        var user = await Owner.NewUserAsync(credit: null);

        await SubscribeAsync(user, second);

        Assert.Equal(second, (await PlanOfAsync(user))!.Value.Text("id"));
    }

    [Fact]
    public async Task What_is_paid_for_a_plan_that_was_deleted_meanwhile_is_in_the_books_and_it_is_given_when_it_is_there_again()
    {
        var (user, plan) = (await Owner.NewUserAsync(credit: null), await PlanAsync("29"));
        var checkout = (await CheckoutAsync(user, plan)).MustBe(200).Json;
        (await Owner.DeleteAsync($"/v1/plans/{plan}")).MustBe(204);
        await PayAsync(checkout.Text("url"));

        await Eventually.HoldsAsync(async () => await BookedAsync(user) == 1, "the payment in the books");
        Assert.Null(await PlanOfAsync(user));
        (await Owner.PutAsync($"/v1/plans/{plan}", """{"name":"A plan","price":"29","tokens":9}""")).MustBe(200);
        await Purchase.ReconcileAsync();

        await Eventually.GetAsync(() => PlanOfAsync(user), one => one?.Text("id") == plan, "the plan");
    }

    /// <summary>Also of one without a wallet, of which Billing knows nothing else.</summary>
    [Fact]
    public async Task Who_is_deleted_is_charged_no_more_and_nothing_is_kept_of_what_Stripe_tells_of_it_afterwards()
    {
        var (name, plan) = ($"agency-{Guid.NewGuid():N}", await PlanAsync("29"));
        var customer = (await Owner.PostAsync("/v1/customers", $$"""{"externalId":"{{name}}","wallet":false}""")).MustBe(201).Json
            .Text("id");
        var checkout = (await Owner.PostAsync(
            "/v1/subscriptions/checkout", $$"""{"customer":"{{customer}}","plan":"{{plan}}",{{Urls}}}""")).MustBe(200).Json;
        await PayAsync(checkout.Text("url"));
        var id = checkout.Text("subscriptionId");
        await Eventually.HoldsAsync(async () => (await ShownAsync(id)).Text("status") == "active", "the subscription");

        (await Owner.DeleteAsync($"/v1/customers/{customer}")).MustBe(204);

        await Eventually.HoldsAsync(async () => (await AtStripeAsync(id)).Text("status") == "canceled", "the end at Stripe");
        await Eventually.HoldsAsync(async () => (await ShownAsync(id)).Text("status") == "canceled", "the end here");
        var known = Guid.ParseExact(customer["cus_".Length..], "N");
        await Eventually.HoldsAsync(async () => await ToldAsync("e.type = 'customer.deleted' and e.status <> 'waiting'") == 1, "its event");
        await Eventually.HoldsAsync(async () => await ToldAsync("e.status = 'waiting'") == 0, "the end of all events");
        Assert.Equal(0, await ToldAsync("e.body <> ''"));

        Task<long> ToldAsync(string which) => Purchase.NumberAsync(
            "billing",
            $"""
            select count(*) from stripe_event e join subscriber s on s.stripe in (e.about, e.holder)
            where s.customer = $1 and {which}
            """,
            known);
    }

    /// <summary>One that somebody has made at Stripe.</summary>
    static async Task<string> PriceAsync(string price) =>
        (await Purchase.StripeAsync("POST", "/v1/prices", $"{price}&product_data[name]=Ours")).MustBe(200).Json.Text("id");

    static async Task<string> PricedAsync(string price, string name = "plan")
    {
        var plan = $"{name}-{Guid.NewGuid():N}";
        var id = price.StartsWith("price_", StringComparison.Ordinal) ? price : await PriceAsync(price);
        (await Owner.PutAsync($"/v1/plans/{plan}", $$"""{"name":"Ours","price":"1","tokens":9,"stripePrice":"{{id}}"}""")).MustBe(200);
        return plan;
    }
}
