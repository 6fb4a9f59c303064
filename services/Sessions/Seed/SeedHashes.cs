using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Sessions;

/// <summary>
/// What seed files say of each project, as a text that is another one when they say something else, in whichever of them. Environment
/// variables are part of what they say. Who applies a project only when that has changed leaves alone what calls have changed since.
/// </summary>
public static class SeedHashes
{
    /// <param name="files">Expanded, in their order.</param>
    /// <param name="run">Another one makes all of it new.</param>
    public static IReadOnlyDictionary<(string Organization, string Project), string> Of(IEnumerable<byte[]> files, string run)
    {
        var hashes = new Dictionary<(string, string), string>();
        foreach (var file in files)
        {
            using var document = JsonDocument.Parse(file, new() { MaxDepth = SeedReader.Json.MaxDepth });
            foreach (var organization in Each(document.RootElement, "organizations"))
                foreach (var project in Each(organization, "projects"))
                {
                    var name = (Name(organization), Name(project));
                    var text = $"{hashes.GetValueOrDefault(name, run)}\n{project.GetRawText()}";
                    hashes[name] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
                }
        }
        return hashes;
    }

    /// <summary>To whom the last one is sealed: under a new key with all that is sealed, or the files would count as new.</summary>
    public static string Owner(Guid project) => $"seed:{project:N}";

    static IEnumerable<JsonElement> Each(JsonElement of, string member) =>
        of.TryGetProperty(member, out var list) && list.ValueKind == JsonValueKind.Array
            ? list.EnumerateArray()
            : Enumerable.Empty<JsonElement>();

    static string Name(JsonElement of) => of.GetProperty("name").GetString()!;
}
