using LlmGateway.Billing;
using Microsoft.AspNetCore.Builder;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>Which modes of Stripe there are follows from the keys that are set.</summary>
public sealed class StripeModesTests
{
    [Theory]
    [InlineData("Live", false)]
    [InlineData("Test", true)]
    public void A_mode_without_a_key_is_not_set_up_and_the_other_one_is(string set, bool test)
    {
        var builder = WebApplication.CreateSlimBuilder();
        var word = set.ToLowerInvariant();
        builder.Configuration[$"Stripe:{set}:SecretKey"] = $"sk_{word}_1";
        builder.Configuration[$"Stripe:{set}:PublishableKey"] = $"pk_{word}_1";
        builder.Configuration[$"Stripe:{set}:WebhookSecrets:0"] = "whsec_1";
        // What is left of a mode whose key was removed.
        builder.Configuration[$"Stripe:{(test ? "Live" : "Test")}:WebhookSecrets:0"] = "whsec_2";
        builder.Configuration[StripeModes.SandboxUrl] = "http://127.0.0.1:1";
        using var http = new HttpClient();

        var modes = StripeModes.Read(builder, http);

        var mode = Assert.Single(modes.All);
        Assert.Equal((test, !test, false), (mode.Test, mode.Livemode, mode.IsSandbox));
        Assert.Equal(["whsec_1"], mode.WebhookSecrets);
        Assert.Null(modes.Of(!test));
    }
}
