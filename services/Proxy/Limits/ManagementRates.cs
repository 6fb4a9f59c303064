using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// How many calls other than those of models each credential may make in a minute at this proxy. They cost nothing, so nothing else bounds
/// them.
/// </summary>
/// <param name="backend">For secret keys.</param>
/// <param name="user">For sessions, customers' keys and members.</param>
public sealed class ManagementRates(int backend, int user, TimeProvider time)
{
    public const string BackendSetting = "Proxy:BackendCallsPerMinute", UserSetting = "Proxy:UserCallsPerMinute";
    public const int DefaultBackend = 30_000, DefaultUser = 600;

    readonly LocalRate<Guid> _backends = new(backend, time), _users = new(user, time);

    /// <summary>Counts a call. A session counts together with what it was refreshed into.</summary>
    /// <returns>Null when the call may go on.</returns>
    public Problem? Take(Credential credential)
    {
        var isBackend = credential.Kind == CredentialKind.SecretKey;
        var limit = isBackend ? backend : user;
        return (isBackend ? _backends : _users).Take(credential.Family ?? credential.Id) is { } wait
            ? Problems.RateLimited($"The limit of {limit} management calls per minute of one credential is reached.", wait) with
            {
                Limit = new("credential", "requests", $"{limit}", $"{limit}", "1", null),
            }
            : null;
    }
}

public static class ManagementRatesRegistration
{
    public static void AddManagementRates(this WebApplicationBuilder builder)
    {
        var backend = builder.Configuration.GetValue(ManagementRates.BackendSetting, ManagementRates.DefaultBackend);
        var user = builder.Configuration.GetValue(ManagementRates.UserSetting, ManagementRates.DefaultUser);
        builder.Services.AddSingleton(services => new ManagementRates(backend, user, services.GetRequiredService<TimeProvider>()));
    }
}
