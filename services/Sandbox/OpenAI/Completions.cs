namespace LlmGateway.Sandbox;

/// <summary><c>POST /v1/completions</c>, the wire before chat, whole and streamed. Several prompts get <c>n</c> choices each; the last one
/// orders for all.</summary>
public static class Completions
{
    const int MaxChoices = 128;
    const int DefaultLimit = 16;

    public static void MapCompletions(this IEndpointRouteBuilder routes) =>
        routes.MapTurn("/v1/completions", exchange => OpenAIError.Read(exchange, ReadTurn));

    static Turn ReadTurn(RequestFields fields)
    {
        var model = fields.RequiredText("model");
        var prompts = fields.Texts("prompt");
        if (prompts.Count == 0)
        {
            fields.Miss("prompt");
        }
        var each = fields.WholeNumber("n", 1, MaxChoices) ?? 1;
        var question = new Question(
            model,
            Question.FingerprintOf(model, fields.Any("prompt")),
            prompts.Sum(prompt => Words.Count(prompt)),
            Markers.Read(prompts.LastOrDefault("")) with { Thinks = null })
        {
            Choices = Math.Clamp(prompts.Count * each, 1, MaxChoices),
            MaxTokens = fields.WholeNumber("max_tokens", 1, int.MaxValue) ?? DefaultLimit,
            Stops = fields.Texts("stop"),
        };
        var (streams, hasOptions, includesUsage) =
            (fields.Flag("stream"), fields.Has("stream_options"), fields.Flag("stream_options.include_usage"));
        return new(question, status => OpenAIError.OfStatus(status, model), (answer, behaviour) => streams
            ? new StreamReply(Stream(model, answer, behaviour, includesUsage), OpenAIError.InStream)
            : new WholeReply(Body(
                model,
                answer,
                answer.Choices.Select((choice, index) => One(index, string.Concat(choice.Text), choice.Finish)),
                Reported(answer, behaviour).LastOrDefault())))
        {
            Refusal = behaviour => OpenAIError.OfStreamOptions(behaviour, hasOptions),
        };
    }

    static IEnumerable<StreamEvent> Stream(string model, Answer answer, Behaviour behaviour, bool includesUsage)
    {
        foreach (var (index, text) in InTurn.Of([.. answer.Choices.Select(choice => choice.Text)]))
        {
            yield return new(RawJson.Event(Body(model, answer, [One(index, text, null)], null)), 1);
        }
        foreach (var (index, choice) in answer.Choices.Index())
        {
            yield return new(RawJson.Event(Body(model, answer, [One(index, "", choice.Finish)], null)), 0);
        }
        foreach (var usage in includesUsage ? Reported(answer, behaviour) : [])
        {
            yield return new(RawJson.Event(Body(model, answer, [], usage)), 0);
        }
        if (!behaviour.OmitsDone)
        {
            yield return new("data: [DONE]\n\n"u8.ToArray(), 0);
        }
    }

    static IEnumerable<object> Reported(Answer answer, Behaviour behaviour) => answer.Usage.As(behaviour.Usage).Select(usage => new
    {
        prompt_tokens = usage.Prompt,
        completion_tokens = usage.Completion,
        total_tokens = usage.Total,
    });

    static object Body(string model, Answer answer, IEnumerable<object> choices, object? usage) =>
        new { id = "cmpl-" + answer.Fingerprint[..29], @object = "text_completion", created = ChatShapes.Created, model, choices, usage };

    static object One(int index, string text, Finish? finish) => new
    {
        text,
        index,
        logprobs = RawJson.Null,
        finish_reason = finish switch
        {
            null => RawJson.Null,
            Finish.Length => "length",
            _ => "stop",
        },
    };
}
