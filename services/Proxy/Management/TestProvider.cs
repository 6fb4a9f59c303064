using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// <c>POST /v1/providers/{id}/test</c> → 200 <c>{ok, status, error, latencyMs}</c>: asks the provider for its list of models, with a key of
/// its connection and as calls reach it. Another API is asked for its base address, where it need not have anything: it is well when it
/// answers and takes the key. What is answered beside the status is shown to nobody.
/// </summary>
public sealed class TestProvider(Identity identity, KeyUse keys, ManagementRates rates, Forwarding forwarding, TimeProvider time)
{
    const string Route = "/v1/providers/{id}/test";

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <param name="Status">Null when there was no answer.</param>
    /// <param name="Error">
    /// <c>refused</c> where the credentials are not accepted, <c>failed</c> for another answer, <c>timeout</c>, <c>not_public</c> or
    /// <c>unreachable</c>; null where all is well.
    /// </param>
    public sealed record Result(bool Ok, int? Status, string? Error, long LatencyMs);

    public static void Map(WebApplication app) =>
        app.MapPost(Route, (string id, HttpContext http, TestProvider test) => test.RunAsync(id, http));

    async Task<IResult> RunAsync(string id, HttpContext http)
    {
        var (caller, problem) = await identity.IdentifyAsync(http);
        problem ??= rates.Take(caller!.Credential);
        if (problem is not null)
            return problem;
        keys.Record(caller!.Credential);
        if (caller.Credential.Kind is not (CredentialKind.SecretKey or CredentialKind.Member))
            return Problems.WrongCredential("a secret key (sk_…)");
        if (Permissions.Lacking($"POST {Route}", Principal.Of(caller.Credential)) is { } lacking)
            return Problems.InsufficientPermission(lacking);
        if (caller.Project.FindProvider(id) is not { } upstream)
            return Problems.NotFound("provider");
        if (caller.Credential.Test && !upstream.Provider.Sandbox)
            return Problems.LiveOnly;
        return Results.Json(await AskAsync(upstream, http.RequestAborted), Defaults.Json);
    }

    async Task<Result> AskAsync(Upstream upstream, CancellationToken token)
    {
        var started = time.GetTimestamp();
        using var patience = token.WithTimeout(Patience);
        try
        {
            var (response, problem) = await forwarding.SendAsync(upstream, () => Question(upstream), patience.Token, once: true);
            using (response)
            {
                if (response is null)
                    return After(null, problem == UpstreamErrors.NotPublic ? "not_public" : "unreachable");
                var status = (int)response.StatusCode;
                return After(status, status is 401 or 403 ? "refused" : IsWell(upstream.Provider.Wire, status) ? null : "failed");
            }
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return After(null, "timeout");
        }

        Result After(int? status, string? error) => new(error is null, status, error, (long)time.GetElapsedTime(started).TotalMilliseconds);
    }

    static HttpRequestMessage Question(Upstream upstream)
    {
        var request = upstream.Request(HttpMethod.Get, PathOf(upstream.Provider.Wire), isOfApi: true);
        if (upstream.Provider.Wire == ProviderWire.Anthropic)
            request.Headers.TryAddWithoutValidation("anthropic-version", "2023-06-01");
        return request;
    }

    static string PathOf(string wire) => wire switch
    {
        ProviderWire.Http => "",
        ProviderWire.Gemini => "/v1beta/models",
        _ => "/v1/models",
    };

    static bool IsWell(string wire, int status) => wire == ProviderWire.Http ? status < 500 : status is >= 200 and < 300;
}
