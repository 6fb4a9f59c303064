using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>What one call of an HTTP API is, once its caller and its address are known.</summary>
/// <param name="Route">The provider, with what the ledger knows the call by in the place of a model.</param>
/// <param name="Path">The path at the provider, escaped, with a slash before it, below its base address; empty for that address itself.
/// A query may follow.</param>
/// <param name="Bound">The most that it can cost.</param>
public sealed record HttpCall(Route Route, string Path, UpperBound Bound)
{
    /// <summary>Makes the meter of an answer that has begun. Null: it is one call, whatever it says.</summary>
    public Func<HttpBody, HttpResponseMessage, HttpMeter>? Meter { get; init; }

    /// <summary>What the route changes in the request's headers.</summary>
    public MessageChanges? Request { get; init; }

    /// <summary>What the route changes in the answer's headers.</summary>
    public MessageChanges? Response { get; init; }

    /// <summary>Who calls, where the provider is told.</summary>
    public CallerNames? Identity { get; init; }

    /// <summary>Its body must be known before it is sent.</summary>
    public bool ReadsBody { get; init; }

    /// <summary>What its answer is worth depends on what that says, so it must come whole.</summary>
    public bool NeedsWhole { get; init; }

    /// <summary>By these a client gets a part of what it asks for, or nothing because it has that already.</summary>
    static readonly string[] ForParts = ["Range", "If-Range", "If-None-Match", "If-Modified-Since"];

    public HttpRequestMessage Compose(HttpContext http, HttpBody body, string credential, Action moved)
    {
        var request = Route.Upstream.Request(new(http.Request.Method), Path, isOfApi: true);
        request.Content = body.NewContent(moved);
        PassedHeaders.Send(
            http.Request, request, credential,
            [
                Route.Upstream.AuthenticationHeader ?? "", .. Request?.DeleteHeaders ?? [], .. Request?.SetHeaders?.Keys ?? [],
                .. NeedsWhole && HttpMethods.IsGet(http.Request.Method) ? ForParts : [],
            ]);
        foreach (var (name, value) in (Request?.SetHeaders ?? Nothing).Where(header => IsFree(header.Key)).Concat(Identity?.Headers ?? []))
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content?.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    /// <summary>Our credential is the provider's to say.</summary>
    bool IsFree(string header) => !string.Equals(header, Route.Upstream.AuthenticationHeader, StringComparison.OrdinalIgnoreCase);

    static readonly IReadOnlyDictionary<string, string> Nothing = new Dictionary<string, string>();
}

/// <summary>A caller as providers and expressions know it.</summary>
/// <param name="User">Empty, as <paramref name="Key"/>, where nobody is known.</param>
/// <param name="Plan">Empty where the customer has none.</param>
public sealed record CallerNames(string User, string Plan, string Key)
{
    public static CallerNames Of(Credential credential) => new(
        credential.Customer is { } customer ? Ids.Show(Ids.Customer, customer) : "",
        credential.Claim?.Sources.Select(source => source.Plan?.Id).FirstOrDefault(id => id is not null) ?? "",
        credential.Customer is null ? "" : Ids.Show(credential.Kind == CredentialKind.CustomerKey ? Ids.Key : Ids.Session, credential.Id));

    public IEnumerable<KeyValuePair<string, string>> Headers => new KeyValuePair<string, string>[]
    {
        new("X-User-ID", User), new("X-Plan-ID", Plan), new("X-Key-ID", Key),
    }.Where(header => header.Value.Length > 0);
}

/// <summary>Watches an answer pass, and says what it is settled with.</summary>
public class HttpMeter : IDisposable
{
    /// <summary>What limits of requests count.</summary>
    public virtual long Requests => 1;

    public virtual void Push(ReadOnlySpan<byte> piece)
    {
    }

    /// <summary>What is delivered so far, for the journal; see <see cref="ModelCall.Checkpoint"/>.</summary>
    public virtual long DeliveredTokens => 0;

    /// <summary>The journal gets <see cref="SoFar"/> again when some time has passed, however much has come.</summary>
    public virtual bool IsWrittenByTime => false;

    /// <summary>
    /// What the call is settled with if this process dies: what has come so far, and nothing that is only guessed.
    /// </summary>
    public virtual MeterReading SoFar() => Settle(isWhole: true);

    /// <param name="isWhole">The answer has come to its end.</param>
    /// <param name="reason">Why not; see <see cref="MeterReading.Reason"/>.</param>
    /// <param name="hasLeft">The caller has got some of it and did not wait for the rest.</param>
    public virtual MeterReading Settle(bool isWhole, string? reason = null, bool hasLeft = false) =>
        new(new Usage { [Meter.Request] = 1 }, false, reason, null);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }
}
