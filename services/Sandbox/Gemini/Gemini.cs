namespace LlmGateway.Sandbox;

/// <summary>
/// <c>POST /v1beta/models/{model}:generateContent</c>, <c>:streamGenerateContent</c> (server-sent events with <c>alt=sse</c>, else one JSON
/// array, element by element), <c>:countTokens</c>, <c>:embedContent</c> and <c>:batchEmbedContents</c>; the same under <c>/v1</c>.
/// </summary>
public static class Gemini
{
    public static void MapGemini(this IEndpointRouteBuilder routes)
    {
        routes.MapTurn("/v1beta/models/{**target}", Read);
        routes.MapTurn("/v1/models/{**target}", Read);
    }

    static (Turn? Turn, IResult? Refusal) Read(Exchange exchange)
    {
        var target = exchange.Context.Request.RouteValues["target"]?.ToString() ?? "";
        var colon = Math.Max(0, target.LastIndexOf(':'));
        var (model, method) = (target[..colon], target[(colon == 0 ? 0 : colon + 1)..]);
        Func<RequestFields, Turn>? read = method switch
        {
            "generateContent" => fields => Generate(GenerateRequest.Read(model, fields)),
            "streamGenerateContent" =>
                fields => Stream(GenerateRequest.Read(model, fields), exchange.Context.Request.Query["alt"] == "sse"),
            "countTokens" => fields => Count(model, fields),
            "embedContent" => fields => GeminiEmbeddings.Read(model, fields, isBatch: false),
            "batchEmbedContents" => fields => GeminiEmbeddings.Read(model, fields, isBatch: true),
            _ => null,
        };
        return read is null ? (null, GeminiError.OfStatus(StatusCodes.Status404NotFound, target)) : GeminiError.Read(exchange, read);
    }

    static Turn Generate(Question question) => new(question, status => GeminiError.OfStatus(status, question.Model), (answer, behaviour) =>
        new WholeReply(GenerateShapes.Whole(question, answer, behaviour)));

    static Turn Stream(Question question, bool asEvents) =>
        new(question, status => GeminiError.OfStatus(status, question.Model), (answer, behaviour) =>
        {
            var chunks = GenerateShapes.Stream(question, answer, behaviour);
            return asEvents ? GenerateShapes.Events(chunks) : GenerateShapes.Elements(chunks, behaviour);
        });

    static Turn Count(string model, RequestFields fields)
    {
        var inner = fields.Any("generateContentRequest") is { } request ? new RequestFields(request) : fields;
        var question = GenerateRequest.Read(model, inner);
        if (inner.Bad is { } bad)
        {
            fields.Fail(bad.Message, bad.Param, bad.Code);
        }
        object counted = new
        {
            totalTokens = question.PromptTokens,
            promptTokensDetails = new[] { new { modality = "TEXT", tokenCount = question.PromptTokens } },
        };
        return new(question, status => GeminiError.OfStatus(status, model), (_, _) => new WholeReply(counted))
        {
            Answer = (_, _) => Answer.OfTokens(question, 0),
        };
    }
}
