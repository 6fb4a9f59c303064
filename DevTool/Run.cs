namespace LlmGateway.DevTool;

/// <summary>What the app host is told.</summary>
sealed record RunOptions(string? Seed, int? Ports, bool NoDashboard);

/// <summary>
/// <c>./dev run</c>: installs and builds what is missing, starts the app host, waits until everything is healthy, prints the screen.
/// </summary>
static class Run
{
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(3), Pause = TimeSpan.FromMilliseconds(100);

    public static async Task<int> ExecuteAsync(StackFolder stack, RunOptions options, bool detach, CancellationToken token)
    {
        if (stack.Process is not null)
            throw new Failure(
                ExitCode.Failed,
                $"a stack already runs on {stack.Data}; see ./dev status{stack.Option}, "
                + $"stop it with ./dev stop{stack.Option}, or give this one another --data and --ports");
        await Installation.PrepareAsync(token);
        try
        {
            var screen = await StartAsync(stack, options, token);
            Console.WriteLine($"{screen}\n");
            Console.WriteLine(detach
                ? $"Stop it: ./dev stop{stack.Option}   Look: ./dev status{stack.Option}, ./dev logs{stack.Option}"
                : "Ctrl-C stops it.");
            if (detach)
                return ExitCode.Ok;
            while (stack.Process is not null)
                await Task.Delay(Pause, token);
            throw new Failure(ExitCode.Failed, stack.Failed ?? "the app host has ended");
        }
        catch (OperationCanceledException)
        {
            await Stop.ExecuteAsync(stack, CancellationToken.None);
            return ExitCode.Ok;
        }
    }

    /// <returns>The screen.</returns>
    static async Task<string> StartAsync(StackFolder stack, RunOptions options, CancellationToken token)
    {
        Console.WriteLine("Starting PostgreSQL, Redis, RabbitMQ and the services…");
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
                if (stack.Ready is { } screen)
                    return screen;
                if (stack.Process is null)
                    throw new Failure(ExitCode.Failed, stack.Failed ?? (code == 0 ? "the app host has ended" : Programs.LastLine(output)));
            }
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            await Stop.ExecuteAsync(stack, CancellationToken.None);
            throw new Failure(ExitCode.Unavailable, $"not healthy after {Limit.TotalMinutes} minutes; see ./dev logs");
        }
    }
}
