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

    public static Credential Credential(Rates? rates = null) => new(
        Ids.New(), CredentialKind.CustomerKey, false, CredentialStatus.Active, Ids.New(), Ids.New(), Ids.New(), null, null, null, null, [],
        rates);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _asked);
        return new(HttpStatusCode.OK)
        {
            Content = new StringContent(await answer(request.RequestUri!.AbsolutePath), Encoding.UTF8, "application/json"),
        };
    }
}
