using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Proxy.Translation;

/// <summary>What a provider's wire takes as the name of a tool and as the id of a call.</summary>
/// <param name="ToolMarks">Characters of tools' names besides ASCII letters and digits.</param>
/// <param name="IdLength">Longest id.</param>
/// <param name="IdMarks">Characters of ids besides ASCII letters and digits; null when ids may have any character.</param>
/// <param name="ExactIds">Ids have exactly that length.</param>
public sealed record NameRules(string ToolMarks, int IdLength, string? IdMarks, bool ExactIds = false)
{
    /// <summary>Longest name of a tool. All wires have it.</summary>
    const int ToolLength = 64;

    /// <summary>OpenAI's chat wire refuses longer ids.</summary>
    public static readonly NameRules Chat = new("_-", 40, null);

    /// <summary>Mistral's models on the chat wire: "must be a-z, A-Z, 0-9, with a length of 9".</summary>
    public static readonly NameRules Mistral = new("_-", 9, "", ExactIds: true);

    public static readonly NameRules Responses = new("_-", 64, null);

    /// <summary>Anthropic demands <c>^[a-zA-Z0-9_-]+$</c> of ids.</summary>
    public static readonly NameRules Anthropic = new("_-", 64, "_-");

    public static readonly NameRules Gemini = new("_.:-", 256, null);

    public string ToolName(string name)
    {
        var fits = name.Length is > 0 and <= ToolLength && name.All(letter => IsOf(letter, ToolMarks))
            && (char.IsAsciiLetter(name[0]) || name[0] == '_' || this != Gemini);
        return fits ? name : Shortened(this == Gemini ? $"_{name}" : name, ToolMarks, ToolLength);
    }

    /// <param name="nth">How often the conversation had the same id before: a provider that gave one twice meant two calls.</param>
    public string CallId(string id, int nth)
    {
        var fits = nth == 0 && id.Length > 0 && id.Length <= IdLength && (!ExactIds || id.Length == IdLength)
            && (IdMarks is null || id.All(letter => IsOf(letter, IdMarks)));
        if (fits)
            return id;
        var seed = nth == 0 ? id : $"{id}#{nth}";
        return ExactIds ? HashOf(seed, IdLength) : Shortened(id, IdMarks ?? "_-", IdLength, HashOf(seed, HashLength));
    }

    /// <summary>Characters of a hash, of 62 values each: two names of one request meet by chance once in 10^11.</summary>
    const int HashLength = 8;

    /// <summary>Readable, and different for different names: the same name gives the same text at any time.</summary>
    static string Shortened(string name, string marks, int length, string? hash = null)
    {
        var text = new StringBuilder();
        foreach (var letter in name.AsSpan(0, Math.Min(name.Length, length - HashLength - 1)))
            text.Append(IsOf(letter, marks) ? letter : '_');
        return text.Append('_').Append(hash ?? HashOf(name, HashLength)).ToString();
    }

    static bool IsOf(char letter, string marks) => char.IsAsciiLetterOrDigit(letter) || marks.Contains(letter, StringComparison.Ordinal);

    static string HashOf(string text, int length)
    {
        const string Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        return string.Concat(SHA256.HashData(Encoding.UTF8.GetBytes(text)).Take(length).Select(value => Digits[value % Digits.Length]));
    }
}
