using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Which provider takes over when another one has failed.</summary>
public sealed class RoutingTests
{
    /// <summary>What is stored may be older than the rule that all providers of a model have one type.</summary>
    [Theory]
    [InlineData("free", "again")]
    [InlineData("paid", "dear")]
    [InlineData("typed", null)]
    public void Only_a_provider_that_is_paid_alike_takes_over(string first, string? second)
    {
        var caller = Of(first, "free", "paid", "typed", "again", "dear");
        var request = Request();
        Assert.Null(Routing.TryRoute(caller, Wires.Chat, request, out var route, out var bound));
        Assert.Equal(first, route.Model.Provider);
        Assert.Equal(second, Routing.Fallback(caller, Wires.Chat, request, route, Failed)?.Model.Provider);

        // Nobody holds for what will not be asked.
        Assert.Null(Routing.TryRoute(Of(first, second is null ? [] : [second]), Wires.Chat, Request(), out _, out var least));
        Assert.Equal(least.Cost(100), bound.Cost(100));
    }

    static Problem Failed => Problems.Upstream(502, "upstream_error", "");

    static ModelRequest Request()
    {
        Assert.True(Wires.Chat.TryRead(
            """{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"one"}]}"""u8, default, out var request, out _));
        return request;
    }

    /// <param name="first">The model's first provider.</param>
    /// <param name="others">In the order in which they follow.</param>
    static Caller Of(string first, params string[] others)
    {
        ModelOffer[] offers = [.. others.Prepend(first).Distinct().Select(Offer)];
        var project = new Project(
            new(
                Ids.New(), Ids.New(), "app", true, true, [], [.. offers.Select(offer => Provider(offer.Provider))],
                [offers[0] with { Fallbacks = offers[1..] }]),
            new([new byte[32]]));
        return new(
            new(
                Ids.New(), CredentialKind.CustomerKey, false, CredentialStatus.Active, Ids.New(), Ids.New(), Ids.New(), null, null, null,
                null, [], null),
            project, "");
    }

    static ProviderConnection Provider(string id) =>
        new(id, ProviderWire.OpenAi, "https://api.example.com/v1", "none", null, [], 60, 0, "cancel", Sandbox: false)
        {
            QueryType = id switch { "free" or "again" => CallCredits.Free, "typed" => "standard", _ => null },
        };

    static ModelOffer Offer(string provider)
    {
        var price = new Rate(provider switch { "free" => 1, "again" => 2, "paid" => 3, "dear" => 4, _ => 5 } * 1_000_000_000_000);
        return new("m", "chat", provider, "m", 10_000, 1_000, null, new Prices { Input = price, Output = price });
    }
}
