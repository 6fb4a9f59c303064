using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>Plans that customers pay by the month, from the checkout to the end, as their backend and Stripe see them.</summary>
[Collection(nameof(Payments))]
public sealed partial class SubscriptionTests
{
    const string Urls = "\"successUrl\":\"https://example.com/ok\",\"cancelUrl\":\"https://example.com/back\"";

    static readonly Backend Owner = Backend.Managed;

    [Fact]
    public async Task A_customer_subscribes_on_Stripe_s_page_and_has_the_plan_and_the_books_have_the_money()
    {
        var (user, plan) = (await Owner.NewUserAsync(credit: null), await PlanAsync("29", tokens: 100_000));
        var replies = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => CheckoutAsync(user, plan)));
        var page = Assert.Single(replies.Where(reply => reply.Status == 200).Select(reply => reply.Json.Text("url")).Distinct());
        var id = replies.First(reply => reply.Status == 200).Json.Text("subscriptionId");
        Assert.Equal("open", (await ShownAsync(id)).Text("status"));

        Assert.Equal("https://example.com/ok", (await PayAsync(page))?.ToString());

        var given = await Eventually.GetAsync(() => PlanOfAsync(user), one => one?.Text("id") == plan, "the plan");
        Assert.Equal((id, "100000"), (given!.Value.Text("subscriptionId"), given.Value.GetProperty("quota").Text("tokens")));
        var shown = await Eventually.GetAsync(
            () => ShownAsync(id), one => one.Items("payments").Any(), "what was paid");
        Assert.Equal(
            ("active", plan, "29", user.CustomerId),
            (shown.Text("status"), shown.Text("plan"), shown.Text("price"), shown.Text("customerId")));
        Assert.Equal(given.Value.GetProperty("paidTo").GetDateTimeOffset(), shown.GetProperty("paidTo").GetDateTimeOffset());
        Assert.Equal("29", Assert.Single(shown.Items("payments")).Text("amount"));
        await Eventually.HoldsAsync(async () => await BookedAsync(user) == 1, "the payment in the books");
        (await CheckoutAsync(user, plan)).MustBeProblem(409, "already_subscribed");
        (await CheckoutAsync(user, await PlanAsync("9"))).MustBeProblem(409, "already_subscribed");
        Assert.Equal(id, Assert.Single((await Owner.GetAsync($"/v1/subscriptions?customer={user.CustomerId}")).MustBe(200).Json
            .Items("subscriptions")).Text("id"));
        await Books.WaitUntilRightAsync();
    }

    [Fact]
    public async Task Whatever_comes_of_its_events_in_whatever_order_a_plan_is_given_and_paid_once()
    {
        var (user, plan) = (await Owner.NewUserAsync(credit: null), await PlanAsync("29"));
        var checkout = (await CheckoutAsync(user, plan)).MustBe(200).Json;
        var id = checkout.Text("subscriptionId");
        await Purchase.OrderAsync("/webhooks", $$"""{"repeat":10,"hold":true,"about":"{{id}}"}""");
        try
        {
            await PayAsync(checkout.Text("url"));
            await Purchase.OrderAsync($"/webhooks/release?shuffled=true&about={id}");
            await Eventually.GetAsync(() => PlanOfAsync(user), one => one?.Text("id") == plan, "the plan");
            await Purchase.OrderAsync($"/webhooks/settle?about={id}");
            await Eventually.HoldsAsync(async () => await BookedAsync(user) == 1, "the payment in the books");
        }
        finally
        {
            await Purchase.OrderAsync("/webhooks", $$"""{"about":"{{id}}"}""");
        }
        Assert.Equal("active", (await ShownAsync(id)).Text("status"));
        Assert.Single((await ShownAsync(id)).Items("payments"));
    }

    [Fact]
    public async Task What_no_webhook_has_told_of_a_subscription_the_reconciler_finds()
    {
        var (user, plan) = (await Owner.NewUserAsync(credit: null), await PlanAsync("29"));
        var checkout = (await CheckoutAsync(user, plan)).MustBe(200).Json;
        var id = checkout.Text("subscriptionId");
        await Purchase.OrderAsync("/webhooks", $$"""{"hold":true,"about":"{{id}}"}""");
        await PayAsync(checkout.Text("url"));
        await Purchase.OrderAsync($"/webhooks/lose?about={id}");
        await Purchase.OrderAsync("/webhooks", $$"""{"about":"{{id}}"}""");

        await Purchase.ReconcileAsync();

        await Eventually.GetAsync(() => PlanOfAsync(user), one => one?.Text("id") == plan, "the plan");
    }

    [Fact]
    public async Task A_dearer_plan_is_paid_and_in_force_at_once_and_a_cheaper_one_with_the_next_period()
    {
        var user = await Owner.NewUserAsync(credit: null);
        var (small, large) = (await PlanAsync("9", tokens: 0), await PlanAsync("99", tokens: 1_000_000));
        var id = await SubscribeAsync(user, small);
        Assert.NotEqual(200, (await user.ChatAsync("small", "one two")).Status);

        var changed = (await ChangeAsync(id, large)).MustBe(200).Json;

        Assert.Equal((large, "99"), (changed.Text("plan"), changed.Text("price")));
        await Eventually.HoldsAsync(async () => (await user.ChatAsync("small", "one two")).Status == 200, "an answer");
        await Eventually.HoldsAsync(async () => await BookedAsync(user) == 2, "the difference in the books");
        var waiting = (await ChangeAsync(id, small)).MustBe(200).Json;
        Assert.Equal((large, small), (waiting.Text("plan"), waiting.Text("nextPlan")));
        Assert.Equal(large, (await PlanOfAsync(user))!.Value.Text("id"));
        var back = (await ChangeAsync(id, large)).MustBe(200).Json;
        Assert.Equal((large, JsonValueKind.Null), (back.Text("plan"), back.GetProperty("nextPlan").ValueKind));
        Assert.Equal(2, await BookedAsync(user));
    }

    [Fact]
    public async Task With_a_card_that_is_declined_the_plan_stays_as_it_is_here_and_at_Stripe()
    {
        var user = await Owner.NewUserAsync(credit: null);
        var (small, large) = (await PlanAsync("9"), await PlanAsync("99"));
        var id = await SubscribeAsync(user, small);
        var before = await AtStripeAsync(id);
        await UseCardAsync(before, "pm_card_chargeCustomerFail");

        (await ChangeAsync(id, large)).MustBeProblem(409, "card_declined");

        Assert.Equal((small, "active"), ((await ShownAsync(id)).Text("plan"), (await ShownAsync(id)).Text("status")));
        Assert.Equal(PriceOf(before), PriceOf(await AtStripeAsync(id)));
        Assert.Equal(small, (await PlanOfAsync(user))!.Value.Text("id"));
    }

    [Fact]
    public async Task A_declined_card_on_the_page_gives_nothing_and_another_one_subscribes()
    {
        var (user, plan) = (await Owner.NewUserAsync(credit: null), await PlanAsync("29"));
        var checkout = (await CheckoutAsync(user, plan)).MustBe(200).Json;

        Assert.Null(await PayAsync(checkout.Text("url"), "4000000000000341"));
        Assert.Null(await PlanOfAsync(user));
        await PayAsync(checkout.Text("url"));

        await Eventually.GetAsync(() => PlanOfAsync(user), one => one?.Text("id") == plan, "the plan");
        await Eventually.HoldsAsync(async () => await BookedAsync(user) == 1, "the payment in the books");
    }

    [Fact]
    public async Task It_ends_with_what_is_paid_or_at_once_and_then_there_may_be_another_one_without_a_trial()
    {
        var (user, plan) = (await Owner.NewUserAsync(credit: null), await PlanAsync("29", trialDays: 14));
        var id = await SubscribeAsync(user, plan);
        var trial = await ShownAsync(id);
        Assert.Equal(("trialing", trial.Text("trialEnd")), (trial.Text("status"), trial.Text("paidTo")));

        var ending = (await Owner.DeleteAsync($"/v1/subscriptions/{id}")).MustBe(200).Json;
        Assert.Equal(trial.Text("paidTo"), ending.Text("cancelAt"));
        (await user.ChatAsync("small", "one two")).MustBe(200);
        var ended = (await Owner.DeleteAsync($"/v1/subscriptions/{id}?now=true")).MustBe(200).Json;

        Assert.Equal("canceled", ended.Text("status"));
        await Eventually.HoldsAsync(async () => (await user.ChatAsync("small", "one two")).Code == "plan_ended", "the end");
        var again = (await CheckoutAsync(user, plan)).MustBe(200).Json;
        Assert.Equal(0, again.Int("trialDays"));
        Assert.Equal("canceled", (await Owner.DeleteAsync($"/v1/subscriptions/{id}")).MustBe(200).Json.Text("status"));
    }

    [Fact]
    public async Task What_is_used_beyond_the_quota_is_served_without_a_wallet_s_money_and_Stripe_s_meter_is_told_of_it_once()
    {
        var (user, plan) = (await Owner.NewUserAsync(credit: null), $"plan-{Guid.NewGuid():N}");
        (await Owner.PutAsync($"/v1/plans/{plan}", """
            {"name":"Soft","price":"29","tokens":30,"overagePerToken":"0.002","overageBy":"subscription"}
            """)).MustBe(200);
        await SubscribeAsync(user, plan);
        var used = 0;
        for (var i = 0; i < 3; i++)
            used += (await user.ChatAsync("small", "[[tokens:50]] please")).MustBe(200).Json.GetProperty("usage").Int("total_tokens");

        await Eventually.GetAsync(
            async () =>
            {
                await Purchase.ReconcileAsync();
                return await ReportedAsync(user);
            },
            reported => reported == used - 30, "the report of what was used");

        await Purchase.ReconcileAsync();
        Assert.Equal(used - 30, await ReportedAsync(user));
        Assert.Equal("30", (await PlanOfAsync(user))!.Value.GetProperty("quota").Text("used"));
    }

    static Task<long> ReportedAsync(User user) => Purchase.NumberAsync(
        "billing",
        """
        select coalesce(sum(r.tokens), 0)::bigint from usage_report r join subscription s on s.id = r.subscription
        where s.customer = $1 and r.sent
        """,
        user.Customer);

    [Fact]
    public async Task What_is_refunded_at_Stripe_goes_back_from_margin_and_fee_once()
    {
        var user = await Owner.NewUserAsync(credit: null);
        var id = await SubscribeAsync(user, await PlanAsync("29"));
        var paid = (await Eventually.GetAsync(() => ShownAsync(id), one => one.Items("payments").Any(), "what was paid"))
            .Items("payments").Single();
        var intent = (await Purchase.StripeAsync("GET", $"/v1/invoice_payments?invoice={paid.Text("invoice")}")).MustBe(200).Json
            .Items("data").Single().GetProperty("payment").Text("payment_intent");
        foreach (var cents in (int[])[1, 999, 1_900])
            (await Purchase.StripeAsync("POST", "/v1/refunds", $"payment_intent={intent}&amount={cents}")).MustBe(200);

        await Eventually.HoldsAsync(
            async () => (await ShownAsync(id)).Items("payments").Single().Text("refunded") == "29", "what went back");
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing",
                """
                select count(*) from plan_payment p
                where (p.margin, p.fee) = (
                    select sum(r.margin), sum(r.fee) from plan_reversal r where r.payment = p.id and r.booked) and p.intent = $1
                """, intent) == 1,
            "all of it in the books");
        Assert.Equal("active", (await ShownAsync(id)).Text("status"));
        await Books.WaitUntilRightAsync();
    }

    [Fact]
    public async Task What_was_paid_has_a_document_and_so_has_what_goes_back_with_numbers_of_the_same_series()
    {
        await InvoiceTests.SayAsync(Owner);
        var user = await Owner.NewUserAsync(credit: null);
        var id = await SubscribeAsync(user, await PlanAsync("29"));
        var invoice = Assert.Single(await InvoiceTests.DocumentsAsync(user, 1));
        var paid = (await ShownAsync(id)).Items("payments").Single();
        var intent = (await Purchase.StripeAsync("GET", $"/v1/invoice_payments?invoice={paid.Text("invoice")}")).MustBe(200).Json
            .Items("data").Single().GetProperty("payment").Text("payment_intent");
        (await Purchase.StripeAsync("POST", "/v1/refunds", $"payment_intent={intent}&amount=900")).MustBe(200);

        var note = (await InvoiceTests.DocumentsAsync(user, 2))[0];

        Assert.Equal(
            ("invoice", "subscription", "29", id, "Subscription to A plan"),
            (invoice.Text("kind"), invoice.Text("reason"), invoice.Text("total"), invoice.Text("subscriptionId"),
                invoice.Items("lines").Single().Text("description")));
        Assert.Equal(
            ("credit_note", "subscription_refund", "9", invoice.Text("id")),
            (note.Text("kind"), note.Text("reason"), note.Text("total"), note.Text("corrects")));
        Assert.StartsWith("INV-", invoice.Text("number"));
        Assert.StartsWith("CN-", note.Text("number"));
    }

    [Fact]
    public async Task A_checkout_of_another_plan_takes_the_place_of_the_one_that_is_open()
    {
        var user = await Owner.NewUserAsync(credit: null);
        var first = (await CheckoutAsync(user, await PlanAsync("9"))).MustBe(200).Json;
        var second = (await CheckoutAsync(user, await PlanAsync("29"))).MustBe(200).Json;

        Assert.Equal("expired", (await ShownAsync(first.Text("subscriptionId"))).Text("status"));
        Assert.Equal("open", (await ShownAsync(second.Text("subscriptionId"))).Text("status"));
        var dropped = (await Owner.DeleteAsync($"/v1/subscriptions/{second.Text("subscriptionId")}")).MustBe(200).Json;
        Assert.Equal("expired", dropped.Text("status"));
    }

    [Fact]
    public async Task A_seed_and_a_plan_that_is_free_leave_subscriptions_alone_and_the_portal_is_for_who_had_one()
    {
        var user = await Owner.NewUserAsync(credit: null);
        var portal = $$"""{"customer":"{{user.ExternalId}}","returnUrl":"https://example.com"}""";
        (await Owner.PostAsync("/v1/subscriptions/portal", portal)).MustBeProblem(409, "no_subscription");
        (await CheckoutAsync(user, await PlanAsync("0"))).MustBeProblem(400, "invalid_value", "plan");
        (await CheckoutAsync(user, await PlanAsync("1.001"))).MustBeProblem(400, "invalid_value", "plan");
        (await CheckoutAsync(user, "nobodys")).MustBeProblem(404, "not_found");
        var id = await SubscribeAsync(user, await PlanAsync("29"));

        var url = (await Owner.PostAsync("/v1/subscriptions/portal", portal)).MustBe(200).Json.Text("url");

        await StripeWorld.VisitAsync(url, ("step", "cancel"), ("subscription", (await AtStripeAsync(id)).Text("id")));
        await Eventually.GetAsync(
            () => ShownAsync(id), one => one.GetProperty("cancelAt").ValueKind == JsonValueKind.String, "the cancellation");
    }

    [Theory]
    [InlineData("{\"customer\":\"x\",\"plan\":\"x\",\"successUrl\":\"ftp://a\",\"cancelUrl\":\"https://example.com\"}", "successUrl")]
    [InlineData("{\"customer\":\"x\",\"plan\":\"x\",\"successUrl\":\"https://example.com\",\"cancelUrl\":\"x\"}", "cancelUrl")]
    public async Task An_address_that_nobody_can_return_to_is_refused_by_name(string body, string param) =>
        (await Owner.PostAsync("/v1/subscriptions/checkout", body)).MustBeProblem(400, "invalid_value", param);

    static async Task<string> PlanAsync(string price, int tokens = 100_000, int trialDays = 0)
    {
        var name = $"plan-{Guid.NewGuid():N}";
        (await Owner.PutAsync(
            $"/v1/plans/{name}", $$"""{"name":"A plan","price":"{{price}}","tokens":{{tokens}},"trialDays":{{trialDays}}}""")).MustBe(200);
        return name;
    }

    static Task<Reply> CheckoutAsync(User user, string plan) => Owner.PostAsync(
        "/v1/subscriptions/checkout", $$"""{"customer":"{{user.CustomerId}}","plan":"{{plan}}",{{Urls}}}""");

    static Task<Reply> ChangeAsync(string id, string plan) =>
        Owner.PutAsync($"/v1/subscriptions/{id}", $$"""{"plan":"{{plan}}"}""");

    /// <returns>Where the page leads; null when it is shown again.</returns>
    static Task<Uri?> PayAsync(string page, string number = "4242424242424242") => StripeWorld.VisitAsync(
        page, ("step", "pay"), ("number", number), ("expiry", "12/40"), ("cvc", "123"), ("email", "a@example.com"), ("name", "Ann"));

    static async Task<string> SubscribeAsync(User user, string plan)
    {
        var checkout = (await CheckoutAsync(user, plan)).MustBe(200).Json;
        await PayAsync(checkout.Text("url"));
        await Eventually.GetAsync(() => PlanOfAsync(user), one => one?.Text("id") == plan, "the plan");
        return checkout.Text("subscriptionId");
    }

    static async Task<JsonElement> ShownAsync(string id) => (await Owner.GetAsync($"/v1/subscriptions/{id}")).MustBe(200).Json;

    /// <summary>Null without one.</summary>
    static async Task<JsonElement?> PlanOfAsync(User user) =>
        (await Owner.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json.TryGetProperty("plan", out var plan) ? plan : null;

    static Task<long> BookedAsync(User user) => Purchase.NumberAsync(
        "billing",
        "select count(*) from plan_payment p join subscription s on s.id = p.subscription where s.customer = $1 and p.booked",
        user.Customer);

    static async Task<JsonElement> AtStripeAsync(string id) =>
        (await Purchase.StripeAsync("GET", "/v1/subscriptions?limit=100&status=all")).MustBe(200).Json.Items("data")
            .Single(one =>
                one.GetProperty("metadata").TryGetProperty("llmgateway_subscription", out var named) && named.GetString() == id);

    static string? PriceOf(JsonElement subscription) =>
        subscription.GetProperty("items").Items("data").Single().GetProperty("price").Text("id");

    static async Task UseCardAsync(JsonElement subscription, string method)
    {
        var card = (await Purchase.StripeAsync(
            "POST", $"/v1/payment_methods/{method}/attach", $"customer={subscription.Text("customer")}")).MustBe(200).Json.Text("id");
        (await Purchase.StripeAsync("POST", $"/v1/subscriptions/{subscription.Text("id")}", $"default_payment_method={card}"))
            .MustBe(200);
    }
}
