using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmGateway.Contracts.Expressions;

/// <summary>Patterns of <c>matches</c>. They do not backtrack: the time is in proportion to the text, whatever the pattern.</summary>
static partial class Patterns
{
    /// <summary>Longest pattern, and longest text that it is looked for in, in UTF-16 units.</summary>
    public const int MaxLength = 256, MaxMatched = 16 * 1024;

    /// <summary>Largest product of the numbers in braces, because <c>(a{100}){100}</c> is ten thousand letters.</summary>
    public const int MaxRepeats = 100;

    /// <summary>Ends what the other bounds let through.</summary>
    static readonly TimeSpan LongestMatch = TimeSpan.FromMilliseconds(50);

    /// <summary>Null for what is no such pattern.</summary>
    public static Regex? Read(string pattern)
    {
        if (pattern.Length > MaxLength || RepeatsOf(pattern) > MaxRepeats)
            return null;
        try
        {
            return new(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, LongestMatch);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return null;
        }
    }

    static double RepeatsOf(string pattern) => Repeats().Matches(pattern)
        .SelectMany(repeats => repeats.Value.Trim('{', '}').Split(','))
        .Where(number => number.Length > 0)
        .Select(number => Math.Max(1, double.Parse(number, CultureInfo.InvariantCulture)))
        .Aggregate(1.0, (product, number) => product * number);

    [GeneratedRegex(@"\{\d+(,\d*)?\}")]
    private static partial Regex Repeats();
}
