using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy;

/// <summary>
/// Members that would choose where a call goes, with which key, or what else is sent there. No vendor's wire has them, but servers that
/// imitate one do (LiteLLM, OpenRouter, the Vercel gateway). LiteLLM sent its keys to any address in <c>api_base</c> (CVE-2024-6587). They
/// are refused on every wire, in any spelling.
/// </summary>
static class ForbiddenMembers
{
    /// <summary>
    /// Most characters of a name that are compared. All of <see cref="Names"/> are shorter, so a longer name equals none of them.
    /// </summary>
    const int MaxLetters = 40;

    /// <summary>The names without the differences between spellings: case, hyphens, underscores.</summary>
    static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Names = FrozenSet.ToFrozenSet(
    [
        "apibase", "baseurl", "apikey", "apiversion", "apitype", "endpoint", "organization", "userconfig", "headers", "extraheaders",
        "extraquery", "extrabody",
        "provider", "providers", "provideroptions", "customllmprovider", "route", "models", "modellist", "fallbacks",
        "contextwindowfallbacks", "contentpolicyfallbacks",
    ]).GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Names with these beginnings are addresses and credentials of clouds, and LiteLLM's own settings.</summary>
    static readonly string[] Beginnings = ["aws", "azure", "vertex", "litellm"];

    /// <param name="path">Path of the object that has the member, with a dot at its end; empty for the body itself.</param>
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
