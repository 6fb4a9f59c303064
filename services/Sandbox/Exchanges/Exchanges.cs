namespace LlmGateway.Sandbox;

/// <summary>Maps the wires' inference calls.</summary>
public static class Exchanges
{
    /// <summary>
    /// Maps a call whose body a wire reads into a turn, or into the refusal of what it cannot read. One of the two is null.
    /// </summary>
    public static void MapTurn(this IEndpointRouteBuilder routes, string path, Func<Exchange, (Turn? Turn, IResult? Refusal)> read) =>
        routes.MapTurn(path, exchange => Task.FromResult(read(exchange)));

    public static void MapTurn(this IEndpointRouteBuilder routes, string path, Func<Exchange, Task<(Turn? Turn, IResult? Refusal)>> read) =>
        routes.MapPost(path, (HttpContext context, RequestLog log, Barriers barriers, TimeProvider time) =>
            Exchange.HandleAsync(context, log, time, async exchange =>
            {
                var (turn, refusal) = await read(exchange);
                await exchange.AnswerAsync(turn, refusal, barriers);
            }));
}
