using System.Net;
using System.Text;
using LlmGateway.Billing;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.Logging.Abstractions;
using Stripe;
using Xunit;
using Payment = LlmGateway.Billing.Payment;

namespace LlmGateway.UnitTests.Billing;

/// <summary>What is read of events and objects of Stripe's, whatever their version.</summary>
public sealed class StripeEventTests
{
    static readonly Payment Ours = new(
        Guid.Parse("01940000-0000-7000-8000-000000000001"), default, default, default, Guid.Parse("01940000-0000-7000-8000-000000000002"),
        Test: false, Livemode: true, 10_000_000_000, 1050, default, Payment.Open, "pi_1", default);

    static PaymentIntent Intent => new()
    {
        Id = "pi_1", Amount = 1050, AmountReceived = 1050, Currency = "usd", Livemode = true, Status = "succeeded",
        Metadata = new()
        {
            ["llmgateway_payment"] = "pay_01940000000070008000000000000001", ["llmgateway_wallet"] = "wal_01940000000070008000000000000002",
        },
    };

    /// <summary>Three API versions, an event of a connected account and a thin one: their shapes have little in common.</summary>
    [Theory]
    [InlineData(
        """
        {"id":"evt_1","object":"event","api_version":"2019-12-03","created":1575400000,"livemode":true,"type":"payment_intent.succeeded",
        "data":{"object":{"id":"pi_1","object":"payment_intent","charges":{"data":[]}}},"request":{"id":null}}
        """,
        "2019-12-03", null, "pi_1")]
    [InlineData(
        """
        {"id":"evt_1","api_version":"2024-06-20","livemode":true,"type":"charge.refunded","created":"soon",
        "data":{"object":{"id":"ch_1","object":"charge","payment_intent":{"id":"pi_1","object":"payment_intent"}}}}
        """,
        "2024-06-20", null, "pi_1")]
    [InlineData(
        """
        {"id":"evt_1","api_version":"2031-01-01.unknown","livemode":true,"type":"refund.updated","created":1e999,"new":[[]],
        "data":{"object":{"id":"re_1","object":"refund","payment_intent":"pi_1","shape":{"of":"tomorrow"}}}}
        """,
        "2031-01-01.unknown", null, "pi_1")]
    [InlineData(
        """
        {"id":"evt_1","api_version":"2017-01-27","livemode":true,"type":"account.application.deauthorized","account":"acct_1",
        "data":{"object":{"id":"ca_1","object":"application","name":"x"}}}
        """,
        "2017-01-27", "acct_1", null)]
    [InlineData(
        """{"id":"evt_1","object":"v2.core.event","livemode":true,"type":"v1.billing.meter.no_meter_found","related_object":null}""",
        null, null, null)]
    public void An_event_of_any_version_is_read_by_the_names_of_what_we_need(string json, string? version, string? account, string? intent)
    {
        var told = StripeEvent.Read(Encoding.UTF8.GetBytes(json))!;

        Assert.Equal(("evt_1", true, version, account, intent), (told.Id, told.Livemode, told.ApiVersion, told.Account, told.Intent));
    }

    /// <summary>A card that was detached is nobody's. By whose it was it is found when that one is to be forgotten.</summary>
    [Theory]
    [InlineData("""{"object":{"id":"pm_1","object":"payment_method","customer":"cus_1"}}""")]
    [InlineData("""{"object":{"id":"pm_1","object":"payment_method","customer":null},"previous_attributes":{"customer":"cus_1"}}""")]
    [InlineData("""{"object":{"id":"pm_1","customer":null},"previous_attributes":{"customer":{"id":"cus_1","object":"customer"}}}""")]
    public void An_event_says_whose_its_object_is_or_was(string data) => Assert.Equal(
        "cus_1",
        StripeEvent.Read(Encoding.UTF8.GetBytes($$"""{"id":"evt_1","type":"x","livemode":true,"data":{{data}}}"""))!.Holder);

