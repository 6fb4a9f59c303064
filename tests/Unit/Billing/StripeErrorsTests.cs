using System.Net;
using LlmGateway.Billing;
using Stripe;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>What counts as Stripe's refusal, after which money is released, and what is no answer.</summary>
public sealed class StripeErrorsTests
{
    [Theory]
    [InlineData(400, "invalid_request_error", null, true)]
    [InlineData(402, "card_error", "card_declined", true)]
    [InlineData(404, "invalid_request_error", "resource_missing", true)]
    [InlineData(403, "invalid_request_error", "account_invalid", true)]
    [InlineData(401, "invalid_request_error", null, false)]
    [InlineData(409, "invalid_request_error", "lock_timeout", false)]
    [InlineData(400, "idempotency_error", null, false)]
    [InlineData(429, "invalid_request_error", "rate_limit", false)]
    [InlineData(500, "api_error", null, false)]
    public void A_refusal_is_what_Stripe_itself_says_of_what_was_asked(int status, string type, string? code, bool isRefusal) =>
        Assert.Equal(isRefusal, StripeErrors.IsRefusal(new((HttpStatusCode)status, new() { Type = type, Code = code }, "no")));

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(502)]
    public void What_is_not_in_Stripes_form_is_no_answer_of_Stripes(int status) =>
        Assert.False(StripeErrors.IsRefusal(new((HttpStatusCode)status, null, "<html>")));
}
