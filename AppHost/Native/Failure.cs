namespace LlmGateway.AppHost.Native;

/// <summary>Exit codes of <c>./dev</c>.</summary>
enum ExitCode { Ok = 0, Failed = 1, Usage = 2, NotFound = 3, Unavailable = 5 }

/// <summary>Ends the command with one line for the user. An exception, because whatever was started until then must be unwound.</summary>
sealed class Failure(ExitCode code, string message) : Exception(message)
{
    public ExitCode Code => code;
}
