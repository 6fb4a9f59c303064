using System.Buffers;
using System.Globalization;

namespace LlmGateway.Proxy;

/// <summary>A provider's whole answer in one rented buffer.</summary>
public sealed class AnswerBody : IDisposable
{
    /// <summary>Largest answer of a model. One that is no stream is read whole, so that its cost can stand in the headers.</summary>
    public const int MaxBytes = 32 * 1024 * 1024;

    const int UsualBytes = 4096;

    byte[] _buffer;
    int _length;

    AnswerBody(int bytes) => _buffer = ArrayPool<byte>.Shared.Rent(bytes);

    public ReadOnlyMemory<byte> Memory => _buffer.AsMemory(0, _length);

    /// <param name="truncate">Take only the first <paramref name="maxBytes"/> of a longer answer instead of throwing
    /// <see cref="IOException"/>.</param>
    public static async ValueTask<AnswerBody> ReadAsync(HttpResponseMessage response, int maxBytes, bool truncate, CancellationToken token)
    {
        // One byte more than announced shows the end without growing the buffer.
        var body = new AnswerBody(response.Content.Headers.ContentLength is { } length && length < maxBytes ? (int)length + 1 : UsualBytes);
        try
        {
            await using var stream = await InflatedStream.OpenAsync(response, token);
            for (int read; (read = await stream.ReadAsync(body.Free(), token)) > 0;)
            {
                body._length += read;
                if (body._length <= maxBytes)
                    continue;
                if (!truncate)
                    throw new IOException(
                        string.Create(CultureInfo.InvariantCulture, $"the provider's answer is larger than {maxBytes} bytes"));
                body._length = maxBytes;
                break;
            }
            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(Interlocked.Exchange(ref _buffer, []));

    Memory<byte> Free()
    {
        if (_length == _buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(2 * _length);
            _buffer.AsSpan().CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
        return _buffer.AsMemory(_length);
    }
}
