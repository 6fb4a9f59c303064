namespace LlmGateway.DevTool;

/// <summary>
/// <c>./dev stop</c>: tells the stack's own app host, and returns when it is gone. Aspire's command knows app hosts by their project alone,
/// so it could stop another stack.
/// </summary>
static class Stop
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(100), Pause = TimeSpan.FromMilliseconds(100);

    public static async Task<int> ExecuteAsync(StackFolder stack, CancellationToken token)
    {
        if (!stack.Runs)
        {
            Console.WriteLine($"nothing runs on {stack.Data}");
            return ExitCode.Ok;
        }
        // The shell's own: a small machine may have no program of that name.
        var (code, output) = await Programs.ReadAsync("sh", ["-c", $"kill -TERM {stack.Process}"], token);
        if (code != 0 && stack.Runs)
            throw new Failure(ExitCode.Failed, Programs.LastLine(output));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(Limit);
        try
        {
            while (stack.Runs)
                await Task.Delay(Pause, limit.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            throw new Failure(
                ExitCode.Failed, $"the stack still stops after {Limit.TotalSeconds} s; see ./dev status{stack.Option}");
        }
        stack.DeleteHome();
        Console.WriteLine("stopped");
        return ExitCode.Ok;
    }
}
