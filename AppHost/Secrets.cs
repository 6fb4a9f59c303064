using System.Text.Json;
using Aspire.Hosting.Publishing;

namespace LlmGateway.AppHost;

/// <summary>
/// Passwords and keys of one stack, made when they are first needed and kept beside its data: with another master key, stored provider
/// secrets could not be read any more. Aspire's own store is the user's and knows one app host only once.
/// </summary>
sealed class Secrets(string path)
{
    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Letters and digits alone, because some stand in connection strings: 43 of them have 256 bits.</summary>
    static readonly GenerateParameterDefault Generated = new() { MinLength = 43, Special = false };

    readonly Lock _gate = new();

    /// <summary>A parameter <c>Parameters:NAME</c>, or what is kept under that name.</summary>
    public IResourceBuilder<ParameterResource> AddTo(IDistributedApplicationBuilder builder, string name) =>
        builder.AddParameter(name, builder.ExecutionContext.IsRunMode ? new Kept(this, name) : Generated, secret: true);

    public bool Has(string name) => Read().ContainsKey(name);

    public string Get(string name)
    {
        lock (_gate)
        {
            var secrets = Read();
            if (secrets.TryGetValue(name, out var kept))
                return kept;
            secrets[name] = Generated.GetDefaultValue();
            WritePrivate(path, JsonSerializer.SerializeToUtf8Bytes(secrets));
            return secrets[name];
        }
    }

    SortedDictionary<string, string> Read() =>
        File.Exists(path) ? JsonSerializer.Deserialize<SortedDictionary<string, string>>(File.ReadAllBytes(path))! : [];

    /// <summary>Replaces a file in one step; only its owner can read it, from its first byte on.</summary>
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

    sealed class Kept(Secrets secrets, string name) : ParameterDefault
    {
        public override string GetDefaultValue() => secrets.Get(name);

        public override void WriteToManifest(ManifestPublishingContext context) => Generated.WriteToManifest(context);
    }
}
