using System.Buffers;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A request's body in one rented buffer, kept until the request ends. It may be sent more than once, and it is counted when usage is
/// missing.
/// </summary>
public sealed class RequestBody : IDisposable
{
    byte[]? _buffer;

    RequestBody(byte[] buffer, int length)
    {
        _buffer = buffer;
        Memory = buffer.AsMemory(0, length);
    }

    public ReadOnlyMemory<byte> Memory { get; private set; }

    /// <summary>From here on the request is this one: what the body referred to stands in it.</summary>
    public void Replace(ReadOnlyMemory<byte> whole) => Memory = whole;

    /// <summary>Throws <see cref="ProblemException"/> with 413 or 415.</summary>
    /// <param name="form">The body must be a form instead of JSON.</param>
    public static async ValueTask<RequestBody> ReadAsync(HttpContext http, bool form = false)
    {
        if (form && http.Request.ContentType?.StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase) != true)
            throw new ProblemException(Problems.NotForm);
        if (!form && !http.Request.HasJsonContentType())
            throw new ProblemException(Problems.NotJson);
        if (http.Request.ContentLength > Body.MaxBytes)
            throw new ProblemException(Problems.TooLarge(Body.MaxBytes));
        var reader = http.Request.BodyReader;
        for (; ; )
        {
            var read = await reader.ReadAsync(http.RequestAborted);
            if (read.Buffer.Length > Body.MaxBytes)
            {
                // The buffer is returned to the server, which can then read the rest.
                reader.AdvanceTo(read.Buffer.End);
                throw new ProblemException(Problems.TooLarge(Body.MaxBytes));
            }
            if (read.IsCompleted)
            {
                var length = (int)read.Buffer.Length;
                var buffer = ArrayPool<byte>.Shared.Rent(length);
                read.Buffer.CopyTo(buffer);
                reader.AdvanceTo(read.Buffer.End);
                return new(buffer, length);
            }
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer)
            ArrayPool<byte>.Shared.Return(buffer);
    }
}
