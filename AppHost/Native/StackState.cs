using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmGateway.AppHost.Native;

/// <summary>
/// What runs, as <c>state.json</c> in the data folder: the supervisor writes it, the other commands and the tests read it.
/// It holds connection strings and the internal key, so only its owner can read it.
/// </summary>
sealed record StackState(
    int Base, string Data, bool Ready, ProcessIdentity Supervisor, string[] Seeds, IReadOnlyList<ProcessState> Services,
    IReadOnlyDictionary<string, string> Connections, string InternalKey)
{
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    public string Url(string name) => Require(name).Url!;

    public ProcessState Require(string name) =>
        Services.FirstOrDefault(process => process.Name == name)
        ?? throw new Failure(ExitCode.NotFound, $"there is no process '{name}'; there are {string.Join(", ", Services.Select(process => process.Name))}");

    /// <summary>The last written state, also of a stack that is gone; null when there is none.</summary>
    public static StackState? Read(Folders folders) =>
        File.Exists(folders.State) ? JsonSerializer.Deserialize<StackState>(File.ReadAllBytes(folders.State), Json) : null;

    /// <summary>The state of a stack that runs.</summary>
    public static StackState? ReadRunning(Folders folders) => Read(folders) is { Supervisor.IsAlive: true } state ? state : null;

    public static StackState RequireRunning(Folders folders) =>
        ReadRunning(folders) ?? throw new Failure(ExitCode.NotFound, $"nothing runs on {folders.Data}; start it with ./dev run");

    public void Write(Folders folders) => Secrets.WritePrivate(folders.State, JsonSerializer.SerializeToUtf8Bytes(this, Json));
}

enum ProcessKind { Server, Dashboard, Service }

enum Health { Starting, Healthy, Unhealthy, Restarting, Held, Failed, Stopped }

/// <summary>One process. <c>Pid</c> is null while it is down; <c>Started</c> tells it from a later process with the same id.</summary>
sealed record ProcessState(string Name, ProcessKind Kind, string? Url, int Port, int? Pid, long? Started, int Restarts, Health Health)
{
    [JsonIgnore]
    public ProcessIdentity? Identity => Pid is { } pid && Started is { } started ? new(pid, started) : null;
}
