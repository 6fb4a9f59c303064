using System.Buffers;
using System.IO.Pipelines;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A request's body in one rented buffer, kept until the request ends. It may be sent more than once, and it is counted when usage is
/// missing.
/// </summary>
public sealed class RequestBody : IDisposable
{
    /// <summary>
    /// How long a body that is not small may take: this, and a second for so many bytes. The server's own limit is a rate since the
    /// beginning, so a fast start would let the rest take a day.
    /// </summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    const int SlowestBytesPerSecond = 64 * 1024;

    readonly BodyBudget _budget;
    readonly Guid _owner;
    BodyBudget.Share? _share;
    byte[] _buffer = [];
    int _length, _counted;
    bool _isRented;

    /// <summary>Longest time in which so many bytes of a body may come.</summary>
    public static TimeSpan LongestTime(long bytes) => Patience + TimeSpan.FromSeconds(bytes / SlowestBytesPerSecond);

    RequestBody(BodyBudget budget, Guid owner, long? length) => (_budget, _owner, _share) = (budget, owner, budget.Open(owner, length));

    public ReadOnlyMemory<byte> Memory => _buffer.AsMemory(0, _length);

    /// <summary>From here on the request is this one: what the body referred to stands in it.</summary>
    /// <exception cref="ProblemException">It is larger than there is room for.</exception>
    public void Replace(byte[] whole)
    {
        // A small body is nobody's. What it refers to may be large, so it is counted for its owner.
        var share = _budget.Open(_owner, whole.Length);
        var problem = share.Take(whole.Length);
        _share!.Close(_counted);
        (_share, _counted) = (share, problem is null ? whole.Length : 0);
        if (problem is not null)
            throw new ProblemException(problem);
        GiveBack();
        (_buffer, _length, _isRented) = (whole, whole.Length, false);
    }

    /// <summary>Throws <see cref="ProblemException"/> with 413, 415, or what <see cref="BodyBudget"/> says.</summary>
    /// <param name="owner">Whose body it is, see <see cref="Caller.Owner"/>.</param>
    /// <param name="form">The body must be a form instead of JSON.</param>
    public static async ValueTask<RequestBody> ReadAsync(HttpContext http, BodyBudget budget, Guid owner, bool form = false)
    {
        if (form && http.Request.ContentType?.StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase) != true)
            throw new ProblemException(Problems.NotForm);
        if (!form && !http.Request.HasJsonContentType())
            throw new ProblemException(Problems.NotJson);
        return await ReadAnyAsync(http, budget, owner);
    }

    /// <summary>A body of any type, also of none. Throws <see cref="ProblemException"/> with 413, or what <see cref="BodyBudget"/> says.
    /// </summary>
    public static async ValueTask<RequestBody> ReadAnyAsync(HttpContext http, BodyBudget budget, Guid owner)
    {
        if (http.Request.ContentLength > Body.MaxBytes)
            throw new ProblemException(Problems.TooLarge(Body.MaxBytes));
        var body = new RequestBody(budget, owner, http.Request.ContentLength);
        try
        {
            if (body._share!.Check(http.Request.ContentLength ?? 0) is { } problem)
                throw new ProblemException(problem);
            if (http.Request.ContentLength <= BodyBudget.Small)
                await body.FillAsync(http.Request.BodyReader, http.RequestAborted);
            else
                await body.FillInTimeAsync(http);
            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    async Task FillInTimeAsync(HttpContext http)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        end.CancelAfter(LongestTime(http.Request.ContentLength ?? Body.MaxBytes));
        try
        {
            await FillAsync(http.Request.BodyReader, end.Token);
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            throw new ProblemException(Problems.BodyTooSlow);
        }
    }

    async ValueTask FillAsync(PipeReader reader, CancellationToken token)
    {
        while (!Take(reader, await reader.ReadAsync(token)))
        {
        }
    }

    /// <returns>False while more is to come.</returns>
    bool Take(PipeReader reader, ReadResult read)
    {
        var problem = read.Buffer.Length > Body.MaxBytes ? Problems.TooLarge(Body.MaxBytes) : CountUpTo(read.Buffer.Length);
        if (problem is not null)
        {
            // The buffer is returned to the server, which can then read the rest.
            reader.AdvanceTo(read.Buffer.End);
            throw new ProblemException(problem);
        }
        if (read.IsCompleted)
        {
            _length = (int)read.Buffer.Length;
            (_buffer, _isRented) = (ArrayPool<byte>.Shared.Rent(_length), _length > 0);
            read.Buffer.CopyTo(_buffer);
        }
        reader.AdvanceTo(read.IsCompleted ? read.Buffer.End : read.Buffer.Start, read.Buffer.End);
        return read.IsCompleted;
    }

    Problem? CountUpTo(long bytes)
    {
        if (bytes <= _counted)
            return null;
        if (_share!.Take(bytes - _counted) is { } problem)
            return problem;
        _counted = (int)bytes;
        return null;
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _share, null) is not { } share)
            return;
        share.Close(_counted);
        GiveBack();
    }

    void GiveBack()
    {
        if (_isRented)
            ArrayPool<byte>.Shared.Return(_buffer);
        _isRented = false;
    }
}
