namespace LlmGateway.Sandbox;

/// <summary>One event of a streamed answer, in the bytes of its wire.</summary>
/// <param name="Tokens">How many tokens of the answer it completes. They are 0, 1, or all of a call that comes whole.</param>
public readonly record struct StreamEvent(byte[] Bytes, int Tokens);

/// <summary>
/// Sends an answer that is ready in the bytes of its wire. The model's behaviour decides on the pace, the pieces, and how much is sent.
/// </summary>
public static class Delivery
{
    const int BeatsBeforeFirstToken = 6;

    static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(50);

    /// <summary>Sends a whole body. A slow model takes as long as for a stream. A cut leaves half of the bytes.</summary>
    public static async Task SendWholeAsync(Exchange exchange, Behaviour behaviour, Answer answer, WholeReply reply)
    {
        using var timer = behaviour.Slow ? new PeriodicTimer(Beat, exchange.Time) : null;
        for (; exchange.TokensOut < answer.Usage.Completion; exchange.TokensOut++)
        {
            await WaitForTokenAsync(timer, exchange);
        }
        var body = reply.Body;
        var response = exchange.Context.Response;
        response.ContentType = reply.ContentType;
        response.ContentLength = body.Length;
        var pieces = new OddPieces(response.BodyWriter, behaviour.Pieces == Pieces.Bytes ? Pieces.Bytes : Pieces.Frames, 0);
        if (behaviour.Cut == Cut.InTheMiddle)
        {
            await pieces.WriteAsync(body[..(body.Length / 2)], exchange.CallerLeft);
            exchange.Drop();
            return;
        }
        await pieces.WriteAsync(body, exchange.CallerLeft);
    }

    /// <summary>
    /// Sends a stream. A cut comes when half of the tokens (rounded down) are out, in the middle of the event that follows. A failure comes
    /// in place of that event.
    /// </summary>
    public static async Task SendStreamAsync(Exchange exchange, Behaviour behaviour, Answer answer, StreamReply reply)
    {
        var response = exchange.Context.Response;
        response.ContentType = reply.ContentType;
        response.Headers.CacheControl = "no-cache";
        using var timer = behaviour.Slow ? new PeriodicTimer(Beat, exchange.Time) : null;
        var pieces = new OddPieces(response.BodyWriter, behaviour.Pieces, answer.Variation);
        var isFirst = true;
        foreach (var (bytes, tokens) in reply.Events)
        {
            if (timer is not null && (isFirst || (tokens > 0 && exchange.TokensOut > 0)))
            {
                await pieces.FlushAsync(exchange.CallerLeft);
                await WaitForTokenAsync(timer, exchange);
            }
            var isMiddle = !isFirst && exchange.TokensOut >= answer.Usage.Completion / 2;
            if (isMiddle && behaviour.FailsInTheMiddle)
            {
                await pieces.WriteAsync(reply.Failure(), exchange.CallerLeft);
                break;
            }
            if (isMiddle && behaviour.Cut == Cut.InTheMiddle)
            {
                await pieces.WriteAsync(bytes[..(bytes.Length / 2)], exchange.CallerLeft);
                await pieces.FlushAsync(exchange.CallerLeft);
                exchange.Drop();
                return;
            }
            await pieces.WriteAsync(bytes, exchange.CallerLeft);
            exchange.TokensOut += tokens;
            isFirst = false;
        }
        await pieces.FlushAsync(exchange.CallerLeft);
    }

    static async Task WaitForTokenAsync(PeriodicTimer? timer, Exchange exchange)
    {
        var beats = timer is null ? 0 : exchange.TokensOut == 0 ? BeatsBeforeFirstToken : 1;
        for (var beat = 0; beat < beats; beat++)
        {
            await timer!.WaitForNextTickAsync(exchange.CallerLeft);
        }
    }
}
