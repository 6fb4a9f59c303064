using System.Text.Json.Nodes;

namespace LlmGateway.DevTool;

/// <summary>Aspire's command line, a tool of this repository (.config/dotnet-tools.json).</summary>
static class Aspire
{
    static readonly string[] Quietly = ["--nologo", "--non-interactive"];

    public static Task<int> ShowAsync(StackFolder stack, CancellationToken token, params string[] arguments) =>
        Programs.ShowAsync("dotnet", Line(arguments), token, Environment(stack), StackFolder.Repository);

    public static Task<(int Code, string Output)> ReadAsync(StackFolder stack, CancellationToken token, params string[] arguments) =>
        Programs.ReadAsync("dotnet", Line(arguments), token, Environment(stack), StackFolder.Repository);

    public static Task<JsonNode?> JsonAsync(StackFolder stack, CancellationToken token, params string[] arguments) =>
        Programs.JsonAsync("dotnet", Line([.. arguments, "--format", "Json"]), Environment(stack), StackFolder.Repository, token);

    /// <summary>The process of an app host of this project that Aspire's command line knows; null without one.</summary>
    public static async Task<int?> FindAsync(StackFolder stack, CancellationToken token)
    {
        string[] line = ["aspire", "ps", "--format", "Json", .. Quietly];
        var hosts = await Programs.JsonAsync("dotnet", line, Environment(stack), StackFolder.Repository, token);
        return (int?)hosts?.AsArray().FirstOrDefault(host => (string?)host?["appHostPath"] == StackFolder.AppHost)?["appHostPid"];
    }

    /// <summary>Options of Aspire's own stand before the arguments of a command or of the app host.</summary>
    static IEnumerable<string> Line(string[] arguments)
    {
        var own = arguments.TakeWhile(argument => argument != "--").ToArray();
        return ["aspire", .. own, "--apphost", StackFolder.AppHost, .. Quietly, .. arguments[own.Length..]];
    }

    static Dictionary<string, string> Environment(StackFolder stack)
    {
        var environment = new Dictionary<string, string>(stack.Environment)
        {
            ["ASPIRE_CLI_TELEMETRY_OPTOUT"] = "true",
            ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1",
        };
        // Aspire writes colours and hyperlinks for the terminal that TERM names, also into a file.
        if (Console.IsOutputRedirected)
            (environment["NO_COLOR"], environment["TERM"]) = ("1", "dumb");
        return environment;
    }
}
