using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace LlmGateway.AppHost;

/// <summary>A key, and those that are accepted beside it while one replaces the other.</summary>
sealed record StackKeys(
    string Setting, IResourceBuilder<ParameterResource> First, IReadOnlyList<IResourceBuilder<ParameterResource>> Accepted);

/// <summary>
/// Passwords and keys of one stack. Each is made when it is first needed and kept beside the stack's data: with another master key, stored
/// provider secrets could not be read any more. Aspire's own store is the user's, and knows an app host only once.
/// </summary>
sealed class Secrets(StackFolder folder, IConfiguration configuration)
{
    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>43 letters and digits have 256 bits. Other characters would need quoting in connection strings.</summary>
    static readonly GenerateParameterDefault Generated = new() { MinLength = 43, Special = false };

    readonly Lock _gate = new();

    /// <summary>A parameter <c>Parameters:NAME</c>, or what is kept under that name.</summary>
    public IResourceBuilder<ParameterResource> AddTo(IDistributedApplicationBuilder builder, string name) =>
        builder.ExecutionContext.IsRunMode
            ? builder.AddParameter(name, () => Get(name), secret: true)
            : builder.AddParameter(name, Generated, secret: true);

    /// <summary>
    /// <c>accepted-NAME-1</c> and so on, as many as are given or kept. None is ever made. A manifest has those that are given: what is
    /// kept is another stack's.
    /// </summary>
    public IReadOnlyList<IResourceBuilder<ParameterResource>> AddAcceptedTo(IDistributedApplicationBuilder builder, string name)
    {
        var accepted = new List<IResourceBuilder<ParameterResource>>();
        for (var one = $"accepted-{name}-1"; IsKnown(one); one = $"accepted-{name}-{accepted.Count + 1}")
        {
            var key = one;
            accepted.Add(builder.ExecutionContext.IsRunMode
                ? builder.AddParameter(key, () => Get(key), secret: true)
                : builder.AddParameter(key, secret: true));
        }
        return accepted;

        bool IsKnown(string key) => builder.ExecutionContext.IsRunMode ? Has(key) : Given(key) is not null;
    }

    public bool Has(string name) => Given(name) is not null || Read().ContainsKey(Plain(name));

    public string Get(string name)
    {
        if (Given(name) is { } given)
            return given;
        lock (_gate)
        {
            var secrets = Read();
            if (secrets.TryGetValue(Plain(name), out var kept))
                return kept;
            var made = secrets[Plain(name)] = Generated.GetDefaultValue();
            WritePrivate(folder.Of("secrets.json"), JsonSerializer.SerializeToUtf8Bytes(secrets));
            return made;
        }
    }

    /// <summary>Replaces a file in one step. Only its owner can read it, from its first byte on.</summary>
    public static void WritePrivate(string path, ReadOnlySpan<byte> content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var next = path + ".next";
        File.Delete(next);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly };
        using (var file = new FileStream(next, options))
            file.Write(content);
        File.Move(next, path, overwrite: true);
    }

    string? Given(string name) => configuration[$"Parameters:{name}"] is { Length: > 0 } given ? given : null;

    Dictionary<string, string> Read()
    {
        var path = folder.Of("secrets.json");
        try
        {
            return File.Exists(path)
                ? JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllBytes(path))!
                    .ToDictionary(secret => Plain(secret.Key), secret => secret.Value)
                : [];
        }
        catch (JsonException e)
        {
            throw new DistributedApplicationException($"{path} is broken, restore it: {e.Message}");
        }
    }

    /// <summary>Earlier versions wrote <c>masterKey</c> and <c>master-key</c>.</summary>
    static string Plain(string name) => name.Replace("-", "", StringComparison.Ordinal).ToLowerInvariant();
}
