namespace LlmGateway.Sandbox;

/// <summary>
/// How a call ended. After <see cref="Aborted"/> the caller had left. After <see cref="Cut"/> the sandbox had dropped the connection on
/// purpose.
/// </summary>
public enum Outcome { Running, Completed, Aborted, Cut }

/// <summary>One inference call as the provider received it.</summary>
/// <param name="Id">Also sent as <c>x-request-id</c>.</param>
/// <param name="Tag">From <c>[[tag:NAME]]</c> in the body, or <c>tag</c> in the query.</param>
/// <param name="Query">The query with its question mark. It is empty when there is none.</param>
/// <param name="Body">The body's text, as it came.</param>
public sealed record LoggedRequest(
    string Id,
    string? Tag,
    string Path,
    string Query,
    bool HasAuthorization,
    IReadOnlyDictionary<string, string> Headers,
    string Body,
    DateTimeOffset Started)
{
    public string? Model { get; init; }

    /// <summary>True tokens of the prompt, whatever the reported usage says.</summary>
    public int TokensIn { get; init; }

    /// <summary>
    /// True tokens that were generated until the end, the cut or the moment the caller left. They are known when the call has ended.
    /// </summary>
    public int TokensOut { get; init; }

    /// <summary>HTTP status. It is 0 while none has been sent.</summary>
    public int Status { get; init; }

    public Outcome Outcome { get; init; }

    public DateTimeOffset? Finished { get; init; }
}

/// <summary>
/// The last calls, oldest first. They are at most 10 000, with at most 64 million characters of bodies. The oldest go first.
/// </summary>
public sealed class RequestLog
{
    const int MaxRequests = 10_000;
    const long MaxCharacters = 64_000_000;

    readonly Lock @lock = new();
    readonly SortedDictionary<string, LoggedRequest> requests = new(StringComparer.Ordinal);
    long sequence;
    long characters;

    /// <summary>The next request's id. Ids sort in the order of arrival.</summary>
    public string NextId() => $"req_{Interlocked.Increment(ref sequence):d12}";

    public void Add(LoggedRequest request)
    {
        lock (@lock)
        {
            requests.Add(request.Id, request);
            characters += request.Body.Length;
            while (requests.Count > MaxRequests || characters > MaxCharacters)
            {
                var oldest = requests.First().Value;
                requests.Remove(oldest.Id);
                characters -= oldest.Body.Length;
            }
        }
    }

    /// <summary>Replaces a request's entry, unless it was forgotten or cleared meanwhile.</summary>
    public void Update(LoggedRequest request)
    {
        lock (@lock)
        {
            if (requests.ContainsKey(request.Id))
            {
                requests[request.Id] = request;
            }
        }
    }

    /// <summary>The requests with a tag, or all for null.</summary>
    public IReadOnlyList<LoggedRequest> WithTag(string? tag)
    {
        lock (@lock)
        {
            return [.. requests.Values.Where(request => tag is null || request.Tag == tag)];
        }
    }

    public void Clear()
    {
        lock (@lock)
        {
            requests.Clear();
            characters = 0;
        }
    }
}
