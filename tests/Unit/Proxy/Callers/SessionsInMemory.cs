using System.Net;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>The Sessions service, as a test says, with Redis away. It counts what it is asked.</summary>
sealed class SessionsInMemory(Func<string, Task<string>> answer) : HttpMessageHandler
{
    int _asked;

    public int Asked => Volatile.Read(ref _asked);

    public SessionsClient Client(TimeProvider time) => new(
        new HttpClient(this) { BaseAddress = new("http://sessions") }, RedisInMemory.New((_, _) => throw new TimeoutException()), time);

    /// <summary>Look-ups go out in batches on a clock that nobody has to move.</summary>
    /// <param name="failures">How many unknown credentials an address may send in a minute.</param>
    public Identity Identity(TimeProvider time, int failures = 1_000) => new(
        new(), Client(TimeProvider.System), new(time), null!, new(failures, new(null), time), time);

    public static Credential Credential(Rates? rates = null, CredentialKind kind = CredentialKind.CustomerKey) => new(
        Ids.New(), kind, false, CredentialStatus.Active, Ids.New(), Ids.New(), Ids.New(), null, null, null, null, [], rates);

    public static ProjectCatalog Project(Guid id, IReadOnlyList<string>? origins = null) =>
        new(id, Ids.New(), "p", true, true, origins, [], []) { KeysInQuery = true };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _asked);
        return new(HttpStatusCode.OK)
        {
            Content = new StringContent(await answer(request.RequestUri!.AbsolutePath), Encoding.UTF8, "application/json"),
        };
    }
}
