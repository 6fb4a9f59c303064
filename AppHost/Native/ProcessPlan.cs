namespace LlmGateway.AppHost.Native;

/// <summary>How one process of the stack is run and how it is known to work.</summary>
sealed record ProcessPlan(string Name, ProcessKind Kind, int Port)
{
    public string? Url { get; init; }

    /// <summary>Ports that it listens on beside the one that it is known by.</summary>
    public int[] OtherPorts { get; init; } = [];

    public required string File { get; init; }
    public string[] Arguments { get; init; } = [];

    /// <summary>All of its environment beside <see cref="Inherited"/>.</summary>
    public Dictionary<string, string> Environment { get; init; } = [];

    public string WorkingDirectory { get; init; } = "/";

    /// <summary>The user that it runs as when we are root; null: ours.</summary>
    public string? User { get; init; }

    public Signal StopSignal { get; init; } = Signal.Terminate;

    /// <summary>Processes stop in waves, the lowest first: proxies, then what they call, servers last.</summary>
    public int StopWave { get; init; }

    /// <summary>True when it is ready to serve; may throw while it is not.</summary>
    public required Func<CancellationToken, Task<bool>> Probe { get; init; }

    /// <summary>What every process gets from the caller's environment: where programs, certificates and the outside world are. Nothing that configures a service.</summary>
    public static readonly string[] Inherited =
    [
        "PATH", "HOME", "TMPDIR", "TZ", "DOTNET_ROOT", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    ];
}
