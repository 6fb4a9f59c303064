using System.Text.Json;

namespace LlmGateway.Proxy;

public partial struct TokenEstimate
{
    /// <summary>
    /// What an image of usual size (1024 × 1024) costs at OpenAI as input. Others count between 258 and 1600. Images are not opened here.
    /// </summary>
    public const int UsualTokensPerImage = 765;

    /// <summary>
    /// Most input tokens of one image. OpenAI's worst case is 48 169: a high-detail image of 2 × 4 tiles for gpt-4o-mini, with 2 833 tokens
    /// and 5 667 for each tile. Remote and inlined images count alike, because neither is opened here.
    /// </summary>
    public const int MostTokensPerImage = 50_000;

    /// <summary>Output tokens that Google counts for an image of usual size, when a provider does not say.</summary>
    public const int TokensPerMadeImage = 1290;

    // The members of a body whose texts reach the model, in all wires.
    static readonly byte[][] Roots =
    [
        "messages"u8.ToArray(), "system"u8.ToArray(), "contents"u8.ToArray(), "systemInstruction"u8.ToArray(),
        "system_instruction"u8.ToArray(),
        "input"u8.ToArray(), "instructions"u8.ToArray(), "prompt"u8.ToArray(), "suffix"u8.ToArray(), "content"u8.ToArray(),
        "requests"u8.ToArray(),
    ];

    // Members that reach the model as JSON: definitions of tools and schemas.
    static readonly byte[][] Definitions =
        ["tools"u8.ToArray(), "functions"u8.ToArray(), "response_format"u8.ToArray(), "output_config"u8.ToArray()];

    // Members inside of the roots that are text.
    static readonly byte[][] Texts =
    [
        "content"u8.ToArray(), "text"u8.ToArray(), "refusal"u8.ToArray(), "arguments"u8.ToArray(), "reasoning_content"u8.ToArray(),
        "thinking"u8.ToArray(), "output"u8.ToArray(),
    ];

    // Members inside of the roots that hold JSON written or read by the model. Every string in them counts.
    static readonly byte[][] Objects = ["input"u8.ToArray(), "args"u8.ToArray(), "response"u8.ToArray()];

    // Members inside of the roots that are an image or another file.
    static readonly byte[][] Files =
    [
        "image_url"u8.ToArray(), "inlineData"u8.ToArray(), "inline_data"u8.ToArray(), "fileData"u8.ToArray(), "file_data"u8.ToArray(),
        "source"u8.ToArray(),
    ];

    /// <summary>Counts every text, image and definition of a tool in a request of any wire. It never throws.</summary>
    public static long OfRequest(ReadOnlySpan<byte> body)
    {
        var estimate = new TokenEstimate();
        try
        {
            var reader = new Utf8JsonReader(body);
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName)
                    continue;
                var (isRoot, isDefinition) = reader.CurrentDepth == 1
                    ? (IsOne(ref reader, Roots), IsOne(ref reader, Definitions))
                    : default;
                reader.Read();
                if (isRoot)
                    AddTexts(ref reader, ref estimate);
                else if (isDefinition)
                    AddDefinition(ref reader, ref estimate);
                else if (reader.CurrentDepth > 0)
                    reader.Skip();
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Only accepted requests are counted, and those are valid. In any other text the strings before the defect count.
        }
        return estimate.Tokens;
    }

    /// <summary>
    /// A string counts, and so do the strings of an array. A number in an array is a token already and counts as one. In an object the text
    /// members count.
    /// </summary>
    /// <param name="all">True lets every member of an object count.</param>
    static void AddTexts(ref Utf8JsonReader reader, ref TokenEstimate estimate, bool all = false)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            estimate.AddJson(reader.ValueSpan);
            estimate.Break();
        }
        else if (reader.TokenType == JsonTokenType.StartArray)
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                estimate._units += reader.TokenType == JsonTokenType.Number && !all ? Token : 0;
                AddTexts(ref reader, ref estimate, all);
            }
        else if (reader.TokenType == JsonTokenType.StartObject)
            while (reader.NextMember())
            {
                var (isText, isObject) = (all || IsOne(ref reader, Texts), all || IsOne(ref reader, Objects));
                var isFile = !all && IsOne(ref reader, Files);
                reader.Read();
                if (isFile)
                    AddFile(ref reader, ref estimate);
                else if (isText || isObject || reader.TokenType != JsonTokenType.String)
                    AddTexts(ref reader, ref estimate, isObject);
            }
    }

    /// <summary>An image, unless it is one of Anthropic's documents that are text.</summary>
    static void AddFile(ref Utf8JsonReader reader, ref TokenEstimate estimate)
    {
        var isText = false;
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            var ahead = reader;
            while (ahead.NextMember())
            {
                var isType = ahead.ValueTextEquals("type"u8);
                ahead.Read();
                isText |= isType && ahead.TokenType == JsonTokenType.String && ahead.ValueTextEquals("text"u8);
                ahead.StepOver();
            }
        }
        if (isText)
            AddTexts(ref reader, ref estimate, all: true);
        else
        {
            estimate._units += UsualTokensPerImage * Token;
            reader.StepOver();
        }
    }

    /// <summary>The JSON itself counts, without the blanks between its tokens.</summary>
    static void AddDefinition(ref Utf8JsonReader reader, ref TokenEstimate estimate)
    {
        var depth = reader.CurrentDepth;
        do
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName or JsonTokenType.String:
                    estimate.Step(Kind.Sign);
                    estimate.AddJson(reader.ValueSpan);
                    estimate.Add(reader.TokenType == JsonTokenType.String ? "\","u8 : "\":"u8);
                    break;
                case JsonTokenType.StartObject or JsonTokenType.StartArray or JsonTokenType.EndObject or JsonTokenType.EndArray:
                    estimate.Step(Kind.Sign);
                    break;
                default:
                    estimate.Add(reader.ValueSpan);
                    estimate.Step(Kind.Sign);
                    break;
            }
        }
        while ((reader.CurrentDepth > depth || reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray) && reader.Read());
        estimate.Break();
    }

    static bool IsOne(ref Utf8JsonReader reader, byte[][] names)
    {
        foreach (var name in names)
            if (reader.ValueTextEquals(name))
                return true;
        return false;
    }
}
