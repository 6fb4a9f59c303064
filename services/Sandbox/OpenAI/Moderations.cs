using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary><c>POST /v1/moderations</c>: nothing is flagged but what <c>[[flag:CATEGORY]]</c> orders, for each text by itself.</summary>
public static class Moderations
{
    static readonly string[] Categories =
    [
        "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
        "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
    ];

    static readonly string[] Text = ["text"];

    public static void MapModerations(this IEndpointRouteBuilder routes) =>
        routes.MapTurn("/v1/moderations", exchange => OpenAIError.Read(exchange, ReadTurn));

    static Turn ReadTurn(RequestFields fields)
    {
        var model = fields.Text("model") ?? "omni-moderation-latest";
        if (!fields.Has("input"))
        {
            fields.Miss("input");
        }
        var input = fields.Any("input");
        var inputs = Split(input);
        var all = Said.All(inputs);
        var question = new Question(model, Question.FingerprintOf(model, input), all.Tokens, Markers.Read(all.Text));
        return new(question, status => OpenAIError.OfStatus(status, model), (answer, _) => new WholeReply(new
        {
            id = "modr-" + answer.Fingerprint[..24],
            model,
            results = inputs.Select(said => Result(Markers.Read(said.Text).Flag)),
        }))
        {
            Answer = (_, _) => Answer.OfTokens(question, 0),
        };
    }

    /// <summary>Texts get a result each; parts (a text beside an image) share one.</summary>
    static Said[] Split(JsonElement? input) =>
        input is { ValueKind: JsonValueKind.Array } array && array.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? [.. array.EnumerateArray().Select(text => Said.OfText(text.GetString()!))]
            : [Said.Of(input)];

    static object Result(string? flag) => new
    {
        flagged = flag is not null,
        categories = Categories.ToDictionary(category => category, category => category == flag),
        category_scores = Categories.ToDictionary(category => category, category => category == flag ? 0.99 : 0.01),
        category_applied_input_types = Categories.ToDictionary(category => category, _ => Text),
    };
}
