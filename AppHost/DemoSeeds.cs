namespace LlmGateway.AppHost;

/// <summary>What a stack without a seed file offers: the demo, and beside its sandbox each vendor whose key the environment has.</summary>
public static class DemoSeeds
{
    /// <summary>The variable of a vendor's key, and its seed file's name.</summary>
    public static readonly (string Key, string Name)[] Vendors =
        [("OPENAI_API_KEY", "openai"), ("ANTHROPIC_API_KEY", "anthropic"), ("GOOGLE_API_KEY", "google")];

    /// <param name="folder">Where the seed files are.</param>
    public static string[] Paths(string folder, Func<string, string?> environment)
    {
        var vendors = Vendors.Where(vendor => !string.IsNullOrEmpty(environment(vendor.Key))).Select(vendor => vendor.Name);
        return [.. vendors.Prepend("demo").Select(name => Path.Combine(folder, $"{name}.seed.json"))];
    }
}
