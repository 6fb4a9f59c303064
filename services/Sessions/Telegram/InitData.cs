using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// What Telegram tells a Mini App of who has opened it (<c>initData</c>): fields as in a query, signed with the token of the app's bot. The
/// signature is of the values as they came, decoded once: who reads the JSON in them and writes it again has other bytes. Nothing in them
/// is believed before <see cref="IsSignedFor"/> has said so.
/// </summary>
public sealed partial class InitData
{
    public const int MaxLength = 8192;

    /// <summary>Telegram sends about ten.</summary>
    const int MaxFields = 64;

    /// <summary>Seconds by which Telegram's clock may be ahead of ours.</summary>
    public const int MaxAhead = 60;

    const string Hex = "hash";

    public static readonly Problem WithoutHash = Problems.InitData(
        "init_data_unsigned", "'initData' has no hash. Send the text that Telegram has given to the app, whole and as it is.");

    public static readonly Problem NotOfBot = Problems.InitData(
        "init_data_invalid",
        "'initData' is not what Telegram has signed for a bot of this project. Send the text that Telegram has given to the app as it is, "
            + "and look whether the project has the bot's present token.");

    public static readonly Problem Expired = Problems.InitData(
        "init_data_expired", "'initData' is too old. The app must be opened again.");

    public static readonly Problem InFuture = Problems.InitData(
        "init_data_in_future", "'initData' is of a time that is still to come. The clock of the gateway may be wrong.");

    public static readonly Problem Replayed = Problems.InitData(
        "init_data_replayed", "'initData' has made a session already. Use and refresh that one, or open the app again.");

    /// <summary>Without <see cref="Hex"/>, each decoded once.</summary>
    readonly Dictionary<string, byte[]> _fields;

    readonly byte[] _lines;

    InitData(Dictionary<string, byte[]> fields, byte[] hash) => (_fields, _lines, Hash) = (fields, LinesOf(fields), hash);

    /// <summary>The signature. The same data has the same one, however it is escaped and ordered.</summary>
    public byte[] Hash { get; }

    /// <summary>Takes the text apart. Throws a 400 for one that is too long, and a 401 for what Telegram cannot have signed.</summary>
    public static InitData Read(string text)
    {
        if (text.Length is 0 or > MaxLength)
            throw Fields.Invalid("initData", $"must have from 1 to {MaxLength} characters");
        var fields = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var field in text.Split('&', MaxFields + 1))
        {
            var end = field.IndexOf('=', StringComparison.Ordinal);
            // A name with an escape could stand for a part of its value.
            if (end < 0 || !FieldName.IsMatch(field[..end]) || Decode(field[(end + 1)..]) is not { } value
                || fields.Count == MaxFields || !fields.TryAdd(field[..end], value))
                throw new ProblemException(NotOfBot);
        }
        if (!fields.Remove(Hex, out var hash))
            throw new ProblemException(WithoutHash);
        var hex = Encoding.UTF8.GetString(hash);
        return HashText.IsMatch(hex) ? new(fields, Convert.FromHexString(hex)) : throw new ProblemException(NotOfBot);
    }

    /// <summary>True when Telegram has signed it for this bot. Takes as long for a wrong hash as for the right one.</summary>
    public bool IsSignedFor(string botToken) => CryptographicOperations.FixedTimeEquals(
        HMACSHA256.HashData(HMACSHA256.HashData("WebAppData"u8, Encoding.UTF8.GetBytes(botToken)), _lines), Hash);

    /// <summary>Why it is not taken now, or null. Clients keep it: an app that is loaded again has that of its first start.</summary>
    public Problem? Refusal(DateTimeOffset now, int maxAgeSeconds)
    {
        if (!_fields.TryGetValue("auth_date", out var text)
            || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var signedAt))
            return NotOfBot;
        var age = now.ToUnixTimeSeconds() - signedAt;
        return age > maxAgeSeconds ? Expired : age < -MaxAhead ? InFuture : null;
    }

    /// <summary>Who has opened the app. Throws a 400 where that is nobody.</summary>
    public (long Id, string? Name) User()
    {
        try
        {
            if (_fields.TryGetValue("user", out var json))
            {
                using var user = JsonDocument.Parse(json);
                if (user.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("id", out var id)
                    && id.ValueKind == JsonValueKind.Number && id.TryGetInt64(out var number) && number > 0)
                    return (number, NameOf(root));
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No JSON, or half a surrogate pair in it: it names nobody.
        }
        throw Fields.Invalid("initData", "names no user: an app that was opened from a keyboard or inline has none");
    }

    /// <summary>Null where it is none that a customer may have.</summary>
    static string? NameOf(JsonElement user)
    {
        var parts = ((string[])["first_name", "last_name"])
            .Select(part => user.TryGetProperty(part, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null)
            .Where(part => !string.IsNullOrWhiteSpace(part));
        var name = string.Join(' ', parts);
        return Fields.TextError(name) is null ? name : null;
    }

    /// <summary>What the signature is of: a line for each field, in the order of their names.</summary>
    static byte[] LinesOf(Dictionary<string, byte[]> fields)
    {
        using var lines = new MemoryStream();
        foreach (var (name, value) in fields.OrderBy(field => field.Key, StringComparer.Ordinal))
        {
            if (lines.Length > 0)
                lines.WriteByte((byte)'\n');
            lines.Write(Encoding.ASCII.GetBytes($"{name}="));
            lines.Write(value);
        }
        return lines.ToArray();
    }

    /// <summary>The value as it was before it was escaped, once. Null for what nobody escapes so, and for a line feed: it would be two
    /// lines.</summary>
    static byte[]? Decode(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var length = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            var next = bytes[i] == '+' ? (byte)' ' : bytes[i];
            if (next == '%')
            {
                if (i + 2 >= bytes.Length
                    || !byte.TryParse(bytes.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out next))
                    return null;
                i += 2;
            }
            if (next < ' ')
                return null;
            bytes[length++] = next;
        }
        return bytes[..length];
    }

    [GeneratedRegex(@"^[a-z0-9_]{1,64}\z")]
    private static partial Regex FieldName { get; }

    [GeneratedRegex(@"^[0-9a-fA-F]{64}\z")]
    private static partial Regex HashText { get; }
}
