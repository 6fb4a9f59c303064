using LlmGateway.Contracts;
using LlmGateway.Proxy.Gemini;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>Where a request has its credential. Only in a header every one is accepted.</summary>
public enum CredentialPlace { Header, Query, Path }

/// <summary>The rules of who may do what: place of the credential, status, origin, model scope.</summary>
public static class Permit
{
    /// <summary>
    /// The credential of a request, from any of the places that SDKs use. A credential in the query is removed from the query, so that no
    /// later code can log it.
    /// </summary>
    /// <param name="kept">The string of the header, if the server reuses it while the connection sends the same value; else null.</param>
    /// <param name="place">Some projects accept one in the query, and some keys may stand in the path: that is known only when the
    /// credential is.</param>
    public static bool TryFindCredential(
        HttpRequest request, out ReadOnlySpan<char> credential, out string? kept, out CredentialPlace place)
    {
        (kept, place) = (null, CredentialPlace.Header);
        if (PathKey.Of(request.HttpContext) is { } inPath)
        {
            credential = inPath;
            place = CredentialPlace.Path;
            return true;
        }
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
            place = CredentialPlace.Query;
        }
        return !credential.IsEmpty;
    }

    /// <summary>The header of a second, different credential in a request; null when there is none.</summary>
    public static string? OtherCredential(HttpRequest request)
    {
        TryFindCredential(request, out var used, out _, out _);
        foreach (var header in (ReadOnlySpan<string>)["X-API-Key", "x-goog-api-key"])
            if (request.Headers[header].ToString() is { Length: > 0 } other && !used.SequenceEqual(other))
                return header;
        return null;
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

    /// <summary>
    /// Checks project, sessions and origin. A request without an Origin header is allowed: the rule protects browsers, not against scripts.
    /// The spend cap and the short lifetime limit those. A secret key or a member's token in a web page is public, so it is refused from
    /// every origin.
    /// </summary>
    public static Problem? Check(Credential credential, Project project, string origin)
    {
        if (origin.Length > 0 && credential.Kind == CredentialKind.SecretKey)
            return Problems.SecretKeyInBrowser;
        if (origin.Length > 0 && credential.Kind == CredentialKind.Member)
            return Problems.MemberTokenInBrowser;
        if (!project.Catalog.Active)
            return Problems.ProjectInactive;
        if (credential.Kind == CredentialKind.Session && !project.Catalog.EndUserSessions)
            return Problems.SessionsDisabled;
        return origin.Length > 0 && project.Origins?.Contains(origin) == false ? Problems.ForbiddenOrigin : null;
    }

    /// <summary>Checks the model scope, the price, and that test credentials call only sandbox or free models.</summary>
    public static Problem? Check(Credential credential, Route route, string model)
    {
        if (credential.Models is { } scope && !route.IsIn(scope))
            return Problems.ModelOutOfScope(model);
        if (route.Model.Prices is null)
            return Problems.Unpriced(model);
        return credential.Test && !route.Upstream.Provider.Sandbox && !route.Model.Prices.IsFree ? Problems.LiveOnly : null;
    }

    /// <summary>Platform secrets and members may only manage; they cannot call models.</summary>
    public static Problem? CheckInference(Credential credential) =>
        credential.Kind is CredentialKind.SecretKey or CredentialKind.Member
            ? Problems.WrongCredential("a session token (es_…) or a customer key (llm_gw_…)")
            : null;
}
