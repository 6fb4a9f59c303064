using System.Buffers;
using System.Text;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// The last events of a stream, which are withheld until the request is settled. The cost is then inserted at the end of the last usage
/// object. It allocates nothing before the first event is withheld.
/// </summary>
struct WithheldTail
{
    const int UsualBytes = 512;

    ArrayBufferWriter<byte>? _bytes;
    int? _costAt;
    bool _usageIsEmpty;

    public readonly int Length => _bytes?.WrittenCount ?? 0;

    /// <summary>Takes what is to be withheld.</summary>
    public IBufferWriter<byte> Writer => _bytes ??= new(UsualBytes);

    /// <summary>Marks the end of what is withheld so far as the place of the cost.</summary>
    /// <param name="before">What stands before the closing brace of the usage object.</param>
    public void MarkCost(ReadOnlySpan<byte> before)
    {
        _costAt = Length;
        _usageIsEmpty = before.TrimEnd(" \t\r\n"u8) is [.., (byte)'{'];
    }

    public readonly void WriteWithCost(IBufferWriter<byte> to, Money cost)
    {
        if (_bytes is null)
            return;
        var rest = _bytes.WrittenSpan;
        if (_costAt is { } at)
        {
            to.Write(rest[..at]);
            to.Write(_usageIsEmpty ? "\"cost\":\""u8 : ",\"cost\":\""u8);
            Span<byte> amount = stackalloc byte[32];
            to.Write(amount[..Encoding.UTF8.GetBytes(cost.ToString(), amount)]);
            to.Write("\""u8);
            rest = rest[at..];
        }
        to.Write(rest);
    }

    /// <summary>Writes what was withheld as it came, because it was not the end after all.</summary>
    public void Release(IBufferWriter<byte> to)
    {
        if (_bytes is not null)
            to.Write(_bytes.WrittenSpan);
        Clear();
    }

    public void Clear()
    {
        _bytes?.ResetWrittenCount();
        _costAt = null;
    }
}
