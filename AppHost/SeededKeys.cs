using System.Text.Json.Nodes;

namespace LlmGateway.AppHost;

/// <summary>What a user needs for a first call, of the projects that the seeds describe: a key of each kind, and the models.</summary>
/// <param name="Backend">Null when the seeds have none, or have it from a variable.</param>
/// <param name="Customer">As the other one.</param>
public sealed record SeededKeys(string? Backend, string? Customer, IReadOnlyList<string> Models)
{
    /// <param name="seeds">Seed files.</param>
    /// <param name="made">The file with the keys that Sessions made for seeds without one; there may be none.</param>
    public static SeededKeys Read(IEnumerable<string> seeds, string made)
    {
        var kept = File.Exists(made) ? JsonNode.Parse(File.ReadAllText(made)) : null;
        var projects = seeds.Select(seed => JsonNode.Parse(File.ReadAllText(seed)))
            .SelectMany(seed => Each(seed, "organizations")).SelectMany(organization => Each(organization, "projects")).ToList();
        var backend = projects.SelectMany(project => Each(project, "secretKeys").Select(key => Key(key, $"{project["name"]}")));
        var customer = projects.SelectMany(project => Each(project, "customers").SelectMany(customer =>
            Each(customer, "keys").Select(key => Key(key, $"{project["name"]}/{customer["externalId"]}"))));
        var models = projects.SelectMany(project => Each(project, "models")).Select(model => (string?)model["id"]).OfType<string>();
        return new(backend.OfType<string>().FirstOrDefault(), customer.OfType<string>().FirstOrDefault(), [.. models]);

        // As it stands, so that what is printed can be pasted. What comes from a variable its user has.
        string? Key(JsonNode key, string owner) => (string?)key["key"] is { } literal
            ? literal.Contains("${", StringComparison.Ordinal) ? null : literal
            : (string?)kept?[$"{owner}/{key["name"]}"];
    }

    /// <summary>For shells.</summary>
    public string Variables => Variable("CUSTOMER_KEY", Customer) + Variable("BACKEND_KEY", Backend);

    static string Variable(string name, string? key) => key is null ? "" : $"export {name}='{key}'\n";

    static IEnumerable<JsonNode> Each(JsonNode? parent, string name) => (parent?[name] as JsonArray ?? []).OfType<JsonNode>();
}
