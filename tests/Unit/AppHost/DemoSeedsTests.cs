using LlmGateway.AppHost;
using LlmGateway.Sessions;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.AppHost;

/// <summary>What <c>./dev run</c> offers: the demo, and the vendors whose keys are in the environment.</summary>
public sealed class DemoSeedsTests
{
    static readonly IReadOnlyList<CatalogueEntry> Known = CuratedModels.Read();

    public static TheoryData<string, string> Vendors
    {
        get
        {
            var vendors = new TheoryData<string, string>();
            foreach (var (key, seed) in DemoSeeds.Vendors)
                vendors.Add(key, seed);
            return vendors;
        }
    }

    [Fact]
    public void Without_a_key_there_is_the_demo_alone() => Assert.Equal("demo.seed.json", Path.GetFileName(Assert.Single(Paths(_ => ""))));

    [Theory, MemberData(nameof(Vendors))]
    public void A_key_brings_its_vendor_into_the_demo_s_project_and_no_other(string key, string vendor)
    {
        string? Environment(string name) => name == key ? "sk-of-the-vendor" : name == "SANDBOX_URL" ? "http://127.0.0.1:4020" : null;

        var paths = Paths(Environment);
        var seeds = SeedReader.ReadAll(string.Join(':', paths), Environment).Select(seed => seed.File.Organizations.Single()).ToArray();

        Assert.Equal(["demo.seed.json", $"{vendor}.seed.json"], paths.Select(Path.GetFileName));
        Assert.Equal(seeds[0].Name, seeds[1].Name);
        var (demo, project) = (seeds[0].Projects!.Single(), seeds[1].Projects!.Single());
        Assert.Equal(demo.Name, project.Name);
        var provider = Assert.Single(project.Providers!);
        Assert.Equal("sk-of-the-vendor", Assert.Single(provider.Secrets).Value);
        Assert.NotEqual("none", provider.Authentication.Type);
        Assert.Empty(project.Models!.Select(model => model.Id).Intersect(demo.Models!.Select(model => model.Id)));
        Assert.All(project.Models!, model => Assert.True(IsKnown(provider, model), $"the catalogue does not know {model.Id}"));
    }

    [Fact]
    public void With_all_keys_no_model_stands_twice()
    {
        var models = SeedReader.ReadAll(string.Join(':', Paths(Same)), Same)
            .SelectMany(seed => seed.File.Organizations[0].Projects![0].Models!)
            .Select(model => model.Id)
            .ToArray();

        Assert.Equal(models.Distinct(), models);
        static string Same(string _) => "http://127.0.0.1";
    }

    static string[] Paths(Func<string, string?> environment) =>
        DemoSeeds.Paths(Path.Combine(ArchitectureTests.Repository, "AppHost"), environment);

    /// <summary>Whether the catalogue says what the seed leaves open, as <see cref="Catalogue.Find"/> looks it up.</summary>
    static bool IsKnown(SeedProvider provider, SeedModel model) =>
        model is { Prices: null, ContextTokens: null, MaxOutputTokens: null } && model.Offers.All(offer =>
            Catalogue.Vendors(provider.Id, provider.Wire)
                .Any(vendor => Known.Any(entry => (entry.Vendor, entry.Id) == (vendor, offer.UpstreamModel))));
}
