using System.Text.Json;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>From a page's question for a top-up to the balance, through the sandbox's Stripe.</summary>
public sealed class TopUpTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_paid_is_in_the_wallet_a_moment_later_and_the_books_say_whose_the_rest_is()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");

        Assert.Equal(
            ("10.5", "8.333333333", false, "pk_test_gateway"),
            (purchase.Reply.Json.Text("totalAmount"), purchase.Reply.Json.Text("netCredited"),
                purchase.Reply.Json.GetProperty("isInternational").GetBoolean(), purchase.Reply.Json.Text("publishableKey")));
        Assert.Equal("open", (await purchase.ShownAsync()).Text("status"));
        (await purchase.PayAsync()).MustBe(200);

        await purchase.MustHaveAsync("8.333333333");
        Assert.Equal(["topup 8.333333333"], await purchase.EntriesAsync());
        var shown = await purchase.MustBecomeAsync("succeeded");
        Assert.Equal(("10", "10.5", "0"), (shown.Text("amount"), shown.Text("totalAmount"), shown.Text("refunded")));
        var lot = Assert.Single((await Backend.App.GetAsync($"/v1/wallets/{purchase.User.WalletId}")).Json.Items("lots"));
        Assert.Equal(("topup", "8.333333333", true), (lot.Text("kind"), lot.Text("remaining"), lot.GetProperty("refundable").GetBoolean()));
    }

    [Fact]
    public async Task A_backend_has_all_payments_of_its_project_as_pages_and_as_a_file()
    {
        var begun = DateTimeOffset.UtcNow.AddSeconds(-1);
        var (first, second) = (await Purchase.PaidAsync(), await Purchase.PaidAsync("20"));
        (await first.RefundAsync("\"amount\":\"3.15\"")).MustBe(201);
        var since = Uri.EscapeDataString(begun.ToString("o"));

        // Other tests pay into other wallets of the project meanwhile.
        var (mine, cursor) = (new List<JsonElement>(), "");
        do
        {
            var page = (await Backend.App.GetAsync($"/v1/top-ups?from={since}&limit=1&cursor={cursor}")).MustBe(200).Json;
            mine.AddRange(page.Items("topUps").Where(one => one.Text("id") == first.Id || one.Text("id") == second.Id));
            cursor = page.Text("nextCursor");
        }
        while (cursor is not null);

        Assert.Equal([second.Id, first.Id], mine.Select(one => one.Text("id")));
        Assert.Equal(
            (first.User.CustomerId, first.User.WalletId, "10.5", "8.333333333", "1.666666667", "0.5", "succeeded", "3.15", first.Intent),
            (mine[1].Text("customerId"), mine[1].Text("walletId"), mine[1].Text("totalAmount"), mine[1].Text("netCredited"),
                mine[1].Text("margin"), mine[1].Text("fee"), mine[1].Text("status"), mine[1].Text("refunded"),
                mine[1].Text("paymentIntent")));
        var file = await Gateway.SendAsync(
            "GET", $"/v1/top-ups?from={since}", Backend.App.Key, headers: [("Accept", "text/csv")]);
        Assert.StartsWith("attachment; filename=top-ups.csv", file.MustBe(200)["Content-Disposition"]);
        Assert.Contains($"\n{second.Id},{second.User.CustomerId},{second.User.WalletId},20,21,", file.Text);
        var to = Uri.EscapeDataString(begun.AddSeconds(-1).ToString("o"));
        Assert.DoesNotContain(first.Id, (await Backend.App.GetAsync($"/v1/top-ups?to={to}&limit=100")).MustBe(200).Text);
        Assert.DoesNotContain(first.Id, (await Backend.Other.GetAsync("/v1/top-ups?limit=100")).MustBe(200).Text);
        Assert.Equal(401, (await Gateway.SendAsync("GET", "/v1/top-ups", first.User.Token)).Status);
        (await Backend.App.GetAsync("/v1/top-ups?cursor=1")).MustBeProblem(400, "invalid_value", "cursor");
        (await Backend.App.GetAsync("/v1/top-ups?from=01.12.2026")).MustBeProblem(400, "invalid_value", "from");
    }

    [Fact]
    public async Task An_event_that_is_there_before_our_row_knows_its_intent_is_credited()
    {
        var user = await Backend.App.NewUserAsync(credit: null);
        await using var orders = new StripeOrders(user.WalletId);
        await orders.FailAsync("error-after", "POST /v1/payment_intents");
        (await Purchase.AskAsync(user, """{"amount":"10"}""")).MustBe(503);
        var intents = (await Purchase.StripeAsync("GET", "/v1/payment_intents?limit=100")).MustBe(200).Json.Items("data");
        var lost = intents.Single(intent => Purchase.IsOf(intent, user));

        var purchase = new Purchase(user, lost.GetProperty("metadata").Text("llmgateway_payment"), lost.Text("id"), null!);
        (await purchase.PayAsync()).MustBe(200);

        await purchase.MustHaveAsync("8.333333333");
        Assert.Equal(["topup 8.333333333"], await purchase.EntriesAsync());
    }

    [Fact]
    public async Task An_error_that_Stripe_keeps_for_a_day_keeps_nobody_from_buying_as_much_again()
    {
        var user = await Backend.App.NewUserAsync(credit: null);
        await using (var orders = new StripeOrders(user.WalletId))
        {
            await orders.HoldAsync();
            await orders.FailAsync("error-after", "POST /v1/payment_intents");
            (await Purchase.AskAsync(user, """{"amount":"10"}""")).MustBe(503);
            // Under the same key Stripe answers the same. After a while nobody waits for another answer.
            await Purchase.NumberAsync(
                "billing",
                """
                with aged as (
                    update payment set created_at = created_at - interval '1 minute' where customer = $1 and intent is null returning 1)
                select count(*) from aged
                """,
                user.Customer);

            var purchase = await Purchase.BeginAsync(user, "10");

            (await purchase.PayAsync()).MustBe(200);
            await orders.ReleaseAsync();
        }
        await Eventually.GetAsync(user.BalanceAsync, balance => balance == 8_333_333_333, "the top-up");
    }

    [Fact]
    public async Task A_decline_is_shown_and_told_once_and_the_same_purchase_can_be_paid_after_it()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");

        (await purchase.PayAsync(Purchase.Declined)).MustBe(402);
        var failed = await purchase.MustBecomeAsync("failed");
        Assert.Equal("generic_decline", failed.GetProperty("failure").Text("code"));
        Assert.Equal(purchase.Intent, (await Purchase.BeginAsync(purchase.User, "10")).Intent);
        (await purchase.PayAsync()).MustBe(200);

        await purchase.MustHaveAsync("8.333333333");
        Assert.Equal(JsonValueKind.Null, (await purchase.MustBecomeAsync("succeeded")).GetProperty("failure").ValueKind);
        Assert.Equal(["topup.failed"], await ToldAsync(purchase, 1));
    }

    [Fact]
    public async Task What_the_bank_has_is_shown_and_nothing_else_can_be_bought_until_it_has_ended()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        (await purchase.PayAsync(Purchase.Bank)).MustBe(200);

        await purchase.MustBecomeAsync("processing");
        foreach (var amount in (string[])["10", "20"])
        {
            var refused = (await Purchase.AskAsync(purchase.User, $$"""{"amount":"{{amount}}"}""")).MustBe(409);
            Assert.Equal(("top_up_processing", "amount"), (refused.Code, refused.Json.GetProperty("error").Text("param")));
        }

        await purchase.MustBecomeAsync("succeeded");
        await purchase.MustHaveAsync("8.333333333");
    }

    [Fact]
    public async Task A_purchase_that_is_open_is_given_out_again_and_cancelled_for_another_amount()
    {
        var user = await Backend.App.NewUserAsync(credit: null);
        var replies = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Purchase.AskAsync(user, """{"amount":"10"}""")));
        var secret = Assert.Single(replies.Select(reply => reply.MustBe(200).Json.Text("clientSecret")).Distinct());

        var other = await Purchase.BeginAsync(user, "25");
        Assert.NotEqual(secret, other.Reply.Json.Text("clientSecret"));
        Assert.Equal(secret.Split("_secret_")[0], (await CanceledAsync(user)).Single());
        (await other.PayAsync()).MustBe(200);

        await other.MustHaveAsync("20.833333333");
        Assert.NotEqual(other.Intent, (await Purchase.BeginAsync(user, "25")).Intent);
    }

    static async Task<string[]> CanceledAsync(User user) =>
    [
        .. (await Purchase.StripeAsync("GET", "/v1/payment_intents?limit=100")).MustBe(200).Json.Items("data")
            .Where(intent => intent.Text("status") == "canceled" && Purchase.IsOf(intent, user))
            .Select(intent => intent.Text("id")),
    ];

    [Theory]
    [InlineData("""{"amount":"4.99"}""", 400, "amount")]
    [InlineData("""{"amount":"5000.01"}""", 400, "amount")]
    [InlineData("""{"amount":"0"}""", 400, "amount")]
    [InlineData("""{"amount":"-10"}""", 400, "amount")]
    [InlineData("""{"amount":"10.001"}""", 400, "amount")]
    [InlineData("""{"amount":10.005}""", 400, "amount")]
    [InlineData("""{"amount":"ten"}""", 400, "amount")]
    [InlineData("""{}""", 400, "amount")]
    [InlineData("""{"amount":"10","currency":"EUR"}""", 400, "currency")]
    public async Task What_cannot_be_bought_is_refused_by_name_and_nothing_is_written(string body, int status, string param)
    {
        var user = await Backend.App.NewUserAsync(credit: null);

        var reply = (await Purchase.AskAsync(user, body)).MustBe(status);

        Assert.Equal(param, reply.Json.GetProperty("error").Text("param"));
        Assert.Empty((await Gateway.SendAsync("GET", "/v1/wallet/top-ups", user.Token)).MustBe(200).Json.Items("topUps"));
    }

    [Fact]
    public async Task A_frozen_wallet_buys_nothing_a_deleted_customer_s_session_is_over_and_a_backend_is_no_user()
    {
        var (frozen, deleted) = (await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync());
        (await Backend.App.PostAsync($"/v1/wallets/{frozen.WalletId}/freeze", "{}")).MustBe(200);
        (await Backend.App.DeleteAsync($"/v1/customers/{deleted.CustomerId}")).MustBe(204);

        Assert.Equal("wallet_frozen", (await Purchase.AskAsync(frozen, """{"amount":"10"}""")).MustBe(402).Code);
        await Eventually.HoldsAsync(
            async () => (await Purchase.AskAsync(deleted, """{"amount":"10"}""")).Status is 401 or 403, "the end of the session");
        Assert.Equal(401, (await Gateway.SendAsync("POST", "/v1/wallet/top-up", Backend.App.Key, """{"amount":"10"}""")).Status);
    }

    [Fact]
    public async Task An_intent_of_somebody_else_is_stored_and_changes_nothing_and_so_is_one_that_names_a_payment_of_ours()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        const string card = "currency=usd&confirm=true&payment_method=pm_card_visa&return_url=https%3A%2F%2Fexample.com";
        var foreign = (await Purchase.StripeAsync("POST", "/v1/payment_intents", $"amount=1050&{card}")).MustBe(200).Json.Text("id");
        var forged = (await Purchase.StripeAsync(
            "POST", "/v1/payment_intents",
            $"amount=1050&{card}&metadata[llmgateway_payment]={purchase.Id}&metadata[llmgateway_wallet]={purchase.User.WalletId}"))
            .MustBe(200).Json.Text("id");

        await MustBeAsync(foreign, "ignored");
        await MustBeAsync(forged, "parked");
        Assert.Equal(0, await purchase.User.BalanceAsync());

        static Task MustBeAsync(string intent, string status) => Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing",
                "select count(*) from stripe_event where type = 'payment_intent.succeeded' and status = $2 "
                    + "and convert_from(body, 'UTF8') like '%' || $1 || '%'",
                intent, status) == 1,
            $"an event of {intent} that is {status}");
    }

    [Fact]
    public async Task A_webhook_needs_the_signature_of_its_bytes_under_each_of_its_names()
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));
        await using var query = database.CreateCommand("select secret from sandbox_endpoint limit 1");
        var secret = (string)(await query.ExecuteScalarAsync(Token))!;
        foreach (var path in (string[])["/webhook/stripe", "/stripe/webhook", "/webhooks/stripe", "/payment-webhooks/stripe"])
        {
            var body = $$"""{"id":"evt_{{Guid.NewGuid():N}}","type":"a.type.of.tomorrow","livemode":false,"data":{"object":{} } }""";
            var signed = Sign(secret, body);

            Assert.Equal(200, (await SendAsync(path, body, signed)).Status);
            Assert.Equal(200, (await SendAsync(path, body, signed)).Status);
            (await SendAsync(path, body + " ", signed)).MustBeProblem(400, "invalid_value", "Stripe-Signature");
            Assert.Equal(400, (await SendAsync(path, body, null)).Status);
            Assert.Equal(400, (await SendAsync(path, body, Sign("", body))).Status);
            var live = body.Replace("false", "true", StringComparison.Ordinal);
            (await SendAsync(path, live, Sign(secret, live))).MustBeProblem(400, "invalid_value", "livemode");
        }

        static Task<Reply> SendAsync(string path, string body, string? signature) => Gateway.SendAsync(
            "POST", path, json: body, headers: signature is null ? [] : [("Stripe-Signature", signature)]);

        static string Sign(string secret, string body)
        {
            var at = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            var mac = System.Security.Cryptography.HMACSHA256.HashData(
                System.Text.Encoding.UTF8.GetBytes(secret), System.Text.Encoding.UTF8.GetBytes($"{at}.{body}"));
            return $"t={at},v1={Convert.ToHexStringLower(mac)}";
        }
    }

    [Fact]
    public async Task A_page_learns_what_it_needs_before_it_has_a_session_and_with_one_whose_project_it_is()
    {
        var user = await Backend.App.NewUserAsync(credit: null);

        var open = (await Gateway.SendAsync("GET", "/v1/config")).MustBe(200).Json;
        var own = (await Gateway.SendAsync("GET", "/v1/config", user.Token)).MustBe(200).Json;

        Assert.Equal(("pk_test_gateway", "USD"), (open.Text("publishableKey"), open.Text("currency")));
        Assert.True(open.GetProperty("sandbox").GetBoolean());
        Assert.Equal(JsonValueKind.Null, open.GetProperty("branding").GetProperty("name").ValueKind);
        Assert.Equal(("app", "live"), (own.GetProperty("branding").Text("name"), own.Text("mode")));
        Assert.Equal(401, (await Gateway.SendAsync("GET", "/v1/config", "es_wrong")).Status);
    }

    /// <summary>Types of what owners were told of the payments of a customer.</summary>
    static Task<string[]> ToldAsync(Purchase purchase, int count) => Eventually.GetAsync(async () =>
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("webhooks"));
        await using var query = database.CreateCommand(
            "select type from event where body like '%' || $1 || '%' and type like 'topup.%' order by sequence");
        query.Parameters.Add(new() { Value = purchase.Id });
        var types = new List<string>();
        await using var row = await query.ExecuteReaderAsync(Token);
        while (await row.ReadAsync(Token))
            types.Add(row.GetString(0));
        return types.ToArray();
    }, types => types.Length >= count, $"{count} events");
}
