using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace LlmGateway.AppHost;

static class WalletCommands
{
    const int LongestWait = 3600;
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(500);

    /// <summary>The wallet proves its own books from the rows; what is in flight may take as long as it is given to be booked.</summary>
    public static IResourceBuilder<ProjectResource> WithWalletCommands(
        this IResourceBuilder<ProjectResource> wallet, IResourceBuilder<ParameterResource> internalKey) =>
        wallet.WithServiceCommand("verify", "Verify the books", "Check that the books balance to the nano-dollar", "CheckmarkCircle", VerifyAsync, internalKey,
            new InteractionInput
            {
                Name = "wait", Label = "Seconds that work in flight may take", InputType = InputType.Number, Value = "0",
            });

    static async Task<(bool, string)> VerifyAsync(ResourceCommands.Call call)
    {
        var wait = TimeSpan.FromSeconds(int.TryParse(call.Argument("wait"), CultureInfo.InvariantCulture, out var seconds) ? Math.Clamp(seconds, 0, LongestWait) : 0);
        var started = Stopwatch.GetTimestamp();
        for (; ; await Task.Delay(Between, call.Context.CancellationToken))
        {
            var report = await call.SendAsync(HttpMethod.Get, "internal/verify");
            var ok = report.GetProperty("ok").GetBoolean();
            if (ok || Stopwatch.GetElapsedTime(started) > wait)
                return (ok, $"{(ok ? "The books balance." : "THE BOOKS ARE WRONG.")}\n{string.Join('\n', report.GetProperty("checks").EnumerateArray().Select(Line))}");
        }
    }

    static string Line(JsonElement check)
    {
        var detail = check.GetProperty("detail").ToString();
        return $"{(check.GetProperty("ok").GetBoolean() ? "ok    " : "WRONG ")}{check.GetProperty("name")}{(detail.Length == 0 ? "" : $": {detail}")}";
    }
}
