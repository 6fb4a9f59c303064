using System.Runtime.CompilerServices;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>Who is calling, and the project that is called.</summary>
/// <param name="Fingerprint">Fingerprint of the credential. Caches and pushes use it as the name.</param>
public sealed record Caller(Credential Credential, Project Project, string Fingerprint)
{
    /// <summary>
    /// Whom limits of this process count for. A customer may have many keys, and a session gets another credential with each refresh.
    /// </summary>
    public Guid Owner => Credential.Customer ?? Credential.Family ?? Credential.Id;

    /// <summary>The fingerprint of a caller without a credential, which nobody can revoke.</summary>
    public const string Unnamed = "";
}

/// <summary>
/// Stages 1 and 2 of every call: finds the credential in the request and decides whether its caller may proceed. A store that does not
/// answer surfaces as an outage (503), never as a 401.
/// </summary>
public sealed class Identity
{
    readonly HotCache<string, Credential> _credentials;
    readonly HotCache<Guid, Project> _projects;
    readonly RequestGate _gate;
    readonly FailedIdentifications _failures;
    readonly TimeProvider _time;

    /// <summary>
    /// Fingerprints of known credentials, keyed by the string object of the header. The server keeps that object while a connection sends
    /// the same header, so each connection's credential is hashed once. An entry is collected with its string.
    /// </summary>
    readonly ConditionalWeakTable<string, string> _fingerprints = [];

    public Identity(
        RequestGate gate, SessionsClient sessions, ChangeFeed feed, Envelope envelope, FailedIdentifications failures, TimeProvider time)
    {
        (_gate, _failures, _time) = (gate, failures, time);
        _credentials = new(sessions.CredentialAsync, feed, time);
        _projects = new(
            async (id, skipRedis) =>
            {
                var (catalog, age) = await sessions.ProjectAsync(id, skipRedis);
                return new(catalog is null ? null : new Project(catalog, envelope), age);
            },
            feed, time);
    }

    /// <summary>
    /// The caller, or the problem to answer with; a draining proxy takes nobody. Status, expiry and origin have been checked.
    /// </summary>
    public async ValueTask<(Caller? Caller, Problem? Problem)> IdentifyAsync(HttpContext http)
    {
        if (!_gate.TryEnter(http))
            return (null, Problems.Draining);
        if (!Permit.TryFindCredential(http.Request, out var token, out var kept, out var place))
            return (null, Problems.NoCredential);
        if (token.Length > Token.MaxLength)
            return (null, _failures.Count(http, Unknown(http.Request, place)));
        string? fingerprint = null;
        var isNew = kept is not null && !_fingerprints.TryGetValue(kept, out fingerprint);
        fingerprint ??= Token.Fingerprint(token);
        // Most credentials are known. The form is checked only for unknown ones, before Redis or Sessions is asked.
        if (!_credentials.TryGet(fingerprint, out var credential) && Token.TryRead(token, out _, out _)
            && (!_failures.IsAtLimit(http) || Token.HasChecksum(token) || _credentials.HasKnown(fingerprint)))
            credential = await _credentials.GetAsync(fingerprint);
        // A valid credential in a place where it is not accepted gets the same answer as an invalid one.
        if (credential is null || !await MayStandAsync(credential, place))
            return (null, _failures.Count(http, Unknown(http.Request, place)));
        if (isNew)
            _fingerprints.AddOrUpdate(kept!, fingerprint);
        if (Permit.Check(credential, _time.GetUtcNow()) is { } refused)
            return (null, refused);
        if (await _projects.GetAsync(credential.Project) is not { } project)
            return (null, Problems.ProjectInactive);
        var forbidden = Permit.Check(credential, project, http.Request.Headers.Origin.ToString());
        if (forbidden == Problems.ForbiddenOrigin)
            Cors.Forbid(http);
        return forbidden is null ? (new Caller(credential, project, fingerprint), null) : (null, forbidden);
    }

    async ValueTask<bool> MayStandAsync(Credential credential, CredentialPlace place) => place switch
    {
        CredentialPlace.Query => await _projects.GetAsync(credential.Project) is { Catalog.KeysInQuery: true },
        CredentialPlace.Path => credential.InPath,
        _ => true,
    };

    /// <summary>A leftover in one header is hard to find when another one has the right key.</summary>
    static Problem Unknown(HttpRequest request, CredentialPlace place)
    {
        if (place != CredentialPlace.Header)
            return place == CredentialPlace.Query ? Problems.BadKeyInQuery : Problems.BadKeyInPath;
        return Permit.OtherCredential(request) is not { } other
            ? Problems.BadCredential
            : Problems.BadCredential with
            {
                Message = $"The request has two different credentials, and the one that was used is not valid. Remove it, or '{other}'.",
            };
    }

    /// <summary>A project for background work; null when it no longer exists.</summary>
    public ValueTask<Project?> ProjectAsync(Guid id) => _projects.GetAsync(id);

    /// <summary>
    /// Removes what a push from another service makes outdated. False when it cannot be known what that is: another version sent it.
    /// </summary>
    public bool TryForget(Invalidation invalidation)
    {
        switch (invalidation.Kind)
        {
            case Invalidation.CredentialChanged:
                _credentials.Invalidate(invalidation.Value);
                break;
            case Invalidation.CustomerChanged when Guid.TryParseExact(invalidation.Value, "N", out var customer):
                _credentials.InvalidateWhere(credential => credential.Customer == customer);
                break;
            case Invalidation.MemberChanged when Guid.TryParseExact(invalidation.Value, "N", out var member):
                _credentials.InvalidateWhere(credential => credential.Kind == CredentialKind.Member && credential.Id == member);
                break;
            case Invalidation.ProjectChanged when Guid.TryParseExact(invalidation.Value, "N", out var project):
                _projects.Invalidate(project);
                _credentials.InvalidateWhere(credential => credential.Project == project);
                break;
            case Invalidation.CatalogueChanged:
                _projects.InvalidateWhere(_ => true);
                break;
            case Invalidation.Beat:
                break;
            default:
                return false;
        }
        return true;
    }

    /// <summary>The copy of this caller's credential cannot be used any more. The next call reads it again.</summary>
    public void Distrust(Caller caller) => _credentials.Invalidate(caller.Fingerprint);

    /// <summary>The current state of a credential that has running requests.</summary>
    public ValueTask<Credential?> CurrentAsync(string fingerprint) => _credentials.GetAsync(fingerprint);
}
