using LlmGateway.Contracts;
using LlmGateway.Proxy.Gemini;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>The rules of who may do what, as pure functions: credential positions, status, origin, model scope.</summary>
public static class Permit
{
    /// <summary>The credential of a request, wherever its SDK puts it. One in the query is taken out of it, so that nothing that comes later can show it.</summary>
    /// <param name="kept">The header that it stands in, if it is one whose string the server keeps for the connection as long as it comes again unchanged; else null.</param>
    /// <param name="inQuery">Only some projects accept it there; which project it is, the credential says.</param>
    public static bool TryFindCredential(HttpRequest request, out ReadOnlySpan<char> credential, out string? kept, out bool inQuery)
    {
        (kept, inQuery) = (null, false);
        var headers = request.Headers;
        var authorization = headers.Authorization.ToString();
        if (authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            kept = authorization;
            credential = authorization.AsSpan(7).Trim();
            return true;
        }
        credential = headers["X-API-Key"].ToString();
        if (credential.IsEmpty)
            credential = headers["x-goog-api-key"].ToString();
        if (credential.IsEmpty && request.QueryString.HasValue && GeminiTarget.MayHoldKey(request.Path.Value ?? ""))
        {
            credential = TakeFromQuery(request);
            inQuery = true;
        }
        return !credential.IsEmpty;
    }

    static string? TakeFromQuery(HttpRequest request)
    {
        if (request.Query["key"].ToString() is not { Length: > 0 } key)
            return null;
        request.QueryString = QueryString.Create(request.Query.Where(pair => pair.Key != "key"));
        return key;
    }

    public static Problem? Check(Credential credential, DateTimeOffset now) => credential.Status switch
    {
        CredentialStatus.Revoked => Problems.RevokedCredential,
        CredentialStatus.Expired => Problems.ExpiredCredential,
        CredentialStatus.CustomerDeleted => Problems.RevokedCredential,
        CredentialStatus.CustomerBlocked => Problems.CustomerStatus("blocked"),
        CredentialStatus.CustomerSuspended => Problems.CustomerStatus("suspended"),
        CredentialStatus.ProjectInactive => Problems.ProjectInactive,
        _ => credential.ExpiresAt <= now ? Problems.ExpiredCredential : null,
    };

    /// <summary>Origins stop browsers, not scripts: a request without the header is allowed; the spend cap and the short life are the real limits.</summary>
    public static Problem? Check(Credential credential, Project project, string origin)
    {
        if (!project.Catalog.Active)
            return Problems.ProjectInactive;
        if (credential.Kind == CredentialKind.Session && !project.Catalog.EndUserSessions)
            return Problems.SessionsDisabled;
        return origin.Length > 0 && project.Origins.Count > 0 && !project.Origins.Contains(origin) ? Problems.ForbiddenOrigin : null;
    }

    /// <summary>Only customers' credentials call models, and only models in their scope.</summary>
    public static Problem? Check(Credential credential, Route route, string model)
    {
        if (credential.Models is { } scope && !route.IsIn(scope))
            return Problems.ModelOutOfScope(model);
        if (route.Model.Prices is null)
            return Problems.Unpriced(model);
        return credential.Test && !route.Upstream.Provider.Sandbox && !route.Model.Prices.IsFree ? Problems.LiveOnly : null;
    }

    /// <summary>Platform secrets manage; they never call models.</summary>
    public static Problem? CheckInference(Credential credential) =>
        credential.Kind == CredentialKind.SecretKey ? Problems.WrongCredential("a session token (es_…) or a customer key (llm_gw_…)") : null;
}
