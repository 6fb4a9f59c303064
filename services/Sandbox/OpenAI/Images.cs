namespace LlmGateway.Sandbox;

/// <summary><c>POST /v1/images/generations</c>: always the same dot; the size decides only what it costs.</summary>
public static class Images
{
    /// <summary>One token of output is so many pixels: 1024x1024 costs 256.</summary>
    const int PixelsPerToken = 4096;

    const int MaxImages = 10;

    const string Square = "1024x1024";

    /// <summary>A PNG of one grey pixel.</summary>
    const string Dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

    public static void MapImages(this IEndpointRouteBuilder routes) =>
        routes.MapTurn("/v1/images/generations", exchange => OpenAIError.Read(exchange, ReadTurn));

    static Turn ReadTurn(RequestFields fields)
    {
        var model = fields.Text("model") ?? "gpt-image-1";
        var prompt = Said.OfText(fields.RequiredText("prompt"));
        var count = fields.WholeNumber("n", 1, MaxImages) ?? 1;
        var size = fields.Text("size") is { } asked and not "auto" ? asked : Square;
        var quality = fields.Text("quality") is { } wanted and not "auto" ? wanted : "medium";
        if (Pixels(size) is not { } pixels)
        {
            fields.Fail($"Invalid value: '{size}'. Supported are WIDTHxHEIGHT and 'auto'.", "size", "invalid_value");
            pixels = 0;
        }
        var question = new Question(model, Question.FingerprintOf(model, fields.Any("prompt")), prompt.Tokens, Markers.Read(prompt.Text));
        return new(question, status => OpenAIError.OfStatus(status, model), (answer, behaviour) => new WholeReply(new
        {
            created = ChatShapes.Created,
            background = "opaque",
            data = Enumerable.Repeat(new { b64_json = Dot }, count),
            output_format = "png",
            quality = quality,
            size,
            usage = answer.Usage.As(behaviour.Usage) is [.., var usage] ? Describe(usage) : null,
        }))
        {
            Answer = (_, _) => Answer.OfTokens(question, count * Math.Max(1, pixels / PixelsPerToken)),
        };
    }

    static object Describe(Usage usage) => new
    {
        input_tokens = usage.Prompt,
        input_tokens_details = new { image_tokens = 0, text_tokens = usage.Prompt },
        output_tokens = usage.Completion,
        total_tokens = usage.Total,
    };

    static int? Pixels(string size) =>
        size.Split('x') is [var width, var height] && Side(width) is { } across && Side(height) is { } down ? across * down : null;

    static int? Side(string text) => int.TryParse(text, out var side) && side is > 0 and <= 8192 ? side : null;
}
