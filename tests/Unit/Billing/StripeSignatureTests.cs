using System.Security.Cryptography;
using System.Text;
using LlmGateway.Billing;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>Forgeries of what Stripe tells, each refused for a reason of its own.</summary>
public sealed class StripeSignatureTests
{
    const string Secret = "whsec_live", Old = "whsec_old", OfTest = "whsec_test";

    static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_790_000_000);

    static readonly byte[] Body =
        """{"id": "evt_1", "type": "payment_intent.succeeded", "livemode": true, "data": {"object": {}}}"""u8.ToArray();

    static readonly StripeMode[] Modes =
    [
        new(Test: false, IsSandbox: false, "pk_live_1", null!) { WebhookSecrets = [Secret, Old] },
        new(Test: true, IsSandbox: false, "pk_test_1", null!) { WebhookSecrets = [OfTest] },
    ];

    static string Mac(string secret, byte[] body, long at)
    {
        byte[] signed = [.. Encoding.UTF8.GetBytes($"{at}."), .. body];
        return Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), signed));
    }

    static string Header(string secret, byte[]? body = null, long offset = 0, string scheme = "v1")
    {
        var at = Now.ToUnixTimeSeconds() + offset;
        return $"t={at},{scheme}={Mac(secret, body ?? Body, at)}";
    }

    static bool IsTaken(string header, byte[]? body = null) => ReceiveEvent.Verify(header, body ?? Body, Modes, Now).Event is not null;

    [Fact]
    public void What_Stripe_has_signed_is_taken_with_either_secret_and_among_other_signatures()
    {
        Assert.True(IsTaken(Header(Secret)));
        Assert.True(IsTaken(Header(Old)));
        Assert.True(IsTaken($"{Header("whsec_another")},v1={Mac(Secret, Body, Now.ToUnixTimeSeconds())}"));
        Assert.True(IsTaken($"{Header(Secret)},v0={new string('0', 64)}"));
        Assert.True(IsTaken(Header(Secret, offset: -300)) && IsTaken(Header(Secret, offset: 300)));
    }

    public static TheoryData<string, string> Forgeries => new()
    {
        { "no signature", "" },
        { "signed by nobody", $"t={Now.ToUnixTimeSeconds()}" },
        { "an empty secret", Header("") },
        { "a blank secret", Header("   ") },
        { "another secret", Header("whsec_another") },
        { "the secret without its prefix", Header("live") },
        { "too old", Header(Secret, offset: -301) },
        { "of the future", Header(Secret, offset: 301) },
        { "another scheme", Header(Secret, scheme: "v0") },
        { "an unknown scheme", Header(Secret, scheme: "v2") },
        { "another body", Header(Secret, [.. Body, (byte)' ']) },
        {
            "another time than was signed",
            Header(Secret).Replace($"t={Now.ToUnixTimeSeconds()}", $"t={Now.ToUnixTimeSeconds() - 1}", StringComparison.Ordinal)
        },
        { "no time", Header(Secret)[(Header(Secret).IndexOf(',') + 1)..] },
        { "two times", $"t={Now.ToUnixTimeSeconds()},{Header(Secret)}" },
        { "a time with a sign", Header(Secret).Replace("t=", "t=+", StringComparison.Ordinal) },
        { "a time beyond all", Header(Secret).Replace($"t={Now.ToUnixTimeSeconds()}", "t=9223372036854775807", StringComparison.Ordinal) },
        { "half of it", Header(Secret)[..^32] },
        { "more than it", Header(Secret) + "00" },
        { "not hexadecimal", $"{Header(Secret)[..^1]}g" },
        { "behind a thousand others", string.Concat(Enumerable.Repeat($"v1={new string('0', 64)},", 1000)) + Header(Secret) },
        { "of the other mode", Header(OfTest) },
    };

    [Theory, MemberData(nameof(Forgeries))]
    public void Every_forgery_is_refused(string what, string header) => Assert.False(IsTaken(header), what);

    [Fact]
    public void An_altered_body_is_refused_byte_by_byte()
    {
        var header = Header(Secret);
        for (var i = 0; i < Body.Length; i++)
        {
            var altered = Body.ToArray();
            altered[i] ^= 1;
            Assert.False(IsTaken(header, altered));
        }
    }

    [Fact]
    public void An_event_of_the_other_mode_says_so_though_a_secret_of_ours_has_signed_it()
    {
        var test = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(Body).Replace("true", "false", StringComparison.Ordinal));

        Assert.Equal("livemode", ReceiveEvent.Verify(Header(Secret, test), test, Modes, Now).Problem!.Param);
        Assert.NotNull(ReceiveEvent.Verify(Header(OfTest, test), test, Modes, Now).Event);
    }

    [Fact]
    public void A_blank_secret_verifies_nothing_even_where_one_was_let_in() =>
        Assert.All(["", " ", "\t\n"], blank => Assert.False(StripeSignature.IsValid(Header(blank), Body, [blank], Now)));
}
