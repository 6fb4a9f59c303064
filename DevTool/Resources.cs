namespace LlmGateway.DevTool;

/// <summary>What Aspire's command line does with the resources of a stack that runs.</summary>
static class Resources
{
    public static async Task<int> ExecuteAsync(
        StackFolder stack, string resource, string command, CancellationToken token, params string[] arguments)
    {
        stack.RequireRunning();
        string[] separated = arguments.Length > 0 ? ["--", .. arguments] : [];
        return await Aspire.ShowAsync(stack, token, ["resource", resource, command, .. separated]);
    }

    public static async Task<int> DescribeAsync(StackFolder stack, bool json, CancellationToken token)
    {
        stack.RequireRunning();
        return await Aspire.ShowAsync(stack, token, ["describe", .. json ? ["--format", "Json"] : Array.Empty<string>()]);
    }

    public static async Task<int> LogsAsync(StackFolder stack, string? resource, int lines, bool follow, CancellationToken token)
    {
        stack.RequireRunning();
        string[] which = resource is null ? [] : [resource];
        string[] how = follow ? ["--follow"] : [];
        try
        {
            return await Aspire.ShowAsync(stack, token, ["logs", .. which, "--tail", $"{lines}", .. how]);
        }
        catch (OperationCanceledException) when (follow)
        {
            return ExitCode.Ok;
        }
    }
}
