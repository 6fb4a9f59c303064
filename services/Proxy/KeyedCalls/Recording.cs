using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Passes on what is written to a caller, and keeps a copy for repetitions: at most <see cref="KeyTerms.MaxAnswerBytes"/>, and no more than
/// there is room for. Where the bound is reached the copy is dropped, and the answer goes on.
/// </summary>
public sealed class Recording(IBufferWriter<byte> toCaller, BodyBudget.Room room) : IBufferWriter<byte>
{
    /// <summary>Room is taken so much at a time, then as much again as there is.</summary>
    const int FirstRoom = 16 * 1024;

    ArrayBufferWriter<byte>? _copy = new();
    Memory<byte> _given;
    int _room;

    /// <summary>Null when it is not kept.</summary>
    public ReadOnlyMemory<byte>? Told => _copy?.WrittenMemory;

    public Memory<byte> GetMemory(int sizeHint = 0) => _given = toCaller.GetMemory(sizeHint);

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public void Advance(int count)
    {
        Copy(_given.Span[..count]);
        toCaller.Advance(count);
    }

    void Copy(ReadOnlySpan<byte> told)
    {
        if (_copy is null)
            return;
        if (HasRoom(_copy.WrittenCount + told.Length))
            _copy.Write(told);
        else
            _copy = null;
    }

    bool HasRoom(int bytes)
    {
        if (bytes > KeyTerms.MaxAnswerBytes)
            return false;
        try
        {
            for (; _room < bytes; _room += Math.Max(_room, FirstRoom))
                room.Take(Math.Max(_room, FirstRoom));
            return true;
        }
        catch (ProblemException)
        {
            return false;
        }
    }
}
