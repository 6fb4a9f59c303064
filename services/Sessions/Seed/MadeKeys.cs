using System.Text.Json;

namespace LlmGateway.Sessions;

/// <summary>A key that was made because the seed brought none.</summary>
/// <param name="Path">Project, customer if it is one's, and name, with slashes between.</param>
public sealed record MadeKey(string Path, string Secret);

/// <summary>
/// Tells the operator the keys that the gateway made: in a file that only its owner can read or, where none is set, on the console, once.
/// Nothing else has them. They never go to the log, whose lines are exported, kept and searched.
/// </summary>
/// <param name="file">JSON, an object with a member for each key. Keys that are there stay.</param>
public sealed class MadeKeys(string? file, TextWriter console)
{
    public const string Setting = "Sessions:KeyFile";

    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>
    /// To be called before the keys are committed. After a crash in between, a key is told that does not work, and made again; the other
    /// way round a key would work that nobody knows.
    /// </summary>
    public void Tell(IReadOnlyCollection<MadeKey> keys)
    {
        if (file is null)
            foreach (var key in keys)
                console.WriteLine($"made the key {key.Path}, shown only now: {key.Secret}");
        else if (keys.Count > 0)
            Write(file, keys);
    }

    static void Write(string file, IReadOnlyCollection<MadeKey> keys)
    {
        var all = File.Exists(file) ? JsonSerializer.Deserialize<SortedDictionary<string, string>>(File.ReadAllBytes(file))! : [];
        foreach (var key in keys)
            all[key.Path] = key.Secret;
        var next = file + ".next";
        File.Delete(next);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = OwnerOnly;
        using (var stream = new FileStream(next, options))
            JsonSerializer.Serialize(stream, all, Indented);
        File.Move(next, file, overwrite: true);
    }
}
