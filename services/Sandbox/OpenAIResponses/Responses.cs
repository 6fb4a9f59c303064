namespace LlmGateway.Sandbox;

/// <summary><c>POST /v1/responses</c>, whole and streamed. Nothing is kept: a response cannot be fetched or continued.</summary>
public static class Responses
{
    public static void MapResponses(this IEndpointRouteBuilder routes) =>
        routes.MapTurn("/v1/responses", exchange => OpenAIError.Read(exchange, ReadTurn));

    public static Turn ReadTurn(RequestFields fields)
    {
        var request = ResponseRequest.Read(fields);
        return new(request.Question, status => OpenAIError.OfStatus(status, request.Question.Model), (answer, behaviour) =>
        {
            if (!request.Streams)
            {
                return new WholeReply(ResponseShapes.Whole(request, answer, behaviour));
            }
            var events = new ResponseEvents(request, answer, behaviour);
            return new StreamReply(events.All(), events.Failure);
        })
        {
            Refusal = behaviour => OpenAIError.OfStreamOptions(behaviour, request.HasStreamOptions)
                ?? OpenAIError.OfSealedThoughts(behaviour, request.SealsThoughts),
        };
    }
}
