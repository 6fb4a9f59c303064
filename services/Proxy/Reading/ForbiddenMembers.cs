using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy;

/// <summary>
/// Members by which a caller would choose where a call goes, with whose key, or what else is sent there. No vendor's wire has them; servers that imitate one do (LiteLLM,
/// OpenRouter, the Vercel gateway), and CVE-2024-6587 sent LiteLLM's keys to whoever set <c>api_base</c>. They are refused on every wire, in whatever spelling.
/// </summary>
static class ForbiddenMembers
{
    /// <summary>Letters and digits of a name that are looked at; more than the longest of <see cref="Names"/> has.</summary>
    const int MaxLetters = 40;

    /// <summary>Without what the spellings differ in: case, hyphens, underscores.</summary>
    static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Names = FrozenSet.ToFrozenSet(
    [
        "apibase", "baseurl", "apikey", "apiversion", "apitype", "endpoint", "organization", "userconfig", "headers", "extraheaders", "extraquery", "extrabody",
        "provider", "providers", "provideroptions", "customllmprovider", "route", "models", "modellist", "fallbacks", "contextwindowfallbacks", "contentpolicyfallbacks",
    ]).GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Of whole families: addresses and credentials of clouds, and LiteLLM's own settings.</summary>
    static readonly string[] Beginnings = ["aws", "azure", "vertex", "litellm"];

    /// <param name="path">Of the object whose member it is, with a dot at its end; empty for the body itself.</param>
    public static void Refuse(ReadOnlySpan<byte> name, JsonTokenType value, string path = "")
    {
        if (value is not (JsonTokenType.Null or JsonTokenType.False) && IsForbidden(name))
            throw Unpriceable(path + Encoding.UTF8.GetString(name), "where a call goes, and with which key, is the project's to choose");
    }

    static bool IsForbidden(ReadOnlySpan<byte> name)
    {
        Span<char> letters = stackalloc char[MaxLetters];
        var length = 0;
        foreach (var letter in name)
        {
            if (letter is (byte)'_' or (byte)'-')
                continue;
            if (length == MaxLetters)
                break;
            letters[length++] = letter is >= (byte)'A' and <= (byte)'Z' ? (char)(letter | 0x20) : (char)letter;
        }
        ReadOnlySpan<char> plain = letters[..length];
        if (Names.Contains(plain))
            return true;
        foreach (var beginning in Beginnings)
            if (plain.StartsWith(beginning, StringComparison.Ordinal))
                return true;
        return false;
    }
}
