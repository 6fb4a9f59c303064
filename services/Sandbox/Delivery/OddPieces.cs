using System.IO.Pipelines;

namespace LlmGateway.Sandbox;

/// <summary>
/// Hands bytes to the socket in pieces that end anywhere. They end inside a UTF-8 character, a JSON token or an SSE frame, and some begin
/// in one frame and end in another. A reader that survives this does not depend on where the network happens to split.
/// </summary>
/// <param name="place">Which length comes first. It comes from the answer, so that answers are split differently but always in the same
/// way.</param>
public sealed class OddPieces(PipeWriter body, Pieces kind, int place)
{
    // The lengths fall inside every frame and cost few writes. Their sum is prime, so that the cuts move through frames of any length.
    static readonly int[] OddLengths = [1, 7, 64, 3, 310, 2, 17, 148, 5];

    byte[] rest = [];

    /// <summary>
    /// Length of the next piece of the bytes at hand. It is 0 when more are needed. Odd pieces end inside every character of several bytes.
    /// </summary>
    public static int Length(Pieces kind, int place, ReadOnlySpan<byte> atHand)
    {
        if (kind != Pieces.Odd || atHand.IsEmpty)
        {
            return kind == Pieces.Bytes ? Math.Min(1, atHand.Length) : atHand.Length;
        }
        var length = OddLengths[place % OddLengths.Length];
        // A byte from 80 to BF continues a character. A piece that ends before it has cut that character.
        var insideCharacter = 1 + atHand[1..Math.Max(1, Math.Min(length, atHand.Length))].IndexOfAnyInRange((byte)0x80, (byte)0xBF);
        return insideCharacter > 0 ? insideCharacter : length <= atHand.Length ? length : 0;
    }

    /// <summary>Writes the pieces that these bytes complete, and keeps the rest for the next call.</summary>
    public async Task WriteAsync(byte[] bytes, CancellationToken callerLeft)
    {
        byte[] pending = rest.Length == 0 ? bytes : [.. rest, .. bytes];
        var done = 0;
        for (var length = Length(kind, place, pending); length > 0; length = Length(kind, place, pending.AsSpan(done)))
        {
            await SendAsync(pending.AsMemory(done, length), callerLeft);
            done += length;
            place++;
        }
        rest = pending[done..];
    }

    /// <summary>Writes what is kept, so that nothing is late while the model makes a pause.</summary>
    public async Task FlushAsync(CancellationToken callerLeft)
    {
        if (rest.Length > 0)
        {
            await SendAsync(rest, callerLeft);
            rest = [];
        }
    }

    async Task SendAsync(ReadOnlyMemory<byte> piece, CancellationToken callerLeft)
    {
        // The server ignores writes to a caller who has left, so the generation is ended here.
        callerLeft.ThrowIfCancellationRequested();
        await body.WriteAsync(piece, callerLeft);
    }
}
