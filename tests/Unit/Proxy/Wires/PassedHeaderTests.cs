using System.Reflection;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>A caller's header reaches a provider only with values that the hold has paid for; what is left out is named.</summary>
public sealed class PassedHeaderTests
{
    const string Beta = "anthropic-beta", LongContext = "context-1m-2025-08-07";

    /// <summary>Every wire that there is, so that the next one is tried, too.</summary>
    public static TheoryData<string> Names => new(AllWires.Keys);

    static readonly Dictionary<string, Wire> AllWires = typeof(Wires)
        .GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
        .Where(field => field.FieldType.IsAssignableTo(typeof(Wire)))
        .ToDictionary(field => field.Name, field => (Wire)field.GetValue(null)!);

    [Theory, MemberData(nameof(Names))]
    public void A_value_that_nobody_knows_reaches_no_provider_and_is_named(string wire)
    {
        foreach (var header in AllWires[wire].PassedHeaders)
        {
            var http = With(header.Name, "widens-2099-01-01");
            using var sent = new HttpRequestMessage();

            AllWires[wire].PassHeaders(http, sent, Offer(contextTokens: 200_000));

            Assert.Equal(header.Default is { } standard ? [standard] : [], sent.Headers.TryGetValues(header.Name, out var got) ? got : []);
            Assert.Equal($"{header.Name}=widens-2099-01-01", http.Response.Headers[Ignored.Header]);
        }
    }

    [Fact]
    public void Known_values_are_passed_on_and_the_others_are_named()
    {
        var http = With(Beta, $"interleaved-thinking-2025-05-14, {LongContext},web-fetch-2025-09-10,prompt-caching-2024-07-31");

        Assert.Equal("interleaved-thinking-2025-05-14,prompt-caching-2024-07-31", Sent(http, Offer(contextTokens: 200_000)));
        Assert.Equal($"{Beta}={LongContext}, {Beta}=web-fetch-2025-09-10", http.Response.Headers[Ignored.Header]);
    }

    [Theory]
    [InlineData(1_000_000, LongContext)]
    [InlineData(200_000, null)]
    [InlineData(0, null)]
    public void A_caller_may_read_no_more_than_the_offer_says(long contextTokens, string? passed) =>
        Assert.Equal(passed, Sent(With(Beta, LongContext), Offer(contextTokens)));

    [Fact]
    public void Without_a_known_model_the_context_is_not_widened() => Assert.Null(Sent(With(Beta, LongContext), null));

    [Fact]
    public void What_is_named_is_safe_in_a_response_and_bounded()
    {
        var http = With(Beta, string.Join(',', Enumerable.Range(0, 1_000).Select(i => $"x\u00e9;{i}{new string('y', 500)}")));

        Assert.Null(Sent(http, null));

        var named = http.Response.Headers[Ignored.Header].ToString();
        Assert.InRange(named.Length, 1, 4_000);
        Assert.All(named, letter => Assert.InRange(letter, ' ', '~'));
        Assert.StartsWith($"{Beta}=x??0y", named);
    }

    static string? Sent(HttpContext http, ModelOffer? model)
    {
        using var sent = new HttpRequestMessage();
        Wires.Messages.PassHeaders(http, sent, model);
        return sent.Headers.TryGetValues(Beta, out var values) ? string.Join(',', values) : null;
    }

    static DefaultHttpContext With(string name, string value)
    {
        var http = new DefaultHttpContext();
        http.Request.Headers[name] = value;
        return http;
    }

    static ModelOffer Offer(long contextTokens) => new("m", "chat", "p", "m", contextTokens, 0, null, null);
}
