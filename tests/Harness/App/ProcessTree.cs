using System.Globalization;

namespace LlmGateway.Harness;

/// <summary>Which process is the program: the orchestrator knows only what it started itself, e.g. a shell.</summary>
static class ProcessTree
{
    /// <summary>The program below those that only start it; null while it is not there.</summary>
    public static int? Program(int started)
    {
        int? process = started;
        while (process is { } pid && IsStarter(pid))
            process = Child(pid);
        return process is { } program && Directory.Exists($"/proc/{program}") ? program : null;
    }

    static bool IsStarter(int pid) => CommandLine(pid) is [var program, ..] && Path.GetFileName(program) is "sh" or "setpriv";

    static string[] CommandLine(int pid) => Read(pid, "cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries);

    static int? Child(int parent)
    {
        var children = Read(parent, $"task/{parent}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return children.Length > 0 ? int.Parse(children[0], CultureInfo.InvariantCulture) : null;
    }

    static string Read(int pid, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/{file}");
        }
        catch (IOException)
        {
            return "";
        }
    }
}
