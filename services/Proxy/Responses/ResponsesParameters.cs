using System.Text.Json;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// The members of a Responses request whose cost no price of ours covers. Some of them bring in, as input, something that the provider
/// stored: its size is unknown here, and it may be another customer's. Members that neither this table nor
/// <see cref="ResponsesRequestReader"/> names pass through.
/// </summary>
static class ResponsesParameters
{
    const string Kept = "what it brings in as input is of unknown size; send the conversation itself as 'input'";

    /// <summary>Outside batches it has been replaced by what it names before the request is read.</summary>
    const string NotInBatches = "lines of a batch continue no response; send the conversation itself as 'input'";

    /// <summary>Top-level members that are refused unless they are null or false.</summary>
    static readonly UnpricedMember[] Top =
    [
        new("previous_response_id", NotInBatches),
        new("conversation", Kept),
        new("prompt", Kept),
        new("background", "an answer in the background ends when nobody is there to settle it"),
        new("context_management", "what sums up a conversation is an answer of its own and is billed too"),
        new("web_search_options", "searches are billed apart, and the pages found become input of unknown size"),
        new("search_parameters", "searches are billed by source"),
        new("plugins", "plugins are billed apart"),
    ];

    /// <summary>
    /// Members of an item or content part that are refused unless they are null: their tokens have other rates than text, or what they name
    /// may be another customer's.
    /// </summary>
    static readonly UnpricedMember[] Content =
    [
        new("file_id", "files that the provider stores belong to the project; send 'file_data'"),
        new("input_audio", "audio has rates of its own"),
        new("audio", "audio has rates of its own"),
        new("video_url", "videos have sound, which has rates of its own"),
    ];

    static readonly byte[][] Read =
    [
        "model"u8.ToArray(), "input"u8.ToArray(), "max_output_tokens"u8.ToArray(), "stream"u8.ToArray(), "tools"u8.ToArray(),
        "tool_choice"u8.ToArray(), "service_tier"u8.ToArray(), "store"u8.ToArray(), "include"u8.ToArray(),
        "max_tool_calls"u8.ToArray(),
    ];

    /// <summary>Refuses a top-level member whose cost has no price.</summary>
    public static void CheckTop(ReadOnlySpan<byte> name, JsonTokenType value)
    {
        UnpricedMember.Refuse(name, value, Top);
        UnpricedMember.RefuseLookAlike(name, Read, Top);
        ForbiddenMembers.Refuse(name, value);
    }

    /// <summary>The reason why a member of an item or part cannot be priced, or null.</summary>
    public static string? ReasonAgainstContent(ReadOnlySpan<byte> name, JsonTokenType value) =>
        value == JsonTokenType.Null ? null : UnpricedMember.ReasonAgainst(name, Content);
}
