using System.Text;
using System.Text.Json;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// The members of a Messages request whose cost no price of ours covers. They are refused: a request without an upper bound could overspend
/// a wallet. Members that neither this table nor <see cref="AnthropicRequestReader"/> names pass through.
/// </summary>
static class AnthropicParameters
{
    /// <summary>Refused unless they are null, false or an empty array.</summary>
    static readonly (byte[] Name, string Reason)[] Unpriced =
    [
        ("mcp_servers"u8.ToArray(), "what tools of remote servers bring in is input of unknown size"),
        ("container"u8.ToArray(), "containers are billed by the hour"),
        ("plugins"u8.ToArray(), "plugins are billed apart"),
        ("workspace_id"u8.ToArray(), "the provider's workspace is the project's to choose"),
    ];

    /// <summary>Members that decide the cost and are read. Any other spelling of their names is refused.</summary>
    static readonly byte[][] Read =
    [
        "model"u8.ToArray(), "messages"u8.ToArray(), "max_tokens"u8.ToArray(), "stream"u8.ToArray(), "system"u8.ToArray(),
        "tools"u8.ToArray(), "tool_choice"u8.ToArray(), "thinking"u8.ToArray(),
        "service_tier"u8.ToArray(), "speed"u8.ToArray(), "inference_geo"u8.ToArray(), "context_management"u8.ToArray(),
    ];

    /// <summary>
    /// Refuses a top-level member whose cost has no price, and other spellings of the members that decide the cost: some servers match
    /// names without regard to case.
    /// </summary>
    public static void CheckTop(ReadOnlySpan<byte> name, ref StrictJson json)
    {
        foreach (var known in Read)
            if (Ascii.EqualsIgnoreCase(name, known))
                throw Invalid(Encoding.UTF8.GetString(name), $"must be written '{Encoding.UTF8.GetString(known)}'");
        foreach (var (unpriced, reason) in Unpriced)
            if (Ascii.EqualsIgnoreCase(name, unpriced) && !IsNothing(ref json))
                throw Unpriceable(Encoding.UTF8.GetString(name), reason);
        ForbiddenMembers.Refuse(name, json.Token);
    }

    /// <summary>A choice for which only the plain values have a price. Null means the plain value.</summary>
    public static void CheckPlain(ref StrictJson json, string path, string reason, ReadOnlySpan<byte> plain, ReadOnlySpan<byte> orPlain)
    {
        if (json.Token != JsonTokenType.Null && !json.IsString(plain) && !json.IsString(orPlain))
            throw Unpriceable(path, reason);
    }

    /// <summary>
    /// Removing old content costs nothing. Any other edit of a conversation by the provider is work of a model, and billed.
    /// </summary>
    public static void CheckContextManagement(ref StrictJson json)
    {
        if (json.Token == JsonTokenType.Null)
            return;
        if (json.Token != JsonTokenType.StartObject)
            throw Invalid("context_management", "must be an object");
        ReadOnlySpan<byte> name = default;
        while (json.NextMember(ref name))
        {
            if (!name.SequenceEqual("edits"u8) || json.Token != JsonTokenType.StartArray)
                throw Unpriceable($"context_management.{Encoding.UTF8.GetString(name)}", "only 'edits' that clear something have a price");
            for (var index = 0; json.NextElement(); index++)
                CheckEdit(ref json, index);
        }
    }

    static void CheckEdit(ref StrictJson json, int index)
    {
        var clears = false;
        ReadOnlySpan<byte> name = default;
        if (json.Token == JsonTokenType.StartObject)
            while (json.NextMember(ref name))
            {
                clears |= name.SequenceEqual("type"u8) && json.Token == JsonTokenType.String
                    && json.GetString().StartsWith("clear_", StringComparison.Ordinal);
                json.Skip();
            }
        if (!clears)
            throw Unpriceable($"context_management.edits[{index}]", "only edits that clear something have a price");
    }

    static bool IsNothing(ref StrictJson json)
    {
        if (json.Token is JsonTokenType.Null or JsonTokenType.False)
            return true;
        return json.Token == JsonTokenType.StartArray && !json.NextElement();
    }
}
