using System.Net;
using System.Net.WebSockets;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http.Features;

namespace LlmGateway.Proxy;

/// <summary>
/// A WebSocket between a caller and an HTTP API, from the stage on in which a call is limited. Its caller has been identified, and may call
/// the route.
/// </summary>
public sealed class SocketCalls(
    Inference inference, Identity identity, RunningCalls runningCalls, RateLimits rateLimits, Forwarding forwarding, HttpAnswers answers,
    SpoolPublisher publisher, RequestGate gate, IHostApplicationLifetime host, LedgerClock clock, TimeProvider time,
    ILogger<SocketCalls> log)
{
    /// <summary>Most that are open at the same time. Each takes an entry of the journal, which all callers need.</summary>
    public const int PlacesOfOwner = 100, Places = 4096;

    /// <summary>Longest time without a message, and longest time altogether.</summary>
    public static readonly TimeSpan LongestSilence = TimeSpan.FromMinutes(5), Longest = TimeSpan.FromHours(4);

    /// <summary>A side that answers no ping for so long is gone.</summary>
    static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(30);

    public static readonly Problem NotRepeated = Problems.Invalid(
        Idempotency.HeaderName, $"A WebSocket cannot be repeated. Leave out '{Idempotency.HeaderName}'.");

    readonly LocalPlaces<Guid> _places = new(PlacesOfOwner, Places);

    /// <returns>Why there is none, or null when it has ended.</returns>
    public async ValueTask<Problem?> AnswerAsync(ModelCall call, HttpCall asked, string endpoint, string credential)
    {
        if (SocketHandshake.Check(call.Http.Request) is { } wrong)
            return wrong;
        using var place = _places.Take(call.Caller.Owner);
        if (place is null)
            return Problems.RateLimited(
                $"At most {PlacesOfOwner} WebSockets of one customer, and {Places} of all, are open at the same time.", 1);

        // :: 4 Limit, 5 Reserve
        if (await SocketLedger.HoldAsync(call, asked.Bound, inference, rateLimits) is { } refused)
            return refused;

        // :: 6 Forward, 7 Meter, 8 Settle, 9 Tell
        using var run = runningCalls.Start(call.Caller, call.Route.Upstream, call.Http.RequestAborted);
        try
        {
            run.LimitSilence(call.Route.Upstream.Timeout);
            var key = SocketHandshake.NewKey();
            var (response, problem) = await forwarding.SendAsync(
                call.Route.Upstream, () => asked.ComposeUpgrade(call.Http, credential, key), run.Ended);
            using (response)
            {
                if (response is null)
                    await answers.FailAsync(call, problem!);
                else if (SocketHandshake.IsTaken(call.Http.Request, response, key, out var protocol))
                    await PassAsync(call, asked, endpoint, response, protocol, run);
                else if (response.IsSuccessStatusCode || response.StatusCode == HttpStatusCode.SwitchingProtocols)
                    await answers.FailAsync(call, UpstreamErrors.Malformed);
                else
                    await answers.RefuseAsync(call, response, run.Ended);
            }
        }
        catch (Exception e) when (!call.Http.Response.HasStarted && !call.Ended)
        {
            await EndUnopenedAsync(call, run, e);
        }
        return null;
    }

    async Task PassAsync(
        ModelCall call, HttpCall asked, string endpoint, HttpResponseMessage response, string? protocol, RunningCalls.Run run)
    {
        var (http, secrets) = (call.Http, call.Route.Upstream.Secrets);
        (call.Answered, call.Stream) = (true, true);
        call.FirstByte();
        using var ledger = new SocketLedger(
            asked, endpoint, asked.Socket!(response), call, inference, identity, rateLimits, publisher, clock, time);
        using var provider = WebSocket.CreateFromStream(await response.Content.ReadAsStreamAsync(run.Ended), Options(protocol, false));
        PassedHeaders.Answer(response, http.Response, secrets, isInflated: false, asked.Response);
        http.Response.Headers["X-Request-Id"] = http.RequestId();
        http.Response.Headers["X-LLMGateway-Provider"] = call.Route.Model.Provider;
        call.TellCredit();
        SocketHandshake.Accept(http, protocol);
        var end = SocketEnd.Left;
        ledger.Open();
        try
        {
            using var caller = WebSocket.CreateFromStream(
                await http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync(), Options(protocol, true));
            var openedAt = time.GetTimestamp();
            run.LimitSilence(LongestSilence);
            using var relay = new SocketRelay(
                caller, provider, ledger, secrets, () => run.LimitSilence(LongestSilence), () => LookAsync(call, run, ledger, openedAt),
                time, log);
            end = await relay.RunAsync();
        }
        catch (IOException)
        {
            // The caller has left before it could be told that the provider is there.
        }
        finally
        {
            ledger.End(end);
        }
    }

    /// <summary>Why it must end now.</summary>
    async ValueTask<SocketEnd?> LookAsync(ModelCall call, RunningCalls.Run run, SocketLedger ledger, long openedAt)
    {
        if (run.Revoked)
            return SocketEnd.Revoked;
        if (call.Http.RequestAborted.IsCancellationRequested)
            return SocketEnd.Left;
        if (run.Ended.IsCancellationRequested)
            return SocketEnd.Idle;
        if (!gate.IsOpen || host.ApplicationStopping.IsCancellationRequested)
            return SocketEnd.Draining;
        if (time.GetElapsedTime(openedAt) >= Longest)
            return SocketEnd.TooLong;
        ledger.Note();
        return await ledger.LookAsync();
    }

    /// <summary>The caller has nothing of it, and pays nothing.</summary>
    async Task EndUnopenedAsync(ModelCall call, RunningCalls.Run run, Exception e)
    {
        var http = call.Http;
        call.Answered = false;
        if (http.RequestAborted.IsCancellationRequested || run.Revoked)
        {
            call.End(
                publisher, rateLimits, RequestOutcome.Aborted, StatusCodes.Status499ClientClosedRequest, null,
                run.Revoked ? "revoked" : "aborted");
            if (http.RequestAborted.IsCancellationRequested)
                http.Abort();
            else
                await Problems.RevokedCredential.ExecuteAsync(http);
            return;
        }
        if (e is not (IOException or HttpRequestException or OperationCanceledException or ProblemException))
            log.LogError(e, "request {RequestId} failed", http.RequestId());
        await answers.FailAsync(call, e switch
        {
            ProblemException told => told.Problem,
            OperationCanceledException => UpstreamErrors.TimedOut,
            _ => UpstreamErrors.Interrupted,
        });
    }

    static WebSocketCreationOptions Options(string? protocol, bool isServer) => new()
    {
        IsServer = isServer, SubProtocol = protocol, KeepAliveInterval = PingEvery, KeepAliveTimeout = PingEvery,
    };
}
