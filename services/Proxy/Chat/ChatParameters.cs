using System.Text.Json;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Chat;

/// <summary>
/// The members of a chat request whose cost no price of ours covers. They are refused: a request without an upper bound could overspend a
/// wallet. Members that neither this table nor <see cref="ChatRequestReader"/> names pass through.
/// </summary>
static class ChatParameters
{
    /// <summary>Top-level members that are refused unless they are null or false.</summary>
    static readonly UnpricedMember[] Top =
    [
        new("audio", "spoken answers have rates of their own"),
        new("prediction", "rejected predicted tokens are billed beyond the output limit"),
        new("web_search_options", "searches are billed apart, and the pages found become input of unknown size"),
        new("web_search", "searches are billed apart, and the pages found become input of unknown size"),
        new("search_parameters", "searches are billed by source"),
        new("enable_search", "searches are billed apart"),
        new("plugins", "plugins are billed apart"),
        new("best_of", "answers that are thrown away are billed too; use 'n'"),
    ];

    /// <summary>Members of a message or content part whose tokens have other rates than text; refused unless they are null.</summary>
    static readonly UnpricedMember[] Content =
    [
        new("audio", "what an earlier spoken answer costs as input is unknown"),
        new("input_audio", "audio has rates of its own"),
        new("audio_url", "audio has rates of its own"),
        new("file_id", "files that the provider stores belong to the project; send the content itself"),
        new("video_url", "videos have sound, which has rates of its own"),
    ];

    /// <summary>Members that decide the cost and are read. Any other spelling of their names is refused.</summary>
    static readonly byte[][] Read =
    [
        "model"u8.ToArray(), "messages"u8.ToArray(), "n"u8.ToArray(), "max_tokens"u8.ToArray(), "max_completion_tokens"u8.ToArray(),
        "stream"u8.ToArray(), "stream_options"u8.ToArray(), "tools"u8.ToArray(), "functions"u8.ToArray(), "service_tier"u8.ToArray(),
        "modalities"u8.ToArray(),
    ];

    /// <summary>Refuses a top-level member whose cost has no price.</summary>
    public static void CheckTop(ReadOnlySpan<byte> name, JsonTokenType value) => CheckTop(name, value, Read);

    /// <inheritdoc cref="CheckTop(ReadOnlySpan{byte}, JsonTokenType)"/>
    /// <param name="read">Members that decide the cost on this wire and are read.</param>
    public static void CheckTop(ReadOnlySpan<byte> name, JsonTokenType value, byte[][] read)
    {
        UnpricedMember.Refuse(name, value, Top);
        UnpricedMember.RefuseLookAlike(name, read, Top);
        ForbiddenMembers.Refuse(name, value);
    }

    /// <summary>The reason why a member of a message or part cannot be priced, or null.</summary>
    public static string? ReasonAgainstContent(ReadOnlySpan<byte> name, JsonTokenType value) =>
        value == JsonTokenType.Null ? null : UnpricedMember.ReasonAgainst(name, Content);

    public static void CheckModalities(ref StrictJson json)
    {
        if (json.Token == JsonTokenType.Null)
            return;
        if (json.Token != JsonTokenType.StartArray)
            throw Invalid("modalities", "must be an array of strings");
        while (json.NextElement())
            if (!json.IsString("text"u8))
                throw Unpriceable("modalities", "only 'text' has a price");
    }
}
