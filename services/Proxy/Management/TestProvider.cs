using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// <c>POST /v1/providers/{id}/test</c> → 200 <c>{ok, status, error, latencyMs}</c>: asks the provider for its list of models, with a key of
/// its connection and as calls reach it. What it answers beside the status is shown to nobody.
/// </summary>
public sealed class TestProvider(Identity identity, ManagementRates rates, HttpMessageInvoker providers, TimeProvider time)
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
        if (caller!.Credential.Kind is not (CredentialKind.SecretKey or CredentialKind.Member))
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
            using var request = upstream.Request(
                HttpMethod.Get, upstream.Provider.Wire == ProviderWire.Gemini ? "/v1beta/models" : "/v1/models");
            if (upstream.Provider.Wire == ProviderWire.Anthropic)
                request.Headers.TryAddWithoutValidation("anthropic-version", "2023-06-01");
            using var response = await providers.SendAsync(request, patience.Token);
            var error = response.IsSuccessStatusCode ? null : (int)response.StatusCode is 401 or 403 ? "refused" : "failed";
            return After((int)response.StatusCode, error);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return After(null, "timeout");
        }
        catch (HttpRequestException e)
        {
            return After(null, e is NotPublicException || e.InnerException is NotPublicException ? "not_public" : "unreachable");
        }

        Result After(int? status, string? error) => new(error is null, status, error, (long)time.GetElapsedTime(started).TotalMilliseconds);
    }
}
