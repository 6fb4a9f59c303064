using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace LlmGateway.Contracts;

/// <summary>
/// The paths that a route takes, segment by segment: words, <c>{name}</c> for one segment, and <c>{**name}</c> for all the rest, also for
/// none. An exact path has words alone, and a prefix is one with a rest behind it. So any two can be compared, and it is known whether one
/// path can belong to both.
/// </summary>
public sealed class RoutePattern
{
    public const string Exact = "exact", Prefix = "prefix", Pattern = "pattern";

    /// <summary>What is behind a prefix, by this name.</summary>
    public const string Rest = "rest";

    /// <summary>Longest text, in characters, and most segments.</summary>
    public const int MaxLength = 256, MaxSegments = 32;

    /// <summary>No semicolon: to some servers what follows it is no part of the name.</summary>
    static readonly SearchValues<char> WordCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@");

    static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

    enum Kind { End = 0, Word = 1, Name = 2, Rest = 3 }

    readonly (Kind Kind, string Text)[] _parts;

    RoutePattern((Kind, string)[] parts) => _parts = parts;

    /// <summary>Names that a rewrite may use.</summary>
    public IEnumerable<string> Names => _parts.Where(part => part.Kind is Kind.Name or Kind.Rest).Select(part => part.Text);

    /// <summary>The words that it begins with.</summary>
    public IEnumerable<string> FirstWords => _parts.TakeWhile(part => part.Kind == Kind.Word).Select(part => part.Text);

    /// <param name="match"><see cref="Exact"/>, <see cref="Prefix"/> or <see cref="Pattern"/>.</param>
    /// <param name="mistake">What is wrong with the path, to be said behind its name.</param>
    public static bool TryRead(
        string match, string path, [NotNullWhen(true)] out RoutePattern? pattern, [NotNullWhen(false)] out string? mistake)
    {
        pattern = null;
        mistake = path is not ['/', ..] || path.Length > MaxLength
            ? $"must begin with a slash and have at most {MaxLength} characters" : null;
        if (mistake is not null)
            return false;
        var parts = new List<(Kind Kind, string Text)>();
        foreach (var segment in path.TrimEnd('/').Split('/').Skip(1))
        {
            var (kind, text) = match == Pattern ? Read(segment) : (Kind.Word, segment);
            if (!IsGood(kind, text))
                mistake = $"has the segment '{segment}', which is no plain word{(match == Pattern ? " and no {{name}}" : "")}";
            else if (parts.Exists(part => part.Kind == Kind.Rest))
                mistake = "has something behind the rest";
            else if (kind != Kind.Word && parts.Exists(part => part.Kind != Kind.Word && part.Text == text))
                mistake = $"has the name '{text}' twice";
            if (mistake is not null)
                return false;
            parts.Add((kind, text));
        }
        if (match == Prefix)
            parts.Add((Kind.Rest, Rest));
        if (parts.Count > MaxSegments)
            mistake = $"has more than {MaxSegments} segments";
        pattern = mistake is null ? new([.. parts]) : null;
        return mistake is null;
    }

    static (Kind Kind, string Text) Read(string segment) => segment switch
    {
        ['{', '*', '*', .. var rest, '}'] => (Kind.Rest, rest),
        ['{', .. var name, '}'] => (Kind.Name, name),
        _ => (Kind.Word, segment),
    };

    static bool IsGood(Kind kind, string text) => text.Length > 0
        && !text.AsSpan().ContainsAnyExcept(kind == Kind.Word ? WordCharacters : NameCharacters) && text.Trim('.').Length > 0;

    /// <summary>
    /// Takes a path apart. A segment is the word that any server could take it for, or else a path in another spelling would pass by the
    /// route that is meant for it, and reach the same place by a wider one.
    /// </summary>
    /// <param name="values">What stands at the names, as it was sent.</param>
    public bool Matches(string path, [NotNullWhen(true)] out IReadOnlyDictionary<string, string>? values)
    {
        values = null;
        if (path is not ['/', ..])
            return false; // a target that is no path: "*", another host
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        var at = 0; // of the slash before the next segment
        foreach (var (kind, text) in _parts)
        {
            if (kind == Kind.Rest)
            {
                found[text] = at < path.Length ? path[(at + 1)..] : "";
                values = found;
                return true;
            }
            if (at >= path.Length)
                return false;
            var end = path.IndexOf('/', at + 1) is var slash and >= 0 ? slash : path.Length;
            var segment = path.AsSpan(at + 1, end - at - 1);
            if (segment.IsEmpty || (kind == Kind.Word && !segment.SequenceEqual(text) && !Means(segment, text)))
                return false;
            if (kind == Kind.Name)
                found[text] = segment.ToString();
            at = end;
        }
        // A slash at the end is nothing of its own.
        if (at < path.Length - 1)
            return false;
        values = found;
        return true;
    }

    /// <summary>It is the word when its escapes are decoded and its parameters are cut.</summary>
    static bool Means(ReadOnlySpan<char> segment, string word)
    {
        if (!segment.ContainsAny('%', ';'))
            return false;
        var decoded = Uri.UnescapeDataString(segment).AsSpan();
        return (decoded.IndexOf(';') is var parameters and >= 0 ? decoded[..parameters] : decoded).SequenceEqual(word);
    }

    /// <summary>The narrower one first: a word before a name, a name before a rest. Only the rest may be nothing.</summary>
    public int CompareTo(RoutePattern other)
    {
        for (var i = 0; i < Math.Max(_parts.Length, other._parts.Length); i++)
            if (KindAt(i).CompareTo(other.KindAt(i)) is var order and not 0)
                return order;
        return 0;
    }

    Kind KindAt(int i) => i < _parts.Length ? _parts[i].Kind : Kind.End;

    /// <summary>Some path belongs to both, and neither is narrower.</summary>
    public bool Ties(RoutePattern other) => CompareTo(other) == 0
        && _parts.Zip(other._parts).All(pair => pair.First.Kind != Kind.Word || pair.First.Text == pair.Second.Text);
}
