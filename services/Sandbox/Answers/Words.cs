namespace LlmGateway.Sandbox;

/// <summary>The sandbox's tokenizer. One whitespace-separated word is one token, so that every count can be checked by hand.</summary>
public static class Words
{
    /// <summary>Number of tokens in a text.</summary>
    public static int Count(ReadOnlySpan<char> text)
    {
        var count = 0;
        var inWord = false;
        foreach (var character in text)
        {
            var isSpace = char.IsWhiteSpace(character);
            if (!isSpace && !inWord)
            {
                count++;
            }
            inWord = !isSpace;
        }
        return count;
    }

    /// <summary>
    /// The tokens of a text. Each is a word with the space before it, and the last one also has the space behind it. Joined they are the
    /// text again. A text without words has no tokens.
    /// </summary>
    public static IReadOnlyList<string> Split(string text)
    {
        var tokens = new List<string>();
        var start = 0;
        var endOfLastWord = text.AsSpan().TrimEnd().Length;
        for (var i = 1; i < endOfLastWord; i++)
        {
            if (char.IsWhiteSpace(text[i]) && !char.IsWhiteSpace(text[i - 1]))
            {
                tokens.Add(text[start..i]);
                start = i;
            }
        }
        if (endOfLastWord > 0)
        {
            tokens.Add(text[start..]);
        }
        return tokens;
    }
}
