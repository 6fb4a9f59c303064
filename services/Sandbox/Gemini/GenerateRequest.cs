using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>A request of Gemini's <c>generateContent</c>.</summary>
public static class GenerateRequest
{
    const int MaxCandidates = 8;

    public static Question Read(string model, RequestFields fields)
    {
        var system = fields.Any("systemInstruction");
        var contents = fields.RequiredArray("contents");
        var orders = new ToolOrders();
        var (tokens, lastUserText) = ReadContents(contents, orders);
        return new(model, Question.FingerprintOf(model, system, contents), tokens + SystemTokens(system), Markers.Read(lastUserText))
        {
            Choices = fields.WholeNumber("generationConfig.candidateCount", 1, MaxCandidates) ?? 1,
            MaxTokens = fields.WholeNumber("generationConfig.maxOutputTokens", 1, int.MaxValue),
            Stops = fields.Texts("generationConfig.stopSequences"),
            Calls = fields.Array("tools")?.EnumerateArray().Any(DeclaresFunctions) == true
                && fields.Text("toolConfig.functionCallingConfig.mode") != "NONE" ? orders.Due() : [],
            WantsJson = fields.Text("generationConfig.responseMimeType") == "application/json",
            WantsThoughts = fields.Flag("generationConfig.thinkingConfig.includeThoughts"),
        };
    }

    /// <summary>The text of all contents, and that of the user's last one.</summary>
    public static (int Tokens, string LastUserText) ReadContents(JsonElement contents, ToolOrders? orders = null)
    {
        var tokens = 0;
        var lastUserText = "";
        foreach (var content in contents.EnumerateArray())
        {
            var said = Said.Of(content.AnyMember("parts"), OfPart);
            tokens += said.Tokens;
            if (content.AnyMember("parts") is { } parts)
            {
                orders?.AddResults(Said.Count(parts, part => part.AnyMember("functionResponse") is not null));
            }
            if ((content.TextMember("role") ?? "user") == "user")
            {
                lastUserText = said.Text;
                orders?.AddUserText(Said.Of(content.AnyMember("parts"), _ => Said.Nothing).Text);
            }
        }
        return (tokens, lastUserText);
    }

    /// <summary>A content, or a text by itself.</summary>
    static int SystemTokens(JsonElement? system) => Said.Of(system?.AnyMember("parts") ?? system, OfPart).Tokens;

    static Said OfPart(JsonElement part) => part.ValueKind switch
    {
        JsonValueKind.Object when part.AnyMember("functionResponse") is { } result =>
            Said.OfText((result.AnyMember("response") ?? result).GetRawText()),
        JsonValueKind.Object when part.AnyMember("inlineData") is not null || part.AnyMember("fileData") is not null => Said.OtherPart,
        _ => Said.Nothing,
    };

    static bool DeclaresFunctions(JsonElement tool) =>
        tool.AnyMember("functionDeclarations") is { ValueKind: JsonValueKind.Array } functions && functions.GetArrayLength() > 0;
}
