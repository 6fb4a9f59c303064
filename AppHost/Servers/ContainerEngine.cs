using System.ComponentModel;
using System.Diagnostics;

namespace LlmGateway.AppHost;

/// <summary>Docker or Podman. A client alone, or an engine that is installed and not running, does not answer.</summary>
static class ContainerEngine
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    public static bool Answers() => Answers("docker") || Answers("podman");

    static bool Answers(string client)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(client, ["version", "--format", "{{.Server.Version}}"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            if (process.WaitForExit(Limit))
                return process.ExitCode == 0;
            process.Kill();
            return false;
        }
        catch (Win32Exception)
        {
            return false; // There is no such program.
        }
    }
}
