namespace LlmGateway.Sandbox;

/// <summary><c>POST /v1/messages</c>, whole and streamed, and <c>/v1/messages/count_tokens</c>.</summary>
public static class Messages
{
    public static void MapMessages(this IEndpointRouteBuilder routes)
    {
        routes.MapTurn("/v1/messages", exchange => AnthropicError.Read(exchange, ReadTurn));
        routes.MapTurn("/v1/messages/count_tokens", exchange => AnthropicError.Read(exchange, ReadCount));
    }

    static Turn ReadTurn(RequestFields fields)
    {
        var request = MessageRequest.Read(fields);
        return new(
            request.Question,
            status => AnthropicError.OfStatus(status, request.Question.Model),
            (answer, behaviour) => request.Streams
                ? new StreamReply(MessageShapes.Stream(request, answer, behaviour), AnthropicError.InStream)
                : new WholeReply(MessageShapes.Whole(request, answer, behaviour)));
    }

    static Turn ReadCount(RequestFields fields)
    {
        var question = MessageRequest.Read(fields, isCount: true).Question;
        return new(
            question,
            status => AnthropicError.OfStatus(status, question.Model),
            (_, _) => new WholeReply(new { input_tokens = question.PromptTokens }))
        {
            Answer = (_, _) => Answer.OfTokens(question, 0),
        };
    }
}
