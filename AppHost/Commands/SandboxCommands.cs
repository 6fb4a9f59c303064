using System.Net.Http.Json;

namespace LlmGateway.AppHost;

static class SandboxCommands
{
    /// <summary>Every model of the sandbox misbehaves until it recovers.</summary>
    public static IResourceBuilder<ProjectResource> WithSandboxCommands(this IResourceBuilder<ProjectResource> sandbox) => sandbox
        .WithServiceCommand("fail", "Fail", "Answer every call with 503", "PlugDisconnected", call => BehaveAsync(call, "-error-503", "Every call now gets 503."))
        .WithServiceCommand("slow", "Slow", "Answer every call slowly", "TimerOff", call => BehaveAsync(call, "-slow", "Every answer is slow now."))
        .WithServiceCommand("recover", "Recover", "Behave again", "PlugConnected", call => BehaveAsync(call, null, "Behaves again."));

    static async Task<(bool, string)> BehaveAsync(ResourceCommands.Call call, string? fault, string done)
    {
        using var body = JsonContent.Create(new { fault });
        await call.SendAsync(HttpMethod.Post, "sandbox/behaviour", body);
        return (true, done);
    }
}
