using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>Which providers answer for the name that a caller wrote, in which order.</summary>
public sealed class ProjectTests
{
    static readonly string[] Providers = ["openai", "azure", "local"];

    static readonly Project Project = Of(
        Offer("gpt", "openai") with { Fallbacks = [Offer("gpt", "azure", "my-deployment"), Offer("gpt", "gone"), Offer("gpt", "local")] },
        Offer("small", "local"),
        Offer("lost", "gone"));

    [Fact]
    public void A_bare_name_tries_the_providers_in_order() =>
        Assert.Equal(["openai: gpt", "azure: my-deployment", "local: gpt"], Chain(Project.Find("gpt")));

    [Theory]
    [InlineData("azure/gpt", "azure: my-deployment")]
    [InlineData("openai/gpt", "openai: gpt")]
    [InlineData("small", "local: small")]
    [InlineData("local/small", "local: small")]
    public void A_name_with_its_provider_pins_to_that_one(string name, string only) => Assert.Equal([only], Chain(Project.Find(name)));

    [Theory]
    [InlineData("GPT")]
    [InlineData("gpt ")]
    [InlineData("openai/small")]
    [InlineData("openai/../gpt")]
    [InlineData("gone/gpt")]
    [InlineData("lost")]
    [InlineData("")]
    public void Anything_else_is_unknown(string name) => Assert.Null(Project.Find(name));

    /// <summary>A fallback must not reach a provider that the credential may not use.</summary>
    [Theory]
    [InlineData("gpt", true, true)]
    [InlineData("openai/gpt", true, false)]
    [InlineData("azure/gpt", false, true)]
    [InlineData("small", false, false)]
    public void A_scope_is_asked_for_each_provider(string scope, bool first, bool second)
    {
        var route = Project.Find("gpt")!;

        Assert.Equal(first, route.IsIn([scope]));
        Assert.Equal(second, route.Next!.IsIn([scope]));
    }

    static IEnumerable<string> Chain(Route? route)
    {
        for (; route is not null; route = route.Next)
        {
            Assert.Equal(route.Model.Provider, route.Upstream.Provider.Id);
            yield return $"{route.Model.Provider}: {route.Model.UpstreamModel}";
        }
    }

    static Project Of(params ModelOffer[] models)
    {
        var envelope = new Envelope([new byte[32]]);
        var id = Guid.NewGuid();
        ProviderConnection[] providers = [.. Providers.Select(name => new ProviderConnection(
            name,
            ProviderWire.OpenAi,
            "https://api.example.com/v1",
            "bearer",
            null,
            [new(envelope.Seal("k", ProviderConnection.SecretOwner(id, name)), 1)],
            60,
            0,
            "cancel",
            Sandbox: false))];
        return new(new(id, Guid.NewGuid(), "app", true, true, [], providers, models), envelope);
    }

    static ModelOffer Offer(string id, string provider, string? upstreamModel = null) =>
        new(id, "chat", provider, upstreamModel ?? id, 1000, 100, null, null);
}
