namespace LlmGateway.Sandbox;

/// <summary><c>POST /v1/chat/completions</c>, whole and streamed.</summary>
public static class ChatCompletions
{
    public static void MapChatCompletions(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/v1/chat/completions", (HttpContext context, RequestLog log, Barriers barriers, TimeProvider time) =>
            Exchange.HandleAsync(context, log, time, exchange => AnswerAsync(exchange, barriers)));

    static async Task AnswerAsync(Exchange exchange, Barriers barriers)
    {
        var (request, error) = Read(exchange);
        if (request is null)
        {
            await error!.ExecuteAsync(exchange.Context);
            return;
        }
        var question = request.Question;
        exchange.Understood(question);

        var behaviour = Faults.Of(question.Model);
        if (await exchange.IsOverBeforeAnswerAsync(behaviour, barriers, question.Markers.Group))
        {
            return;
        }
        if (Refusal(request, behaviour) is { } refusal)
        {
            await refusal.ExecuteAsync(exchange.Context);
            return;
        }

        var answer = Answer.To(question, behaviour);
        await (request.Streams
            ? Delivery.SendStreamAsync(exchange, behaviour, answer, ChatShapes.Stream(request, answer, behaviour))
            : Delivery.SendWholeAsync(exchange, behaviour, answer, ChatShapes.Whole(question.Model, answer, behaviour)));
    }

    static (ChatRequest? Request, OpenAIError? Error) Read(Exchange exchange) =>
        OpenAIError.OfCredential(exchange.Context.Request) is { } error ? (null, error) : ChatRequest.Parse(exchange.Body);

    static OpenAIError? Refusal(ChatRequest request, Behaviour behaviour) => behaviour switch
    {
        { ErrorStatus: > 0 } => OpenAIError.OfStatus(behaviour.ErrorStatus, request.Question.Model),
        { RefusesStreamOptions: true } when request.HasStreamOptions =>
            OpenAIError.Invalid("Unrecognized request argument supplied: stream_options"),
        _ => null,
    };
}
