using System.IO.Compression;
using System.Net.Http.Headers;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A provider's answer that is compressed although the gateway never asks for that. Its bytes are of no use to a meter or to the caller, so
/// they are inflated. The result is bounded, because a few kilobytes can become gigabytes.
/// </summary>
public sealed class InflatedStream : Stream
{
    /// <summary>Most bytes that a compressed answer may become. No answer of a model is near this size.</summary>
    public const int MaxBytes = 64 * 1024 * 1024;

    readonly Stream _inflated;
    long _read;

    InflatedStream(Stream inflated) => _inflated = inflated;

    /// <summary>The body of an answer, inflated if need be.</summary>
    /// <exception cref="ProblemException">It is compressed in a way that is not known here.</exception>
    public static async ValueTask<Stream> OpenAsync(HttpResponseMessage response, CancellationToken token)
    {
        var body = await response.Content.ReadAsStreamAsync(token);
        return response.Content.Headers.NonValidated.TryGetValues("Content-Encoding", out var codings) ? Open(body, codings) : body;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int read;
        try
        {
            read = await _inflated.ReadAsync(buffer, cancellationToken);
        }
        catch (InvalidDataException e)
        {
            throw new IOException("the provider's answer is compressed, and not whole", e);
        }
        _read += read;
        return _read <= MaxBytes ? read : throw new IOException("the provider's answer is compressed, and too large when it is inflated");
    }

    public override async ValueTask DisposeAsync()
    {
        await _inflated.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _inflated.Dispose();
        base.Dispose(disposing);
    }

    static Stream Open(Stream body, HeaderStringValues codings)
    {
        // The last coding was applied last.
        foreach (var coding in codings.SelectMany(value => value.Split(',', StringSplitOptions.TrimEntries)).Reverse())
            body = coding.ToLowerInvariant() switch
            {
                "gzip" or "x-gzip" => new InflatedStream(new GZipStream(body, CompressionMode.Decompress)),
                "deflate" => new InflatedStream(new ZLibStream(body, CompressionMode.Decompress)),
                "br" => new InflatedStream(new BrotliStream(body, CompressionMode.Decompress)),
                "identity" or "" => body,
                _ => throw new ProblemException(UpstreamErrors.Malformed with
                {
                    Message = $"The provider's answer is compressed as '{coding}', which was not asked for and is not known here.",
                }),
            };
        return body;
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("answers are read asynchronously");
    public override void Flush() => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
