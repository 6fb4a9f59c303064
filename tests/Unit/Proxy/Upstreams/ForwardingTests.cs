using System.Net;
using System.Reflection;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>A provider that may have begun to work on a request bills it. Such a request is sent once, whoever sends it.</summary>
public sealed class ForwardingTests
{
    const int Retries = 1;

    static readonly HttpRequestError[] NotReached = [HttpRequestError.ConnectionError, HttpRequestError.NameResolutionError];

    static readonly string[] Safe = ["GET", "HEAD"], Methods = [.. Safe, "POST", "PUT", "PATCH", "DELETE"];

    [Fact]
    public async Task A_connection_that_breaks_is_tried_again_only_where_the_provider_cannot_have_begun()
    {
        var cases = from method in Methods from error in Enum.GetValues<HttpRequestError>() select (method, error);

        await Task.WhenAll(cases.Select(async one =>
        {
            var sent = await SentAsync(one.method, () => throw new HttpRequestException(one.error, "broken"));
            var again = NotReached.Contains(one.error) || (Safe.Contains(one.method) && one.error == HttpRequestError.ResponseEnded);
            Assert.Equal((one, again ? Retries + 1 : 1), (one, sent));
        }));
    }

    [Fact]
    public async Task An_answer_is_tried_again_only_when_it_says_that_the_provider_has_not_begun()
    {
        var cases = from method in Methods from status in Enumerable.Range(400, 200) select (method, status);

        await Task.WhenAll(cases.Select(async one =>
        {
            var sent = await SentAsync(one.method, () => new((HttpStatusCode)one.status));
            var again = one.status is 503 or 529 || (Safe.Contains(one.method) && one.status is 500 or 502);
            Assert.Equal((one, again ? Retries + 1 : 1), (one, sent));
        }));
    }

    /// <summary>The connection's guard throws, and the client puts its own exception around that.</summary>
    [Fact]
    public async Task An_address_that_is_not_public_is_told_apart_from_one_where_nobody_answers()
    {
        foreach (var (thrown, told) in ((HttpRequestException, Problem)[])
        [
            (new NotPublicException(), UpstreamErrors.NotPublic),
            (new HttpRequestException("around it", new NotPublicException()), UpstreamErrors.NotPublic),
            (new HttpRequestException(HttpRequestError.ConnectionError, "refused"), UpstreamErrors.Unreachable),
        ])
        {
            using var client = new HttpMessageInvoker(new Answering(() => throw thrown));
            var (_, problem) = await new Forwarding(client, NullLogger<Forwarding>.Instance).SendAsync(
                Provider(), () => new(HttpMethod.Get, "https://example.com/v1"), TestContext.Current.CancellationToken, once: true);
            Assert.Equal((502, "upstream_unreachable", told), (problem?.Status, problem?.Code, problem));
        }
    }

    /// <summary>Whoever calls providers does it through the one class that has the rule.</summary>
    [Fact]
    public void Nothing_in_the_proxy_sends_to_a_provider_but_Forwarding()
    {
        var holders = typeof(Forwarding).Assembly.GetTypes()
            .SelectMany(type => type.GetFields(BindingFlags.Instance | BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public))
            .Where(field => field.FieldType == typeof(HttpMessageInvoker))
            .Select(field => Outermost(field.DeclaringType!).Name);

        // ManagementCalls sends to our own services. UpstreamClient is what Forwarding sends with: the pools of connections.
        Assert.Equal([nameof(Forwarding), nameof(ManagementCalls), nameof(UpstreamClient)], holders.Distinct().Order());
    }

    static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    static Upstream Provider() => new(
        new ProviderConnection("p", ProviderWire.OpenAi, "https://example.com/v1", "none", null, [], 60, Retries, "cancel", false), []);

    static async Task<int> SentAsync(string method, Func<HttpResponseMessage> answer)
    {
        var sent = 0;
        using var client = new HttpMessageInvoker(new Answering(() =>
        {
            sent++;
            return answer();
        }));
        var forwarding = new Forwarding(client, NullLogger<Forwarding>.Instance);

        var (response, problem) = await forwarding.SendAsync(
            Provider(),
            () => new HttpRequestMessage(new HttpMethod(method), "https://example.com/v1"),
            TestContext.Current.CancellationToken);

        Assert.True(response is null ^ problem is null);
        response?.Dispose();
        return sent;
    }

    sealed class Answering(Func<HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try { return Task.FromResult(answer()); }
            catch (HttpRequestException e) { return Task.FromException<HttpResponseMessage>(e); }
        }
    }
}
