using System.Net.Http.Json;
using System.Text.Json;
using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev verify</c>: Wallet's check of its own books, repeated until work in flight is booked or the time is up.</summary>
static class Verify
{
    const int DefaultSeconds = 90, MaxSeconds = 3600;
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(500), AnswerLimit = TimeSpan.FromSeconds(60);

    sealed record Report(bool Ok, Check[] Checks);
    sealed record Check(string Name, bool Ok, string? Detail);

    public static Task<ExitCode> ExecuteAsync(Arguments arguments) =>
        VerifyAsync(StackState.RequireRunning(arguments.Folders), TimeSpan.FromSeconds(arguments.Number("--wait", DefaultSeconds, 0, MaxSeconds)));

    public static Task<ExitCode> VerifyAsync(StackState state) => VerifyAsync(state, TimeSpan.FromSeconds(DefaultSeconds));

    static async Task<ExitCode> VerifyAsync(StackState state, TimeSpan wait)
    {
        using var client = new HttpClient { BaseAddress = new(state.Url("wallet")), Timeout = AnswerLimit };
        client.DefaultRequestHeaders.Add("X-Gateway-Internal", state.InternalKey);
        var end = DateTime.UtcNow + wait;
        var report = await AskAsync(client);
        while (report is not { Ok: true } && DateTime.UtcNow < end)
        {
            await Task.Delay(Between);
            report = await AskAsync(client) ?? report;
        }
        if (report is null)
            throw new Failure(ExitCode.Unavailable, $"wallet does not answer {client.BaseAddress}internal/verify");
        foreach (var check in report.Checks)
            Console.WriteLine($"{(check.Ok ? "ok    " : "WRONG ")}{check.Name}{(string.IsNullOrEmpty(check.Detail) ? "" : $": {check.Detail}")}");
        return report.Ok ? ExitCode.Ok : ExitCode.Failed;
    }

    /// <summary>Null when Wallet cannot be asked right now.</summary>
    static async Task<Report?> AskAsync(HttpClient client)
    {
        try
        {
            return await client.GetFromJsonAsync<Report>("internal/verify");
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException)
        {
            return null;
        }
    }
}
