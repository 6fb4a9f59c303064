using System.Security.Cryptography;
using System.Text.Json;

namespace LlmGateway.AppHost.Native;

/// <summary>
/// Passwords and keys of one stack, made on its first start and kept beside its data: losing the master key would make stored provider
/// secrets unreadable.
/// </summary>
sealed record Secrets(string PostgresPassword, string RedisPassword, string RabbitMqPassword, string InternalKey, string MasterKey, string Pepper)
{
    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static Secrets LoadOrCreate(string path)
    {
        if (File.Exists(path))
            return JsonSerializer.Deserialize<Secrets>(File.ReadAllBytes(path), StackState.Json)!;
        // Passwords stand in connection strings, so they are hexadecimal; keys are 32 bytes in base64.
        var secrets = new Secrets(Password(), Password(), Password(), Key(), Key(), Key());
        WritePrivate(path, JsonSerializer.SerializeToUtf8Bytes(secrets, StackState.Json));
        return secrets;

        static string Password() => RandomNumberGenerator.GetHexString(32, lowercase: true);
        static string Key() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    }

    /// <summary>Replaces a file in one step; only its owner can read it, from its first byte on.</summary>
    public static void WritePrivate(string path, ReadOnlySpan<byte> content)
    {
        var next = path + ".next";
        File.Delete(next);
        using (var file = new FileStream(next, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
            file.Write(content);
        File.Move(next, path, overwrite: true);
    }
}
