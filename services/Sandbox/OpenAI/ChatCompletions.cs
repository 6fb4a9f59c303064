namespace LlmGateway.Sandbox;

/// <summary><c>POST /v1/chat/completions</c>, whole and streamed.</summary>
public static class ChatCompletions
{
    public static void MapChatCompletions(this IEndpointRouteBuilder routes) =>
        routes.MapTurn("/v1/chat/completions", exchange => OpenAIError.Read(exchange, ReadTurn));

    public static Turn ReadTurn(RequestFields fields)
    {
        var request = ChatRequest.Read(fields);
        var question = request.Question;
        return new(question, status => OpenAIError.OfStatus(status, question.Model), (answer, behaviour) => request.Streams
            ? new StreamReply(ChatShapes.Stream(request, answer, behaviour), OpenAIError.InStream)
            : new WholeReply(ChatShapes.Whole(question.Model, answer, behaviour)))
        {
            Refusal = behaviour => OpenAIError.OfStreamOptions(behaviour, request.HasStreamOptions)
                ?? OpenAIError.OfThoughts(behaviour, request.LacksThoughts),
        };
    }
}
