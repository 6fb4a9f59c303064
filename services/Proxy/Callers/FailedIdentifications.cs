using System.Net;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// How many credentials that nobody knows one address may send in a minute. Beyond that the answer is 429, and nothing is looked up that
/// could be a guess. A good credential from the same address goes on: those that this proxy has known, and those with the checksum of what
/// the gateway makes, are looked up all the same. Guessing one of those is hopeless, and look-ups go out in batches, so their load is
/// bounded.
/// </summary>
public sealed class FailedIdentifications(int perMinute, CallerAddress address, TimeProvider time)
{
    public const string Setting = "Proxy:FailedIdentificationsPerMinute";
    public const int DefaultPerMinute = 100;

    readonly LocalRate<IPAddress> _rate = new(perMinute, time);

    public bool IsAtLimit(HttpContext http) => _rate.IsUsedUp(address.Of(http));

    /// <summary>Counts a failure.</summary>
    /// <returns>What to answer: <paramref name="unknown"/>, or that there were too many.</returns>
    public Problem Count(HttpContext http, Problem unknown) => _rate.Take(address.Of(http)) is { } wait
        ? Problems.RateLimited(
            $"The limit of {perMinute} failed identifications per minute from one address is reached, and this API key or session token is "
                + "not known.",
            wait)
        : unknown;
}

public static class FailedIdentificationsRegistration
{
    public static void AddFailedIdentifications(this WebApplicationBuilder builder)
    {
        var perMinute = builder.Configuration.GetValue(FailedIdentifications.Setting, FailedIdentifications.DefaultPerMinute);
        builder.Services.AddSingleton(
            services => new FailedIdentifications(
                perMinute, services.GetRequiredService<CallerAddress>(), services.GetRequiredService<TimeProvider>()));
    }
}
