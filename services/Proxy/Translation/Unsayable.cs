using System.Text.Json;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// The members that change what an answer means and that no other wire can say. They are refused by name. Every member that is neither
/// here nor translated is left out and named in <see cref="LeftOut"/>, so that a client's newest hint never stops a request.
/// </summary>
static class Unsayable
{
    /// <summary>By the member's name without underscores and case, because each wire has its own spelling.</summary>
    static readonly Dictionary<string, string> Reasons = new(StringComparer.Ordinal)
    {
        ["n"] = "only one answer can be translated",
        ["candidatecount"] = "only one answer can be translated",
        ["logprobs"] = "the probabilities of tokens are not translated",
        ["toplogprobs"] = "the probabilities of tokens are not translated",
        ["responselogprobs"] = "the probabilities of tokens are not translated",
        ["logitbias"] = "tokens have other numbers there",
        ["functions"] = "it is the older form of 'tools', use that",
        ["functioncall"] = "it is the older form of 'tools' and 'tool_choice', use those",
        ["audio"] = "sound is not translated",
        ["grammar"] = "grammars are not translated",
        ["guidedjson"] = "use 'response_format'",
        ["guidedregex"] = "grammars are not translated",
        ["guidedchoice"] = "grammars are not translated",
        ["guidedgrammar"] = "grammars are not translated",
    };

    /// <summary>Refuses a member of the table that says something, and notes any other that does.</summary>
    public static void LeaveOut(string path, string name, JsonElement value, LeftOut left)
    {
        var isDefault = value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && IsDefault(name, number);
        if (isDefault || !LeftOut.Says(value))
            return;
        if (Reasons.TryGetValue(name.Replace("_", "", StringComparison.Ordinal).ToLowerInvariant(), out var reason))
            throw Untranslatable(path, "another wire", reason);
        left.Add(name);
    }

    static bool IsDefault(string name, int number) => number == (name is "n" or "candidateCount" ? 1 : 0);
}
