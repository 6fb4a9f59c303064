using Spectre.Console;

namespace LlmGateway.DevTool;

/// <summary>What the app host is told.</summary>
sealed record RunOptions(string? Seed, int? Ports, bool NoDashboard);

/// <summary>
/// <c>./dev run</c>: installs and builds what is missing, starts the app host, waits until everything is healthy, prints the screen.
/// </summary>
static class Run
{
    /// <summary>Longer than the app host's own, which fetches images where servers are containers.</summary>
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(11);

    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    public static async Task<int> ExecuteAsync(StackFolder stack, RunOptions options, bool detach, CancellationToken token)
    {
        if (stack.Runs)
            throw new Failure(
                ExitCode.Failed,
                $"a stack already runs on {stack.Data}; see ./dev status{stack.Option}, "
                + $"stop it with ./dev stop{stack.Option}, or give this one another --data and --ports");
        stack.Prepare();
        await Task.WhenAll(RequireAloneAsync(stack, token), Installation.PrepareAsync(token));
        var ready = false;
        try
        {
            var screen = await AnsiConsole.Status().StartAsync(
                "Starting PostgreSQL, Redis, RabbitMQ and the services…", _ => StartAsync(stack, options, token));
            ready = true;
            Console.WriteLine($"{screen}\n");
            Console.WriteLine(detach
                ? $"Stop it: ./dev stop{stack.Option}   Look: ./dev status{stack.Option}, ./dev logs{stack.Option}"
                : "Ctrl-C stops it.");
            if (detach)
                return ExitCode.Ok;
            while (stack.Runs)
                await Task.Delay(Pause, token);
            throw new Failure(ExitCode.Failed, stack.Failed ?? "the app host has ended");
        }
        catch (Failure) when (!ready && !stack.Runs)
        {
            stack.DeleteHome();
            throw;
        }
        catch (OperationCanceledException)
        {
            await Stop.ExecuteAsync(stack, CancellationToken.None);
            return ready ? ExitCode.Ok : ExitCode.Failed;
        }
    }

    /// <summary>
    /// Aspire's command line stops every app host of this project that it knows before it starts one. A stack with another data folder that
    /// was not started by us is one of those.
    /// </summary>
    static async Task RequireAloneAsync(StackFolder stack, CancellationToken token)
    {
        if (await Aspire.FindAsync(stack, token) is { } process)
            throw new Failure(
                ExitCode.Failed,
                $"process {process} runs another stack of this repository; stop it first, or start this one with --data and --ports");
    }

    /// <returns>The screen.</returns>
    static async Task<string> StartAsync(StackFolder stack, RunOptions options, CancellationToken token)
    {
        string[] told =
        [
            $"--data={stack.Data}",
            .. options.Seed is { } seed ? [$"--seed={Path.GetFullPath(seed)}"] : Array.Empty<string>(),
            .. options.Ports is { } ports ? [$"--ports={ports}"] : Array.Empty<string>(),
            .. options.NoDashboard ? ["--dashboard=false"] : Array.Empty<string>(),
        ];
        // Not cancelled by Ctrl-C: what has begun to start is stopped in order.
        var (code, output) = await Aspire.ReadAsync(stack, CancellationToken.None, ["start", "--no-build", "--", .. told]);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(Limit);
        try
        {
            for (; ; await Task.Delay(Pause, limit.Token))
            {
                // First whether it runs: a killed stack leaves its screen behind.
                if (!stack.Runs)
                    throw new Failure(ExitCode.Failed, stack.Failed ?? (code == 0 ? "the app host has ended" : Programs.LastLine(output)));
                if (stack.Ready is { } screen)
                    return screen;
            }
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            await Stop.ExecuteAsync(stack, CancellationToken.None);
            throw new Failure(ExitCode.Unavailable, $"not healthy after {Limit.TotalMinutes} minutes; see ./dev logs");
        }
    }
}
