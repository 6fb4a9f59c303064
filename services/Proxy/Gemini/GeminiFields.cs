using System.Text;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// The members of one object of the Gemini wire that decide the cost of a request. Google reads each in two spellings,
/// <c>maxOutputTokens</c> and <c>max_output_tokens</c>. Servers that imitate it may read others, so any third spelling of a known name is
/// refused.
/// </summary>
sealed class GeminiFields(params GeminiField[] fields)
{
    /// <summary>The field that a name stands for in any spelling; null when it is none of these.</summary>
    public GeminiField? Find(ReadOnlySpan<byte> name)
    {
        foreach (var field in fields)
            if (name.SequenceEqual(field.Camel) || IsSame(name, field.Camel))
                return field;
        return null;
    }

    /// <summary>The field's bit in the set of fields seen in an object. It reveals two spellings of one field.</summary>
    public ulong BitOf(GeminiField field) => 1UL << Array.IndexOf(fields, field);

    /// <summary>Turns <c>max_output_tokens</c> into <c>maxOutputTokens</c>; other names stay.</summary>
    public static string CamelOf(string name)
    {
        if (!name.Contains('_', StringComparison.Ordinal))
            return name;
        var camel = new StringBuilder(name.Length);
        for (var i = 0; i < name.Length; i++)
            camel.Append(name[i] == '_' && i + 1 < name.Length ? char.ToUpperInvariant(name[++i]) : name[i]);
        return camel.ToString();
    }

    static bool IsSame(ReadOnlySpan<byte> name, ReadOnlySpan<byte> camel)
    {
        var at = 0;
        foreach (var letter in name)
        {
            if (letter == '_')
                continue;
            if (at == camel.Length || (letter | 0x20) != (camel[at] | 0x20))
                return false;
            at++;
        }
        return at == camel.Length;
    }
}

/// <param name="name">The name in camel case.</param>
/// <param name="unpriced">The reason why no price covers the member. Such members are refused unless they are null or false.</param>
sealed class GeminiField(string name, string? unpriced = null)
{
    public readonly string Name = name;
    public readonly string? Unpriced = unpriced;
    public readonly byte[] Camel = Encoding.UTF8.GetBytes(name);
    readonly byte[] _snake = Encoding.UTF8.GetBytes(
        string.Concat(name.Select(letter => char.IsUpper(letter) ? $"_{char.ToLowerInvariant(letter)}" : letter.ToString())));

    /// <summary>True for the two spellings that Google reads.</summary>
    public bool IsSpelt(ReadOnlySpan<byte> text) => text.SequenceEqual(Camel) || text.SequenceEqual(_snake);
}
