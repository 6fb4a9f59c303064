using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>What proxies are told of a model.</summary>
public sealed class ReadProjectTests
{
    static readonly Guid Project = Guid.NewGuid();

    /// <summary>A seed commits both at once, between two statements of a reader, and the question is of other projects, too.</summary>
    [Fact]
    public void A_model_whose_provider_was_added_after_providers_were_read_is_told_without_it()
    {
        var nothing = new Catalogue([], []);
        var model = new Model
        {
            ProjectId = Project, Id = "small", ContextTokens = 100, MaxOutputTokens = 10, Providers = [Offer("new", 0), Offer("old", 1)],
        };
        var old = new Provider
        {
            ProjectId = Project, Id = "old", Wire = "openai", BaseUrl = "https://a.example.com", AuthType = "none", TimeoutSeconds = 1,
            Retries = 0, OnAbort = "cancel",
        };

        var told = ReadProject.Offer(model, new() { ["old"] = old }, [], nothing);

        Assert.Equal(("old", 0), (told!.Provider, told.Fallbacks.Count));
        Assert.Null(ReadProject.Offer(model, [], [], nothing));
    }

    static ModelProvider Offer(string provider, int position) => new()
    {
        ProjectId = Project, ModelId = "small", ProviderId = provider, Position = position, UpstreamModel = "small", OwnPrices = false,
    };
}
