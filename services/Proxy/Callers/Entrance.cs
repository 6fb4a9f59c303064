using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Identifies, permits and counts the callers of what a wire has besides its models: files, batches, kept responses, counts of tokens.
/// Calls of models go through <see cref="Inference"/>.
/// </summary>
public sealed class Entrance(Identity identity, KeyUse keys, ManagementRates rates, RateLimits rateLimits)
{
    /// <summary>
    /// The call counts as one of those that cost nothing, and where requests per minute are limited. Tokens of a batch do not count toward
    /// the minute.
    /// </summary>
    /// <exception cref="ProblemException">The caller may not call.</exception>
    public async Task<Caller> EnterAsync(HttpContext http, Wire wire, Guid? request = null)
    {
        http.SetRequestId(request ?? Ids.New());
        http.Speak(wire);
        http.Response.Headers["X-Request-Id"] = http.RequestId();
        var (caller, problem) = await identity.IdentifyAsync(http);
        problem ??= Permit.CheckInference(caller!.Credential) ?? rates.Take(caller.Credential);
        if (problem is not null)
            throw new ProblemException(problem);
        keys.Record(caller!.Credential);
        var taken = await rateLimits.TakeRequestAsync(caller.Credential, http.RequestAborted);
        RateHeaders.Write(taken, http.Response.Headers);
        return taken.Problem is { } limited ? throw new ProblemException(limited) : caller;
    }
}
