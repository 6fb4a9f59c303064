using System.Globalization;

namespace LlmGateway.AppHost;

static class ProxyCommands
{
    /// <summary>Takes no new request, finishes what runs, gives back its leases, hands in its spool. A restart ends it.</summary>
    public static IResourceBuilder<ProjectResource> WithProxyCommands(
        this IResourceBuilder<ProjectResource> proxy, IResourceBuilder<ParameterResource> internalKey) => proxy
        .WithServiceCommand("drain", "Drain", "Take no new request, finish what runs, hand in what is metered", "ArrowExit", DrainAsync, internalKey,
            new InteractionInput { Name = "seconds", Label = "Seconds to wait for running requests", InputType = InputType.Number, Value = "60" })
        .WithServiceCommand("resume", "Resume", "Take requests again", "ArrowEnter", ResumeAsync, internalKey);

    static async Task<(bool, string)> DrainAsync(ResourceCommands.Call call)
    {
        var seconds = int.TryParse(call.Argument("seconds"), CultureInfo.InvariantCulture, out var given) ? given : 60;
        var left = await call.SendAsync(HttpMethod.Post, $"internal/drain?seconds={seconds}");
        return left.GetProperty("drained").GetBoolean()
            ? (true, "Drained: nothing runs, nothing is held, everything metered is handed in. A restart or 'resume' takes requests again.")
            : (false, $"Not drained after {seconds} s: {left.GetProperty("running")} requests run, {left.GetProperty("unsent")} records are not sent,"
                + $" {left.GetProperty("leases")} leases are held. No new request is taken; drain again to wait on.");
    }

    static async Task<(bool, string)> ResumeAsync(ResourceCommands.Call call)
    {
        await call.SendAsync(HttpMethod.Post, "internal/resume");
        return (true, "Takes requests again.");
    }
}
