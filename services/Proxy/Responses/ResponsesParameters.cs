using System.Text.Json;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// The members of a Responses request that cost money in a way that no price of ours covers, in one place. Most of them bring in, as input, what the provider keeps: its
/// size is unknown here, and it may be another customer's. Members that are neither here nor read by <see cref="ResponsesRequestReader"/> pass through.
/// </summary>
static class ResponsesParameters
{
    const string Kept = "what it brings in as input is of unknown size; send the conversation itself as 'input'";

    /// <summary>Top-level members that are refused unless they are null or false.</summary>
    static readonly UnpricedMember[] Top =
    [
        new("previous_response_id", Kept),
        new("conversation", Kept),
        new("prompt", Kept),
        new("background", "an answer in the background ends when nobody is there to settle it"),
        new("context_management", "what sums up a conversation is an answer of its own and is billed too"),
        new("web_search_options", "searches are billed apart, and the pages found become input of unknown size"),
        new("search_parameters", "searches are billed by source"),
        new("plugins", "plugins are billed apart"),
    ];

    /// <summary>Members of an item or content part that bring in input of unknown size; refused unless they are null.</summary>
    static readonly UnpricedMember[] Content =
    [
        new("file_id", "what a file costs as input is unknown"),
        new("file_url", "what a file costs as input is unknown"),
        new("file_data", "what a file costs as input is unknown"),
        new("input_audio", "audio has rates of its own"),
        new("audio", "audio has rates of its own"),
        new("video_url", "what a video costs as input is unknown"),
    ];

    static readonly byte[][] Read =
    [
        "model"u8.ToArray(), "input"u8.ToArray(), "max_output_tokens"u8.ToArray(), "stream"u8.ToArray(), "tools"u8.ToArray(), "include"u8.ToArray(), "service_tier"u8.ToArray(),
    ];

    /// <summary>Refuses a top-level member whose cost has no price.</summary>
    public static void CheckTop(ReadOnlySpan<byte> name, JsonTokenType value)
    {
        UnpricedMember.Refuse(name, value, Top);
        UnpricedMember.RefuseLookAlike(name, Read, Top);
        ForbiddenMembers.Refuse(name, value);
    }

    /// <summary>Why a member of an item or part cannot be priced, or null.</summary>
    public static string? ReasonAgainstContent(ReadOnlySpan<byte> name, JsonTokenType value) =>
        value == JsonTokenType.Null ? null : UnpricedMember.ReasonAgainst(name, Content);

    /// <summary>Only what costs nothing beyond the answer's own tokens can be included in it.</summary>
    public static void CheckInclude(ref StrictJson json)
    {
        if (json.Token == JsonTokenType.Null)
            return;
        if (json.Token != JsonTokenType.StartArray)
            throw Invalid("include", "must be an array of strings");
        while (json.NextElement())
            if (!json.IsString("reasoning.encrypted_content"u8) && !json.IsString("message.output_text.logprobs"u8) && !json.IsString("message.input_image.image_url"u8))
                throw Unpriceable("include", "results of tools that the provider runs itself have no price");
    }
}
