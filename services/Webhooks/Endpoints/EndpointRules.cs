using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Webhooks;

/// <summary>What an endpoint may be. Each rule throws a 400 that names the field.</summary>
public sealed class EndpointRules(GuardedConnections connections)
{
    /// <summary>For tenants' webhooks, for a laptop and for tests: a deployment has none.</summary>
    public const string PrivateHostsSetting = "Webhooks:PrivateHosts";

    /// <summary>A resolver that is slower decides nothing: each connection is checked again.</summary>
    static readonly TimeSpan ResolveLimit = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Refuses what cannot be public by its text, or is not by what its name leads to now. A name that nobody knows yet is taken: what it
    /// leads to is checked at each connection.
    /// </summary>
    public async Task CheckUrlAsync(string url, Guid owner, CancellationToken token)
    {
        if (PublicUrl.Mistake(url, connections.Allowed) is { } mistake)
            throw Invalid("url", mistake);
        using var limit = token.WithTimeout(ResolveLimit);
        try
        {
            var address = new Uri(url);
            await connections.CheckedAsync(address.IdnHost, address.Port, $"{owner:N}", limit.Token);
        }
        catch (NotPublicException)
        {
            throw Invalid("url", "must have the name of a public host");
        }
        catch (Exception e) when (e is System.Net.Sockets.SocketException or NoPlaceException or OperationCanceledException
            && !token.IsCancellationRequested)
        {
            // Nobody knows the name yet.
        }
    }

    /// <summary>Null is all events.</summary>
    public static string[]? Events(IReadOnlyList<string>? events, string path)
    {
        if (events is null)
            return null;
        if (events.Count == 0)
            throw Invalid(path, "must name an event; without it all are told");
        for (var i = 0; i < events.Count; i++)
            if (!EventTypes.All.Contains(events[i]))
                throw Invalid(
                    $"{path}[{i}]",
                    EventTypes.NotToldYet.Contains(events[i])
                        ? $"is '{events[i]}', which is not told yet. What is: {string.Join(", ", EventTypes.All)}"
                        : $"must be one of {string.Join(", ", EventTypes.All)}");
        return [.. events.Distinct()];
    }

    public static ProblemException Invalid(string path, string reason) => new(Problems.Invalid(path, $"'{path}' {reason}."));
}
