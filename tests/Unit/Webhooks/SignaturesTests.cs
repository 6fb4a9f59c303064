using System.Security.Cryptography;
using System.Text;
using LlmGateway.Webhooks;
using Microsoft.AspNetCore.Http;
using StandardWebhooks;
using StandardWebhooks.Diagnostics;
using Xunit;

namespace LlmGateway.UnitTests.Webhooks;

public sealed class SignaturesTests
{
    const string Id = "evt_1", Body = """{"id":"evt_1","name":"ü € 😀 <&'>"}""";

    static readonly string[] Secrets = [Secret(1), Secret(2), Secret(3)];

    /// <summary>A vector of the standard's own libraries.</summary>
    [Fact]
    public void The_signature_is_that_of_the_standard()
    {
        var headers = Signatures.Of(
            "msg_p5jXN8AQM9LWM0D4loKWxJek", "test", """{"test": 2432232314}""", DateTimeOffset.FromUnixTimeSeconds(1614265330),
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).ToDictionary();

        Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", headers["webhook-signature"]);
        Assert.Equal("1614265330", headers["webhook-timestamp"]);
        Assert.Equal("msg_p5jXN8AQM9LWM0D4loKWxJek", headers["webhook-id"]);
    }

    [Theory, InlineData(0), InlineData(1), InlineData(2)]
    public void Whoever_has_one_of_the_secrets_verifies_both_headers_over_the_same_bytes(int which)
    {
        var at = DateTimeOffset.UtcNow;
        var headers = Signatures.Of(Id, "wallet.credited", Body, at, Secrets).ToDictionary();
        var http = new HeaderDictionary();
        foreach (var (name, value) in headers)
            http[name] = value;
        // This library reads two signatures; the standard has no bound.
        http["webhook-signature"] = headers["webhook-signature"].Split(' ')[which];

        new StandardWebhook(Secrets[which]).Verify(Body, http);

        var own = headers["X-LLMGateway-Signature"].Split(',');
        Assert.Equal($"t={at.ToUnixTimeSeconds()}", own[0]);
        var mine = HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secrets[which]), Encoding.UTF8.GetBytes($"{at.ToUnixTimeSeconds()}.{Body}"));
        Assert.Equal($"v1={Convert.ToHexStringLower(mine)}", own[1 + which]); // the newest first
        Assert.Equal(("wallet.credited", Id), (headers["X-LLMGateway-Event"], headers["X-LLMGateway-Event-Id"]));
        Assert.Throws<WebhookVerificationException>(() => new StandardWebhook(Secret(4)).Verify(Body, http));
        Assert.Throws<WebhookVerificationException>(() => new StandardWebhook(Secrets[which]).Verify(Body + " ", http));
    }

    static string Secret(byte fill) => $"whsec_{Convert.ToBase64String(Enumerable.Repeat(fill, 32).ToArray())}";
}

static class Headers
{
    public static Dictionary<string, string> ToDictionary(this IEnumerable<(string Name, string Value)> headers) =>
        headers.ToDictionary(header => header.Name, header => header.Value);
}