    [Fact]
    public void At_the_start_it_is_said_which_endpoints_have_another_version_and_when_there_is_none()
    {
        var own = StripeConfiguration.ApiVersion;
        (string, string?)[] endpoints =
        [
            ("https://a.example/webhook/stripe", own), ("https://b.example/stripe/webhook", "2019-12-03"),
            ("https://c.example/webhooks/stripe/", null), ("https://shop.example/hooks", "2019-12-03"),
        ];

        Assert.Equal(
            [
                $"Stripe's endpoint https://b.example/stripe/webhook has the version 2019-12-03, and this build {own}",
                $"Stripe's endpoint https://c.example/webhooks/stripe/ has the version of the account, and this build {own}",
            ],
            EndpointVersions.Warnings("live", endpoints));
        Assert.Contains("live", Assert.Single(EndpointVersions.Warnings("live", endpoints[3..])));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{\"id\":\"evt_1\",\"type\":\"x\"}")]
    [InlineData("{\"id\":1,\"type\":\"x\",\"livemode\":true}")]
    [InlineData("{\"id\":\"evt_1\",\"type\":\"x\",\"livemode\":\"true\"}")]
    public void What_is_no_event_is_none(string json) => Assert.Null(StripeEvent.Read(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void The_intent_that_was_made_for_a_payment_is_its_own() => Intents.RequireSame(Ours, Intent);

    public static TheoryData<string, Action<PaymentIntent>> Others => new()
    {
        { "of the other mode", intent => intent.Livemode = false },
        { "its amount", intent => intent.Amount = 1051 },
        { "its currency", intent => intent.Currency = "eur" },
        { "was received", intent => intent.AmountReceived = 1049 },
        { "another payment", intent => intent.Metadata["llmgateway_payment"] = "pay_01940000000070008000000000000009" },
        { "another wallet", intent => intent.Metadata["llmgateway_wallet"] = "wal_01940000000070008000000000000009" },
        { "another payment", intent => intent.Metadata = null },
    };

    [Theory, MemberData(nameof(Others))]
    public void An_intent_that_is_another_in_anything_credits_nothing(string reason, Action<PaymentIntent> change)
    {
        var intent = Intent;
        change(intent);

        Assert.Contains(reason, Assert.Throws<NotOursException>(() => Intents.RequireSame(Ours, intent)).Message);
    }

    /// <summary>A failure of the first attempt may be told after the success of the second.</summary>
    [Fact]
    public void In_every_order_a_payment_that_was_paid_ends_paid()
    {
        string[] all = [Payment.Open, Payment.Processing, Payment.Open, Payment.Canceled, Payment.Succeeded];
        foreach (var order in Permutations(all))
            Assert.Equal(Payment.Succeeded, order.Aggregate(Payment.New, Payment.Forward));
    }

    static IEnumerable<string[]> Permutations(string[] some) => some.Length == 0 ? [[]]
        : some.SelectMany((_, i) => Permutations([.. some[..i], .. some[(i + 1)..]]), (first, rest) => (string[])[first, .. rest]);

    [Fact]
    public void What_cannot_be_handled_is_tried_for_days_with_pauses_that_double()
    {
        Assert.Equal([2, 4, 8, 16], Enumerable.Range(1, 4).Select(attempt => (int)EventWorker.PauseAfter(attempt).TotalSeconds));
        Assert.Equal(TimeSpan.FromHours(4), EventWorker.PauseAfter(EventWorker.MaxAttempts));
        var all = Enumerable.Range(1, EventWorker.MaxAttempts - 1).Select(EventWorker.PauseAfter).Aggregate((a, b) => a + b);
        Assert.InRange(all, TimeSpan.FromDays(2), TimeSpan.FromDays(4));
    }

    [Fact]
    public void What_meets_an_outage_waits_longer_each_time_and_five_minutes_at_most() => Assert.Equal(
        [5, 10, 20, 40, 300], ((int[])[1, 2, 3, 4, int.MaxValue]).Select(times => (int)EventWorker.PauseInOutage(times).TotalSeconds));

    /// <summary>Of a restricted key that lacks a permission, time heals nothing.</summary>
    [Theory]
    [InlineData(HttpStatusCode.Forbidden, false)]
    [InlineData(HttpStatusCode.Unauthorized, true)]
    [InlineData(HttpStatusCode.TooManyRequests, true)]
    [InlineData(HttpStatusCode.InternalServerError, true)]
    public async Task What_our_key_may_not_do_counts_as_tried_and_what_may_be_answered_later_does_not(HttpStatusCode status, bool isOutage)
    {
        var thrown = await Assert.ThrowsAnyAsync<ProblemException>(() => StripeErrors.CallAsync<int>(
            () => throw new StripeException(status, new StripeError { Message = "no" }, "no"), NullLogger.Instance));

        Assert.Equal((503, isOutage), (thrown.Problem.Status, EventWorker.IsOutage(thrown)));
    }
}
