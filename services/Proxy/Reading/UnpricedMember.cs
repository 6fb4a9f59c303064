using System.Text;
using System.Text.Json;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy;

/// <summary>A member of a request that costs money in a way that no price of ours covers; each wire has a table of them.</summary>
/// <param name="reason">Why, as in "cannot be priced: …".</param>
sealed class UnpricedMember(string name, string reason)
{
    readonly byte[] _name = Encoding.UTF8.GetBytes(name);
    readonly string _reason = reason;

    /// <summary>Refuses a member of the table unless it is null or false.</summary>
    public static void Refuse(ReadOnlySpan<byte> name, JsonTokenType value, UnpricedMember[] table)
    {
        if (value is not (JsonTokenType.Null or JsonTokenType.False) && ReasonAgainst(name, table) is { } reason)
            throw Unpriceable(Encoding.UTF8.GetString(name), reason);
    }

    public static string? ReasonAgainst(ReadOnlySpan<byte> name, UnpricedMember[] table)
    {
        foreach (var unpriced in table)
            if (name.SequenceEqual(unpriced._name))
                return unpriced._reason;
        return null;
    }

    /// <summary>
    /// Some servers match names without regard to case, the last one winning: <c>"MAX_TOKENS": 100000</c> must not undo the limit that we set.
    /// </summary>
    /// <param name="read">Members that decide the cost and are read; no other spelling of them may pass.</param>
    public static void RefuseLookAlike(ReadOnlySpan<byte> name, byte[][] read, UnpricedMember[] table)
    {
        foreach (var known in read)
            if (Ascii.EqualsIgnoreCase(name, known))
                throw Invalid(Encoding.UTF8.GetString(name), $"must be written '{Encoding.UTF8.GetString(known)}'");
        foreach (var unpriced in table)
            if (Ascii.EqualsIgnoreCase(name, unpriced._name) && !name.SequenceEqual(unpriced._name))
                throw Unpriceable(Encoding.UTF8.GetString(name), unpriced._reason);
    }
}
