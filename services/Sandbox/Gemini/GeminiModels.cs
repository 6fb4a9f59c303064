namespace LlmGateway.Sandbox;

/// <summary>The list of models in Google's shape.</summary>
public static class GeminiModels
{
    const int DefaultPage = 50;
    const int LargestPage = 1000;
    const string Prefix = "models/";

    static readonly string[] Bases = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001"];

    /// <summary>A page; its token is the number of models before it.</summary>
    public static IResult List(HttpRequest request)
    {
        var size = int.TryParse(request.Query["pageSize"], out var asked) && asked > 0 ? Math.Min(asked, LargestPage) : DefaultPage;
        var start = int.TryParse(request.Query["pageToken"], out var token) && token > 0 ? token : 0;
        string[] names = [.. Models.Names(Bases)];
        var models = names.Skip(start).Take(size).Select(Describe);
        return start + size < names.Length ? Results.Json(new { models, nextPageToken = $"{start + size}" }) : Results.Json(new { models });
    }

    public static IResult One(string id) => Faults.Of(id).ErrorStatus == StatusCodes.Status404NotFound
        ? GeminiError.OfStatus(StatusCodes.Status404NotFound, id)
        : Results.Json(Describe(id));

    static object Describe(string id) => new
    {
        name = Prefix + id,
        version = "001",
        displayName = id,
        description = "A model of the sandbox.",
        inputTokenLimit = 1_048_576,
        outputTokenLimit = 65_536,
        supportedGenerationMethods = new[] { "generateContent", "countTokens", "embedContent" },
        temperature = 1,
        topP = 0.95,
        topK = 64,
    };
}
