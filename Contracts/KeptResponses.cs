using System.Buffers.Binary;

namespace LlmGateway.Contracts;

/// <summary>
/// An answer of <c>POST /v1/responses</c> with the conversation before it, as Sessions keeps it for a customer. The proxies seal it, so its
/// owner cannot read it.
/// </summary>
/// <param name="Id">The request that made it.</param>
/// <param name="Marks">What the items in it are found by, see <see cref="KeptResponseQuestion"/>.</param>
public sealed record KeptResponse(Guid Id, IReadOnlyList<long> Marks, byte[] Sealed)
{
    /// <summary>Largest sealed conversation, in bytes.</summary>
    public const int MaxBytes = 32 * 1024 * 1024;

    /// <summary>Most marks of one conversation. Of longer ones the newest items can be referred to.</summary>
    public const int MaxMarks = 10_000;

    const int SizeOfMark = sizeof(long);

    /// <summary>The body of <c>PUT /internal/kept-responses/{customer}/{id}</c>: number of marks, marks, sealed bytes.</summary>
    public byte[] ToBody()
    {
        var body = new byte[sizeof(int) + (Marks.Count * SizeOfMark) + Sealed.Length];
        BinaryPrimitives.WriteInt32LittleEndian(body, Marks.Count);
        var rest = body.AsSpan(sizeof(int));
        foreach (var mark in Marks)
        {
            BinaryPrimitives.WriteInt64LittleEndian(rest, mark);
            rest = rest[SizeOfMark..];
        }
        Sealed.CopyTo(rest);
        return body;
    }

    /// <summary>Null when the body is not one that <see cref="ToBody"/> wrote.</summary>
    public static KeptResponse? Read(Guid id, ReadOnlySpan<byte> body)
    {
        if (body.Length < sizeof(int))
            return null;
        var count = BinaryPrimitives.ReadInt32LittleEndian(body);
        if (count is < 0 or > MaxMarks || body.Length < sizeof(int) + (count * SizeOfMark))
            return null;
        var marks = new long[count];
        for (var i = 0; i < count; i++)
            marks[i] = BinaryPrimitives.ReadInt64LittleEndian(body[(sizeof(int) + (i * SizeOfMark))..]);
        return new(id, marks, body[(sizeof(int) + (count * SizeOfMark))..].ToArray());
    }
}

/// <summary>
/// <c>POST /internal/kept-responses/{customer}/find</c>: conversations that have these items, as few as cover them, the newest first.
/// </summary>
/// <param name="Marks">Keyed hashes of the items' ids. Their ids say nothing to the owner of the table.</param>
public sealed record KeptResponseQuestion(IReadOnlyList<long> Marks)
{
    /// <summary>Most conversations in an answer. Items that are scattered over more are not found.</summary>
    public const int MaxFound = 16;
}
