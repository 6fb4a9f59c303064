using System.Diagnostics;
using System.Runtime.CompilerServices;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Stage 6: sends a request to its provider and waits for the head of the answer. A request that can cost something or make something is
/// sent again only where the provider certainly has not begun with it: nobody was reached, or the provider says that it is overloaded.
/// After any other end its outcome is unknown, and a second one would be billed, too. A <c>GET</c> or <c>HEAD</c> costs and makes nothing,
/// so it is also sent again after other failures of the provider and when the connection ended before a head came. Nothing is sent again
/// after a time-out: the caller has waited long enough.
/// </summary>
public sealed class Forwarding(HttpMessageInvoker http, ILogger<Forwarding> log)
{
    /// <summary>Most attempts per request, whatever the provider connection is configured for.</summary>
    public const int MaxAttempts = 4;

    static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// The head of the answer, with any status, or the problem. Throws <see cref="OperationCanceledException"/> when the caller left first.
    /// </summary>
    /// <param name="ended">Fires when the caller has left, or at the provider's time-out.</param>
    /// <param name="once">
    /// There is one attempt: the body comes from the caller as it is sent, so that it is there only once, or how the provider answers is
    /// what is asked.
    /// </param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<(HttpResponseMessage? Response, Problem? Problem)> SendAsync(
        Upstream upstream, Func<HttpRequestMessage> request, CancellationToken ended, bool once = false)
    {
        var attempts = once ? 1 : Math.Min(upstream.Provider.Retries + 1, MaxAttempts);
        for (var attempt = 1; ; attempt++)
        {
            HttpResponseMessage? response = null;
            var message = request();
            var isSafe = message.Method == HttpMethod.Get || message.Method == HttpMethod.Head;
            using var span = Spans.Source.StartActivity("forward", ActivityKind.Client);
            span?.SetTag("llmgateway.provider", upstream.Provider.Id).SetTag("llmgateway.attempt", attempt);
            try
            {
                response = await http.SendAsync(message, ended);
                span?.SetTag("http.response.status_code", (int)response.StatusCode);
                if (attempt == attempts || !MayTryAgain((int)response.StatusCode, isSafe))
                    return (response, null);
            }
            catch (HttpRequestException e) when (attempt == attempts || !MayTryAgain(e.HttpRequestError, isSafe))
            {
                log.LogWarning("provider {Provider} could not be reached: {Message}", upstream.Provider.Id, Reason(e));
                return (null, e is NotPublicException or { InnerException: NotPublicException }
                    ? UpstreamErrors.NotPublic
                    : UpstreamErrors.Unreachable);
            }
            catch (HttpRequestException e)
            {
                log.LogInformation("provider {Provider} failed at attempt {Attempt}: {Message}", upstream.Provider.Id, attempt, Reason(e));
            }
            response?.Dispose();
            var delay = FirstDelay * (1 << (attempt - 1));
            await Task.Delay(delay + delay * Random.Shared.NextDouble(), ended);
        }
    }

    /// <summary>
    /// The reason that is logged. An exception about an answer that is no HTTP quotes it, and the log must not have words of answers.
    /// </summary>
    static string Reason(HttpRequestException e) =>
        e.HttpRequestError == HttpRequestError.InvalidResponse ? "its answer is no HTTP" : e.Message;

    static bool MayTryAgain(int status, bool isSafe) => status is 503 or 529 || (isSafe && status is 500 or 502);

    static bool MayTryAgain(HttpRequestError error, bool isSafe) =>
        error is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
            || (isSafe && error == HttpRequestError.ResponseEnded);
}
