using System.Text.Json;

namespace LlmGateway.Harness;

/// <summary>Members of JSON objects, for tests that read many.</summary>
static class Json
{
    /// <summary>A member that is a string. Tests that expect null compare with null; a missing member is an error.</summary>
    public static string Text(this JsonElement json, string name) => json.GetProperty(name).GetString()!;

    public static int Int(this JsonElement json, string name) => json.GetProperty(name).GetInt32();

    public static IEnumerable<JsonElement> Items(this JsonElement json, string name) => json.GetProperty(name).EnumerateArray();
}
