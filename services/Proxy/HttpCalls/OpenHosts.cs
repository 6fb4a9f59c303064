using System.Net;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Hosts whose projects have routes for everybody. A call without a credential belongs to the project of its host. Nobody pays for it and
/// no customer's limit holds, so one address may make so many calls in a minute, and have so many running. Each takes an entry of the
/// journal, which callers with a credential need, too, so that all together have a bound.
/// </summary>
public sealed class OpenHosts(Identity identity, RequestGate gate, SessionsClient sessions, CallerAddress address, TimeProvider time)
{
    public const int CallsPerMinute = 600;

    /// <summary>Most calls that run at the same time.</summary>
    public const int PlacesOfAddress = 20, Places = 512;

    static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);

    readonly LocalRate<IPAddress> _rate = new(CallsPerMinute, time);
    readonly LocalPlaces<IPAddress> _places = new(PlacesOfAddress, Places);
    readonly Lock _lock = new();
    Task<Known>? _asking;

    sealed record Known(IReadOnlyDictionary<string, Guid> Hosts, long At);

    /// <summary>The project of the request's host, with nobody as the caller. Null where no route is for everybody.</summary>
    /// <exception cref="ProblemException">It is, and the call may not be made now, or not from this page.</exception>
    public async ValueTask<Caller?> EnterAsync(HttpContext http)
    {
        var known = await AskOnceAsync();
        if (!known.Hosts.TryGetValue(http.Request.Host.Host.ToLowerInvariant(), out var id)
            || await identity.ProjectAsync(id) is not { Catalog.Active: true } project)
            return null;
        if (!gate.TryEnter(http))
            throw new ProblemException(Problems.Draining);
        var from = address.Of(http);
        if (_rate.Take(from) is { } wait)
            throw new ProblemException(Problems.RateLimited(
                $"The limit of {CallsPerMinute} calls without a credential per minute from one address is reached.", wait));
        if (http.Request.Headers.Origin.ToString() is { Length: > 0 } origin && project.Origins?.Contains(origin) == false)
        {
            Cors.Forbid(http);
            throw new ProblemException(Problems.ForbiddenOrigin);
        }
        http.Response.RegisterForDispose(_places.Take(from) ?? throw new ProblemException(Problems.RateLimited(
            $"At most {PlacesOfAddress} calls without a credential from one address, and {Places} of all, run at the same time.", 1)));
        return new(Nobody(project.Catalog), project, Caller.Unnamed);
    }

    static Credential Nobody(ProjectCatalog project) => new(
        Ids.Derive(project.Id, "nobody"), CredentialKind.CustomerKey, Test: false, CredentialStatus.Active,
        project.Organization, project.Id,
        Customer: null, Family: null, Wallet: null, ExpiresAt: null, Models: null, Registers: [], Rates: null);

    /// <summary>One question at a time. A list that is older than its age is asked for again; while Sessions is away it goes on.</summary>
    Task<Known> AskOnceAsync()
    {
        lock (_lock)
            return _asking is { } asking && (!asking.IsCompleted || (asking.IsCompletedSuccessfully
                && time.GetElapsedTime(asking.Result.At) <= MaxAge)) ? asking : _asking = AskAsync(_asking);
    }

    async Task<Known> AskAsync(Task<Known>? before)
    {
        try
        {
            return new((await sessions.OriginsAsync())?.Hosts ?? new Dictionary<string, Guid>(), time.GetTimestamp());
        }
        catch (Exception e) when (before is { IsCompletedSuccessfully: true } && Problems.IsOutage(e))
        {
            return new((await before).Hosts, time.GetTimestamp());
        }
    }
}
