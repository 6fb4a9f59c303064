using System.Buffers.Binary;

namespace LlmGateway.Contracts;

/// <summary>
/// An answer of <c>POST /v1/responses</c> with the conversation before it, as Sessions keeps it for a customer. The proxies seal it, so its
/// owner cannot read it.
/// </summary>
/// <param name="Id">The request that made it.</param>
/// <param name="PlainBytes">Length of the conversation's JSON. Sealed it may be a thousandth of that.</param>
/// <param name="Marks">What the items in it are found by, see <see cref="KeptResponseQuestion"/>.</param>
public sealed record KeptResponse(Guid Id, int PlainBytes, IReadOnlyList<long> Marks, byte[] Sealed)
{
    /// <summary>
    /// Largest conversation, in bytes of its JSON, and most of all conversations that one request refers to. It is the bound of a request's
    /// body: what is larger could not be continued.
    /// </summary>
    public const int MaxBytes = 20 * 1024 * 1024;

    /// <summary>Most marks of one conversation. Of longer ones the newest items can be referred to.</summary>
    public const int MaxMarks = 10_000;

    const int SizeOfMark = sizeof(long), SizeOfHead = 2 * sizeof(int);

    /// <summary>The body of <c>PUT /internal/kept-responses/{customer}/{id}</c>: plain length, number of marks, marks, sealed.</summary>
    public byte[] ToBody()
    {
        var body = new byte[SizeOfHead + (Marks.Count * SizeOfMark) + Sealed.Length];
        BinaryPrimitives.WriteInt32LittleEndian(body, PlainBytes);
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(sizeof(int)), Marks.Count);
        var rest = body.AsSpan(SizeOfHead);
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
        if (body.Length < SizeOfHead)
            return null;
        var plain = BinaryPrimitives.ReadInt32LittleEndian(body);
        var count = BinaryPrimitives.ReadInt32LittleEndian(body[sizeof(int)..]);
        if (plain is < 0 or > MaxBytes || count is < 0 or > MaxMarks || body.Length < SizeOfHead + (count * SizeOfMark))
            return null;
        var marks = new long[count];
        for (var i = 0; i < count; i++)
            marks[i] = BinaryPrimitives.ReadInt64LittleEndian(body[(SizeOfHead + (i * SizeOfMark))..]);
        return new(id, plain, marks, body[(SizeOfHead + (count * SizeOfMark))..].ToArray());
    }
}

/// <summary>
/// <c>POST /internal/kept-responses/{customer}/find</c>: a conversation, and those that have the items which are not in it, as few as cover
/// them, the newest first. 413 when that is more than <see cref="MaxFound"/> or <see cref="KeptResponse.MaxBytes"/>.
/// </summary>
/// <param name="Id">Null when no conversation is asked for by its id.</param>
/// <param name="Marks">Keyed hashes of the items' ids. Their ids say nothing to the owner of the table.</param>
public sealed record KeptResponseQuestion(Guid? Id, IReadOnlyList<long> Marks)
{
    /// <summary>Most conversations in an answer.</summary>
    public const int MaxFound = 16;
}

/// <summary>What is found. It is fetched by its id, by a caller that has room for it.</summary>
public sealed record FoundResponse(Guid Id, int PlainBytes);
