using System.Globalization;
using System.Text;

namespace LlmGateway.Contracts.Expressions;

/// <summary>Kinds of values. They are bits, because the check keeps the kinds that a part of an expression may have.</summary>
[Flags]
public enum Kinds : byte
{
    None = 0, Null = 1, Truth = 2, Number = 4, Text = 8, Array = 16, Map = 32,

    /// <summary>What functions of texts take: they write numbers as text.</summary>
    Scalar = Null | Truth | Number | Text,
    Any = Scalar | Array | Map,
}

/// <summary>A value of the metering language. Numbers are decimal, because a sum of money or units is never a double.</summary>
public readonly struct Value
{
    readonly Kinds _kind;
    readonly decimal _number;
    readonly object? _object;

    Value(Kinds kind, decimal number, object? content)
    {
        _kind = kind;
        _number = number;
        _object = content;
    }

    public static Value Null => default;
    public static Value Of(bool truth) => new(Kinds.Truth, truth ? 1 : 0, null);
    public static Value Of(decimal number) => new(Kinds.Number, number, null);
    public static Value Of(string text) => new(Kinds.Text, 0, text);
    public static Value Of(Value[] items) => new(Kinds.Array, 0, items);
    public static Value Of(Dictionary<string, Value> members) => new(Kinds.Map, 0, members);

    /// <summary>A text as it was received. Its length is that of its bytes.</summary>
    public static Value OfBytes(ReadOnlyMemory<byte> utf8) => new(Kinds.Text, 0, new Received(utf8));

    public static Value OfTexts(IReadOnlyDictionary<string, string> texts) => new(Kinds.Map, 0, texts);

    public Kinds Kind => _kind == Kinds.None ? Kinds.Null : _kind;
    public bool IsNull => Kind == Kinds.Null;
    public bool Truth => _number != 0;
    public decimal Number => _number;
    public Value[] Items => (Value[])_object!;
    public string Text => _object as string ?? ((Received)_object!).Text;

    /// <summary>The text's bytes; encodes a text that was not received.</summary>
    public ReadOnlyMemory<byte> Utf8 => _object is Received received ? received.Bytes : Encoding.UTF8.GetBytes((string)_object!);

    /// <summary>Bytes of a received text, characters of another.</summary>
    public int TextLength
    {
        get
        {
            if (_object is Received received)
                return received.Bytes.Length;
            var length = 0;
            foreach (var _ in ((string)_object!).EnumerateRunes())
                length++;
            return length;
        }
    }

    /// <summary>What a text takes in memory at most, before it is read as text.</summary>
    public int StoredLength => _object is Received received ? received.Bytes.Length : ((string)_object!).Length;

    public int MemberCount => _object is Dictionary<string, Value> members ? members.Count : Texts.Count;

    public IEnumerable<KeyValuePair<string, Value>> Members =>
        _object is Dictionary<string, Value> members
            ? members
            : Texts.Select(member => KeyValuePair.Create(member.Key, Of(member.Value)));

    /// <summary>Null for a member that is not there.</summary>
    public Value Member(string name)
    {
        if (_object is Dictionary<string, Value> members)
            return members.GetValueOrDefault(name);
        return Texts.TryGetValue(name, out var text) ? Of(text) : Null;
    }

    public bool HasMember(string name) =>
        _object is Dictionary<string, Value> members ? members.ContainsKey(name) : Texts.ContainsKey(name);

    IReadOnlyDictionary<string, string> Texts => (IReadOnlyDictionary<string, string>)_object!;

    /// <summary>The number that a value is or that its text says. False for everything else.</summary>
    public bool TryGetNumber(out decimal number)
    {
        number = _number;
        if (Kind == Kinds.Number)
            return true;
        const NumberStyles plain = NumberStyles.Float;
        return Kind == Kinds.Text && StoredLength <= MaxNumberLength
            && decimal.TryParse(Text, plain, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>Longest text that is read as a number.</summary>
    public const int MaxNumberLength = 64;

    public static string TextOf(decimal number)
    {
        var text = number.ToString(CultureInfo.InvariantCulture);
        return text.Contains('.') ? text.TrimEnd('0').TrimEnd('.') : text;
    }

    /// <summary>How messages call a kind, with its article.</summary>
    public static string NameOf(Kinds kind)
    {
        string[] names = ["null", "a boolean", "a number", "a text", "an array", "a map"];
        return string.Join(" or ", names.Where((_, bit) => ((int)kind & (1 << bit)) != 0));
    }

    sealed class Received(ReadOnlyMemory<byte> bytes)
    {
        string? _text;
        public ReadOnlyMemory<byte> Bytes => bytes;
        public string Text => _text ??= Encoding.UTF8.GetString(bytes.Span);
    }
}
