namespace LlmGateway.DevTool;

/// <summary><c>./dev stop</c>: returns when the last process is gone, which is later than Aspire's own command does.</summary>
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
        var (code, output) = await Aspire.ReadAsync(stack, token, "stop");
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
                ExitCode.Failed,
                code == 0 ? $"the stack still stops after {Limit.TotalSeconds} s; see ./dev status" : Programs.LastLine(output));
        }
        stack.DeleteHome();
        Console.WriteLine("stopped");
        return ExitCode.Ok;
    }
}
