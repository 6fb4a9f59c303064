using System.Runtime.CompilerServices;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>Who is calling, and the project that they call.</summary>
/// <param name="Fingerprint">Of the credential; how caches and pushes name it.</param>
public sealed record Caller(Credential Credential, Project Project, string Fingerprint);

/// <summary>Stages 1 and 2 of every call: from a credential in a header to a caller who may proceed. A store that does not answer throws an outage (503), never a 401.</summary>
public sealed class Identity
{
    readonly HotCache<string, Credential> _credentials;
    readonly HotCache<Guid, Project> _projects;
    readonly Intake _intake;
    readonly TimeProvider _time;

    /// <summary>
    /// Fingerprints of known credentials by the very string (not its text) that they came in, which the server keeps while a connection sends the same: so its credential is hashed once.
    /// Entries go with their strings.
    /// </summary>
    readonly ConditionalWeakTable<string, string> _fingerprints = [];

    public Identity(Intake intake, SessionsClient sessions, Envelope envelope, TimeProvider time)
    {
        (_intake, _time) = (intake, time);
        _credentials = new(sessions.CredentialAsync, credential => credential.ReadAt, time);
        _projects = new(
            async (id, skipRedis) => await sessions.ProjectAsync(id, skipRedis) is { } catalog ? new Project(catalog, envelope) : null,
            project => project.Catalog.ReadAt, time);
    }

    /// <summary>The caller, or why there is none; a draining proxy takes nobody. Status, expiry and origin have been checked.</summary>
    public async ValueTask<(Caller? Caller, Problem? Problem)> IdentifyAsync(HttpContext http)
    {
        if (!_intake.IsOpen)
            return (null, Problems.Draining);
        if (!Permit.TryFindCredential(http.Request, out var token, out var kept, out var inQuery))
            return (null, Problems.NoCredential);
        var unknown = inQuery ? Problems.BadKeyInQuery : Problems.BadCredential;
        if (token.Length > Token.MaxLength)
            return (null, unknown);
        string? fingerprint = null;
        var isNew = kept is not null && !_fingerprints.TryGetValue(kept, out fingerprint);
        fingerprint ??= Token.Fingerprint(token);
        // Most are known; only of others the form is looked at, before anybody is asked about them.
        if (!_credentials.TryGet(fingerprint, out var credential) && Token.TryRead(token, out _, out _))
            credential = await _credentials.GetAsync(fingerprint);
        // Where the project takes none there, a good key in the query is told nothing that a bad one is not.
        if (credential is null || (inQuery && await _projects.GetAsync(credential.Project) is not { Catalog.KeysInQuery: true }))
            return (null, unknown);
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

    /// <summary>A project, for work that nobody is waiting for; null when it is gone.</summary>
    public ValueTask<Project?> ProjectAsync(Guid id) => _projects.GetAsync(id);

    /// <summary>What a push from another service makes us forget.</summary>
    public void Forget(Invalidation invalidation)
    {
        switch (invalidation.Kind)
        {
            case Invalidation.CredentialChanged:
                _credentials.Invalidate(invalidation.Value);
                break;
            case Invalidation.CustomerChanged when Guid.TryParseExact(invalidation.Value, "N", out var customer):
                _credentials.InvalidateWhere(credential => credential.Customer == customer);
                break;
            case Invalidation.ProjectChanged when Guid.TryParseExact(invalidation.Value, "N", out var project):
                _projects.Invalidate(project);
                _credentials.InvalidateWhere(credential => credential.Project == project);
                break;
        }
    }

    /// <summary>The credential as it is now, for requests that are running on it.</summary>
    public ValueTask<Credential?> CurrentAsync(string fingerprint) => _credentials.GetAsync(fingerprint);
}
