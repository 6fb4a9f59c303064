namespace LlmGateway.Sandbox;

/// <summary>The list of models in Anthropic's shape.</summary>
public static class AnthropicModels
{
    const int DefaultPage = 20;
    const int LargestPage = 1000;

    static readonly string[] Bases = ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"];

    /// <summary>A page, after or before an id.</summary>
    public static IResult List(HttpRequest request)
    {
        var size = int.TryParse(request.Query["limit"], out var asked) ? Math.Clamp(asked, 1, LargestPage) : DefaultPage;
        string[] names = [.. Models.Names(Bases)];
        var isBackwards = request.Query.ContainsKey("before_id");
        var anchor = Array.IndexOf(names, request.Query[isBackwards ? "before_id" : "after_id"].ToString());
        var rest = isBackwards ? names[..Math.Max(0, anchor)] : names[(anchor + 1)..];
        var page = (isBackwards ? rest.TakeLast(size) : rest.Take(size)).ToArray();
        return Results.Json(new
        {
            data = page.Select(Describe),
            has_more = page.Length < rest.Length,
            first_id = page.FirstOrDefault(),
            last_id = page.LastOrDefault(),
        });
    }

    public static IResult One(string id) => Faults.Of(id).ErrorStatus == StatusCodes.Status404NotFound
        ? AnthropicError.OfStatus(StatusCodes.Status404NotFound, id)
        : Results.Json(Describe(id));

    static object Describe(string id) => new
    {
        type = "model",
        id,
        display_name = id,
        created_at = "2025-01-01T00:00:00Z",
        lifecycle = "active",
        max_input_tokens = 200_000,
        max_tokens = 64_000,
    };
}
