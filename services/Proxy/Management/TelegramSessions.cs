using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// <c>POST /v1/sessions/telegram</c>: a Mini App calls without a credential, because what it sends is one. Sessions checks it, and whether
/// the page may call. What is refused counts as a credential that nobody knows, so that an address cannot guess on.
/// </summary>
public static class TelegramSessions
{
    public static void Map(WebApplication app)
    {
        var calls = app.Services.GetRequiredService<ManagementCalls>();
        app.Map(
            "/v1/sessions/telegram",
            async (HttpContext http, Identity identity, ManagementRates rates, KeyUse keys, FailedIdentifications failures) =>
            {
                var (caller, problem) = await identity.IdentifyAsync(http);
                if (problem == Problems.NoCredential)
                    problem = failures.IsAtLimit(http) ? failures.Count(http, Problems.NoCredential) : null;
                else
                    problem ??= rates.Take(caller!.Credential);
                if (problem is not null)
                {
                    await problem.ExecuteAsync(http);
                    return;
                }
                if (caller is not null)
                    keys.Record(caller.Credential);
                await calls.SendAsync(http, ServiceCall.Sessions, caller is null ? null : Principal.Of(caller.Credential));
                if (caller is null && http.Response.StatusCode == StatusCodes.Status401Unauthorized)
                    _ = failures.Count(http, Problems.BadCredential);
            });
    }
}
