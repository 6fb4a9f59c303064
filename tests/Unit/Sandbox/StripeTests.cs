using System.Net.Http.Headers;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <summary>The sandbox's Stripe without any package in between.</summary>
public sealed class StripeTests(Provider provider) : IClassFixture<Provider>
{
    [Fact]
    public async Task The_README_lists_every_test_card_and_its_payment_method()
    {
        var text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "services/Sandbox/README.md"));
        var cards = (await provider.GetAsync("/sandbox/stripe/cards")).Json.EnumerateArray().ToList();

        Assert.True(cards.Count > 40);
        Assert.All(cards, card => Assert.Contains(card.GetProperty("number").GetString()!, text));
        Assert.All(cards, card => Assert.Contains($"_{card.GetProperty("name").GetString()}`", text));
    }

    [Theory]
    [InlineData("sk_live_0123456789"), InlineData("rk_live_0123456789"), InlineData("pk_live_0123456789")]
    public async Task A_live_key_is_refused(string key)
    {
        var answer = await SendAsync(HttpMethod.Get, "/v1/balance", key);

        Assert.Equal(401, answer.Status);
        Assert.Contains("sandbox", answer.Json.GetProperty("error").GetProperty("message").GetString());
    }

    [Fact]
    public async Task A_call_whose_parameters_are_refused_changes_nothing()
    {
        var key = NewKey();
        var refused = await SendAsync(HttpMethod.Post, "/v1/customers", key, "name=Ann&address[planet]=Mars");

        Assert.Equal(400, refused.Status);
        Assert.Equal("address[planet]", refused.Json.GetProperty("error").GetProperty("param").GetString());
        Assert.Empty((await SendAsync(HttpMethod.Get, "/v1/customers", key)).Json.GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task A_repeated_call_gets_the_same_bytes()
    {
        var key = NewKey();
        var first = await SendAsync(HttpMethod.Post, "/v1/customers", key, "name=Ann", idempotencyKey: "one");
        var second = await SendAsync(HttpMethod.Post, "/v1/customers", key, "name=Ann", idempotencyKey: "one");

        Assert.Equal(first.Body, second.Body);
        Assert.Equal(first.Headers["Request-Id"], second.Headers["Original-Request"]);
    }

    [Fact]
    public async Task What_is_the_sandboxs_own_never_leaves_it()
    {
        var key = NewKey();
        var form = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_visa&allowed_payment_method_types[]=card"
            + "&expand[]=latest_charge.balance_transaction&expand[]=payment_method";
        var paid = await SendAsync(HttpMethod.Post, "/v1/payment_intents", key, form);
        var events = await SendAsync(HttpMethod.Get, "/v1/events", key);

        Assert.Equal("succeeded", paid.Json.GetProperty("status").GetString());
        Assert.DoesNotContain("\"_", paid.Text);
        Assert.DoesNotContain("\"_", events.Text);
        Assert.DoesNotContain("\"livemode\": true", paid.Text + events.Text);
    }

    [Fact]
    public async Task Parallel_payments_add_up_to_the_cent()
    {
        var key = NewKey();
        var form = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_bypassPending&allowed_payment_method_types[]=card";

        var paid = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SendAsync(HttpMethod.Post, "/v1/payment_intents", key, form)));

        Assert.All(paid, answer => Assert.Equal(200, answer.Status));
        var balance = (await SendAsync(HttpMethod.Get, "/v1/balance", key)).Json.GetProperty("available")[0].GetProperty("amount");
        Assert.Equal(50 * (1000 - 59), balance.GetInt64());
    }

    [Theory]
    [InlineData("/sandbox/stripe/clock", """{"seconds": -1}""")]
    [InlineData("/sandbox/stripe/webhooks", """{"repeat": 0}""")]
    [InlineData("/sandbox/stripe/webhooks", """{"unknown": 1}""")]
    [InlineData("/sandbox/stripe/webhooks", """{"hold": true, "about": ""}""")]
    [InlineData("/sandbox/stripe/faults", """{"kind": "cut-before", "about": ""}""")]
    [InlineData("/sandbox/stripe/faults", """{"kind": "earthquake"}""")]
    [InlineData("/sandbox/stripe/billing", """{"afterRetries": "forget"}""")]
    public async Task An_order_that_cannot_be_is_refused(string path, string order) =>
        Assert.Equal(400, (await provider.PostAsync($"{path}?key={NewKey()}", order)).Status);

    const string MayNotBeUsed = "It may not be used again.";

    [Fact]
    public async Task A_card_that_was_detached_pays_no_more_and_is_attached_to_nobody()
    {
        var key = NewKey();
        var (card, customer) = (await CardAsync(key), await CustomerAsync(key));
        Assert.Equal(200, (await SendAsync(HttpMethod.Post, $"/v1/payment_methods/{card}/attach", key, $"customer={customer}")).Status);
        Assert.Equal(200, (await PayAsync(key, card, $"&customer={customer}")).Status);
        Assert.Equal(200, (await PayAsync(key, card, $"&customer={customer}")).Status);
        Assert.Equal(200, (await SendAsync(HttpMethod.Post, $"/v1/payment_methods/{card}/detach", key, "")).Status);

        MustBeRefused(await PayAsync(key, card));
        MustBeRefused(await SendAsync(HttpMethod.Post, $"/v1/payment_methods/{card}/attach", key, $"customer={customer}"));
    }

    [Fact]
    public async Task A_card_that_has_paid_for_nobody_pays_once_and_one_that_was_declined_may_be_tried_again()
    {
        var key = NewKey();
        var (card, declined) = (await CardAsync(key), await CardAsync(key, "4000000000000002"));

        Assert.Equal(200, (await PayAsync(key, card)).Status);

        MustBeRefused(await PayAsync(key, card));
        MustBeRefused(await SendAsync(
            HttpMethod.Post, $"/v1/payment_methods/{card}/attach", key, $"customer={await CustomerAsync(key)}"));
        Assert.Equal(402, (await PayAsync(key, declined)).Status);
        Assert.Equal(402, (await PayAsync(key, declined)).Status);
    }

    [Fact]
    public async Task A_card_whose_customer_is_deleted_pays_no_more()
    {
        var key = NewKey();
        var (card, customer) = (await CardAsync(key), await CustomerAsync(key));
        Assert.Equal(200, (await SendAsync(HttpMethod.Post, $"/v1/payment_methods/{card}/attach", key, $"customer={customer}")).Status);
        Assert.Equal(200, (await SendAsync(HttpMethod.Delete, $"/v1/customers/{customer}", key)).Status);

        MustBeRefused(await PayAsync(key, card));
    }

    static void MustBeRefused(Provider.Arrived answer)
    {
        var error = answer.Json.GetProperty("error");
        Assert.Equal((400, "invalid_request_error"), (answer.Status, error.GetProperty("type").GetString()));
        Assert.Contains(MayNotBeUsed, error.GetProperty("message").GetString());
    }

    async Task<string> CardAsync(string key, string number = "4242424242424242") => IdOf(await SendAsync(
        HttpMethod.Post, "/v1/payment_methods", key,
        $"type=card&card[number]={number}&card[exp_month]=12&card[exp_year]=40&card[cvc]=123"));

    async Task<string> CustomerAsync(string key) => IdOf(await SendAsync(HttpMethod.Post, "/v1/customers", key, "name=Ann"));

    static string IdOf(Provider.Arrived made) => made.Json.GetProperty("id").GetString()!;

    Task<Provider.Arrived> PayAsync(string key, string card, string more = "") => SendAsync(
        HttpMethod.Post, "/v1/payment_intents", key,
        $"amount=1000&currency=usd&confirm=true&payment_method={card}&allowed_payment_method_types[]=card{more}");

    static string NewKey() => "sk_test_" + Guid.NewGuid().ToString("N");

    Task<Provider.Arrived> SendAsync(HttpMethod method, string path, string key, string? form = null, string? idempotencyKey = null)
    {
        var request = new HttpRequestMessage(method, "/stripe" + path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }
        if (form is not null)
        {
            request.Content = new StringContent(form, System.Text.Encoding.UTF8, "application/x-www-form-urlencoded");
        }
        return provider.SendAsync(request);
    }
}
