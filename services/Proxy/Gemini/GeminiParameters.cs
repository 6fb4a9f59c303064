namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// What decides the cost of a Gemini request, object by object. Members with a reason are refused: no price covers them, and a request
/// without an upper bound could overspend a wallet. Unlisted members pass through. An unlisted part is held at the model's context, and an
/// unlisted tool is Google's to run.
/// </summary>
static class GeminiParameters
{
    const string UnknownInput = "what it brings in as input is of unknown size";
    const string Spoken = "spoken answers have rates of their own";

    public static readonly GeminiFields Top = new(
        new("contents"), new("systemInstruction"), new("tools"), new("toolConfig"), new("generationConfig"), new("serviceTier"),
        new("model"),
        new("cachedContent", "stored content is billed by the hour, and its size is unknown"),
        new("continuationToken", UnknownInput));

    public static readonly GeminiFields Config = new(
        new("maxOutputTokens"), new("candidateCount"), new("responseModalities"), new("thinkingConfig"),
        new("speechConfig", Spoken), new("translationConfig", Spoken), new("audioTranscriptionConfig", Spoken),
        new("enableAffectiveDialog", Spoken),
        new("imageConfig", "images have rates of their own"),
        new("responseFormat", "it can ask for sound and images, which have rates of their own; use 'responseMimeType'"),
        new("routingConfig", "the route is the project's to choose"),
        new("modelSelectionConfig", "the model is in the address"));

    public static readonly GeminiFields Thinking = new(new GeminiField("thinkingBudget"));

    public static readonly GeminiFields Content = new(new("role"), new("parts"));

    public static readonly GeminiFields Part = new(
        new("text"), new("thought"), new("thoughtSignature"), new("functionCall"), new("functionResponse"), new("inlineData"),
        new("fileData"),
        new("executableCode"), new("codeExecutionResult"), new("partMetadata"), new("mediaResolution"),
        new("videoMetadata", "videos have sound, which has rates of its own"),
        new("toolCall"), new("toolResponse"), new("audioTranscription"), new("mediaProcessing"), new("speechMetadata"));

    /// <summary>Of <c>inlineData</c> and <c>fileData</c>.</summary>
    public static readonly GeminiFields Media = new(new("mimeType"), new("data"), new("fileUri"), new("displayName"));

    /// <summary>The named levels stay far below <see cref="TokenEstimate.MostTokensPerImage"/>.</summary>
    public static readonly GeminiFields MediaResolution = new(
        new("level"), new("numTokens", "an image may then cost any number of tokens; use 'level'"));

    public static readonly GeminiFields FunctionResponse = new(new GeminiField("parts"));

    public static readonly GeminiFields FunctionResponsePart = new(new("inlineData"), new("fileData"));

    /// <summary>The tools that the caller runs.</summary>
    public static readonly GeminiFields Tool = new(new("functionDeclarations"), new("computerUse"));
}
