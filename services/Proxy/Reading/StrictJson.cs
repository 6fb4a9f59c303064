using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// One forward pass over a caller's JSON. It refuses everything that two parsers could read differently: duplicate members, invalid UTF-8,
/// lone surrogates, comments, trailing commas, a byte order mark. So the provider reads what was priced. Throws
/// <see cref="ProblemException"/>, or <see cref="JsonException"/> where the text is no JSON.
/// </summary>
public ref struct StrictJson
{
    public const int MaxDepth = 64;

    /// <summary>Most members of one object. The bound keeps the check for duplicates cheap.</summary>
    public const int MaxMembers = 4096;

    // Objects with more names than this are checked with a set.
    const int FewMembers = 32;

    // Of all objects that are open at once, in most requests.
    const int FewNames = 12;

    readonly ReadOnlySpan<byte> _json;
    readonly List<(int Start, int Length)> _names = new(FewNames);
    HashSet<string>?[]? _sets;
    FirstNames _firstNames;
    Utf8JsonReader _reader;
    int _depth;

    public StrictJson(ReadOnlySpan<byte> json)
    {
        if (!Utf8.IsValid(json))
            throw new ProblemException(Problems.Malformed("The body is not valid UTF-8."));
        _json = json;
        _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth + 1 });
    }

    public readonly JsonTokenType Token => _reader.TokenType;

    /// <summary>Offset of the current token, the opening quote of a string included.</summary>
    public readonly int Start => (int)_reader.TokenStartIndex;

    /// <summary>Offset behind the current token.</summary>
    public readonly int End => (int)_reader.BytesConsumed;

    /// <summary>The current token's characters as sent, without quotes.</summary>
    public readonly ReadOnlySpan<byte> Raw => _reader.ValueSpan;

    public readonly bool IsString(ReadOnlySpan<byte> text) => Token == JsonTokenType.String && _reader.ValueTextEquals(text);

    public readonly string GetString() => _reader.GetString()!;

    /// <summary>The text of a member that no call is refused for, whatever it is.</summary>
    public readonly string? TextOrNull() => Token == JsonTokenType.String ? GetString() : null;

    /// <summary>The text of one member of the current value, which may be anything. The value is stepped over.</summary>
    public string? MemberText(ReadOnlySpan<byte> wanted)
    {
        if (Token != JsonTokenType.StartObject)
            return null;
        string? text = null;
        ReadOnlySpan<byte> name = default;
        while (NextMember(ref name))
        {
            if (name.SequenceEqual(wanted))
                text = TextOrNull();
            Skip();
        }
        return text;
    }

    /// <summary>Steps into the body, which must be an object.</summary>
    public void OpenBody()
    {
        Step();
        if (Token != JsonTokenType.StartObject)
            throw new ProblemException(Problems.Malformed("The body must be a JSON object."));
    }

    /// <summary>
    /// Steps to the next member's value; false at the end of the object. <paramref name="name"/> has its escapes resolved.
    /// </summary>
    public bool NextMember(scoped ref ReadOnlySpan<byte> name)
    {
        Step();
        if (Token != JsonTokenType.PropertyName)
            return false;
        name = _reader.ValueIsEscaped ? Encoding.UTF8.GetBytes(GetString()) : _json.Slice(Start + 1, Raw.Length);
        Step();
        return true;
    }

    /// <summary>Steps to the next element; false at the end of the array.</summary>
    public bool NextElement()
    {
        Step();
        return Token != JsonTokenType.EndArray;
    }

    /// <summary>Steps over the rest of the current value, with every check.</summary>
    public void Skip()
    {
        if (Token is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
            return;
        for (var outside = _depth - 1; _depth > outside;)
            Step();
    }

    /// <summary>Steps to the next token. False only behind the end of the text.</summary>
    public bool Step()
    {
        if (!_reader.Read())
            return false;
        switch (Token)
        {
            case JsonTokenType.StartObject or JsonTokenType.StartArray:
                if (_depth == MaxDepth)
                    throw new ProblemException(Problems.Malformed($"The body is nested deeper than {MaxDepth} levels."));
                _firstNames[_depth++] = _names.Count;
                break;
            case JsonTokenType.EndObject or JsonTokenType.EndArray:
                _depth--;
                _names.RemoveRange(_firstNames[_depth], _names.Count - _firstNames[_depth]);
                if (_sets is not null)
                    _sets[_depth] = null;
                break;
            case JsonTokenType.PropertyName:
                RefuseLoneSurrogate();
                RefuseDuplicate();
                break;
            case JsonTokenType.String:
                RefuseLoneSurrogate();
                break;
        }
        return true;
    }

    void RefuseDuplicate()
    {
        var level = _depth - 1;
        var names = CollectionsMarshal.AsSpan(_names)[_firstNames[level]..];
        var set = _sets?[level];
        if (set is null && names.Length < FewMembers && !_reader.ValueIsEscaped)
        {
            foreach (var (start, length) in names)
                if (_json.Slice(start, length).SequenceEqual(Raw))
                    throw Twice();
            _names.Add((Start + 1, Raw.Length));
            return;
        }
        if (set is null)
        {
            set = new HashSet<string>(StringComparer.Ordinal);
            foreach (var (start, length) in names)
                set.Add(Encoding.UTF8.GetString(_json.Slice(start, length)));
            (_sets ??= new HashSet<string>?[MaxDepth])[level] = set;
        }
        if (!set.Add(GetString()))
            throw Twice();
        if (set.Count > MaxMembers)
            throw new ProblemException(Problems.Malformed($"An object in the body has more than {MaxMembers} members."));
    }

    readonly ProblemException Twice()
    {
        var name = GetString();
        return new(Problems.Malformed($"The body has the member '{Cut(name)}' twice in one object.") with { Param = Cut(name) });
    }

    /// <summary>The part of a caller's text that may stand in an answer.</summary>
    static string Cut(string text) =>
        text.Length <= 64 ? text : string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[63]) ? 63 : 64), "…");

    /// <summary>Half a character can be written only as an escape, and parsers treat it differently.</summary>
    readonly void RefuseLoneSurrogate()
    {
        if (!_reader.ValueIsEscaped)
            return;
        var afterHigh = false;
        for (var rest = Raw; ;)
        {
            var backslash = rest.IndexOf((byte)'\\');
            if (afterHigh && backslash != 0)
                break;
            if (backslash < 0)
                return;
            var escape = rest[backslash..];
            var isUnit = escape[1] == 'u';
            var unit = isUnit && Utf8Parser.TryParse(escape.Slice(2, 4), out ushort value, out _, 'X') ? (char)value : '\0';
            if (afterHigh != char.IsLowSurrogate(unit))
                break;
            afterHigh = char.IsHighSurrogate(unit);
            rest = escape[(isUnit ? 6 : 2)..];
        }
        throw new ProblemException(Problems.Malformed("A string in the body has half a surrogate pair."));
    }

    /// <summary>Where the names of each open object start in the list.</summary>
    [InlineArray(MaxDepth)]
    struct FirstNames
    {
        int _first;
    }
}
