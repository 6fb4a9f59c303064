using System.Diagnostics;
using System.Net;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Stage 6: sends a request to its provider and waits for the head of the answer. It is sent again when the provider could not be reached,
/// when the provider reported a failure of its own, and when the connection ended before a head came. In the last case the provider may
/// have done billable work. It is never sent again after a time-out, whose outcome is unknown.
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
    public async Task<(HttpResponseMessage? Response, Problem? Problem)> SendAsync(
        Upstream upstream, Func<HttpRequestMessage> request, CancellationToken ended)
    {
        var attempts = Math.Min(upstream.Provider.Retries + 1, MaxAttempts);
        for (var attempt = 1; ; attempt++)
        {
            HttpResponseMessage? response = null;
            using var span = Spans.Source.StartActivity("forward", ActivityKind.Client);
            span?.SetTag("llmgateway.provider", upstream.Provider.Id).SetTag("llmgateway.attempt", attempt);
            try
            {
                response = await http.SendAsync(request(), ended);
                span?.SetTag("http.response.status_code", (int)response.StatusCode);
                if (attempt == attempts || !MayTryAgain(response.StatusCode))
                    return (response, null);
            }
            catch (HttpRequestException e)
                when (attempt == attempts
                    || e.HttpRequestError is not (
                        HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.ResponseEnded))
            {
                log.LogWarning("provider {Provider} could not be reached: {Message}", upstream.Provider.Id, Reason(e));
                return (null, Problems.Upstream(502, "upstream_unreachable", "The provider could not be reached."));
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

    static bool MayTryAgain(HttpStatusCode status) =>
        status is HttpStatusCode.InternalServerError or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
            || (int)status == 529;
}
