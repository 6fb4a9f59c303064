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

    /// <summary>Starts or restarts it, and returns when it serves: Aspire's command returns before.</summary>
    public static async Task<int> StartAsync(StackFolder stack, string resource, string command, CancellationToken token) =>
        await ExecuteAsync(stack, resource, command, token) is not ExitCode.Ok and var code
            ? code
            : await Aspire.ShowAsync(stack, token, ["wait", resource]);

    public static async Task<int> DescribeAsync(StackFolder stack, bool json, CancellationToken token)
    {
        stack.RequireRunning();
        if (!json)
        {
            var code = await Aspire.ShowAsync(stack, token, "describe");
            Console.WriteLine(stack.Ready);
            return code;
        }
        var state = await Aspire.JsonAsync(stack, token, "describe")
            ?? throw new Failure(ExitCode.Failed, $"Aspire's command line does not tell; see ./dev status{stack.Option}");
        // Environments have connection strings with passwords, and this is pasted into reports.
        foreach (var resource in state["resources"]!.AsArray())
            resource!.AsObject().Remove("environment");
        Console.WriteLine(state.ToJsonString(new() { WriteIndented = true }));
        return ExitCode.Ok;
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
