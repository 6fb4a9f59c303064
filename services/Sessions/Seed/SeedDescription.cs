using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>A project as a seed file has it, without its customers: what the writers would write to make it as it is.</summary>
public static partial class SeedDescription
{
    [GeneratedRegex("[^A-Z0-9]+")]
    private static partial Regex NotOfNames { get; }

    public static async Task<JsonObject> ReadAsync(SessionsDb db, Project project, DateTimeOffset now, CancellationToken token)
    {
        var keys = await db.SecretKeys
            .Where(key => key.ProjectId == project.Id && key.Test == project.Test && key.RevokedAt == null
                && (key.ExpiresAt == null || key.ExpiresAt > now))
            .OrderBy(key => key.Name).ThenBy(key => key.Id).ToListAsync(token);
        var providers = await db.Providers.Include(provider => provider.Keys).Where(provider => provider.ProjectId == project.Id)
            .OrderBy(provider => provider.Id).ToListAsync(token);
        var models = await ListModels.Of(db, project.Id).ToListAsync(token);
        var prices = ReadProject.ByOffer(await db.CurrentPricesAsync([project.Id], token));
        var plans = await db.Plans.Where(plan => plan.ProjectId == project.Id).OrderBy(plan => plan.Id).ToListAsync(token);
        var routes = await db.ProjectRoutes.Where(route => route.ProjectId == project.Id).OrderBy(route => route.Id).ToListAsync(token);
        var names = Distinct(keys.Select(key => key.Name));
        var described = Of(ProjectWriter.Describe(project) with
        {
            SecretKeys = [.. keys.Select((key, i) => new SeedSecretKey(names[i], null, key.Permissions, key.ExpiresAt))],
            Providers = providers.ConvertAll(ProviderWriter.Describe),
            Models = models.ConvertAll(model => ModelWriter.Describe(model, prices)),
            Routes = routes.ConvertAll(RouteWriter.Read),
            Plans = plans.ConvertAll(PlanWriter.Describe),
        });
        PutVariables(described["providers"]!.AsArray());
        return described;
    }

    /// <summary>As JSON in which nothing but what is put in later is a variable.</summary>
    public static JsonObject Of<T>(T part) =>
        Literal(JsonSerializer.SerializeToNode(part, SeedPart.Shown))!.AsObject();

    static JsonNode? Literal(JsonNode? node) => node switch
    {
        JsonObject members => new JsonObject(members.Select(member => KeyValuePair.Create(member.Key, Literal(member.Value)))),
        JsonArray items => new JsonArray([.. items.Select(Literal)]),
        JsonValue value when value.GetValueKind() == JsonValueKind.String => SeedReader.Literal(value.GetValue<string>()),
        _ => node?.DeepClone(),
    };

    /// <summary>Keys may have the same name, and in a file they may not.</summary>
    public static List<string> Distinct(IEnumerable<string> names)
    {
        const int room = 8; // for what is added
        var given = names.ToList();
        var taken = new HashSet<string>(StringComparer.Ordinal);
        return given.ConvertAll(name =>
        {
            var other = name;
            for (var i = 2; taken.Contains(other) || (other != name && given.Contains(other)); i++)
                other = $"{name[..Math.Min(name.Length, Fields.MaxText - room)]} ({i})";
            taken.Add(other);
            return other;
        });
    }

    /// <summary>A variable for each secret: <c>${PROVIDER_OPENAI_KEY}</c>, with numbers where there are several.</summary>
    static void PutVariables(JsonArray providers)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        foreach (var provider in providers)
        {
            if ((string?)provider!["auth"]!["type"] == "none")
                continue;
            var name = $"PROVIDER_{NotOfNames.Replace(((string)provider["id"]!).ToUpperInvariant(), "_")}_KEY";
            if (provider["keys"] is not JsonArray keys)
                provider["auth"]!["value"] = Variable(name);
            else
                foreach (var (i, key) in keys.Index())
                    key!["value"] = Variable($"{name}_{i + 1}");
        }

        string Variable(string name)
        {
            var other = name;
            for (var i = 2; !taken.Add(other); i++)
                other = $"{name}_{i}";
            return $"${{{other}}}";
        }
    }
}
