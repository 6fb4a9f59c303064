using System.Globalization;
using System.Net.WebSockets;
using System.Text;

namespace LlmGateway.Sandbox;

/// <summary>
/// WebSockets of the HTTP API, under <c>/http/socket</c>. Each takes the first protocol that is offered. The log has the handshake, and how
/// many messages came in the place of tokens.
/// </summary>
public static class SocketApi
{
    const int PieceBytes = 64 * 1024, MaxCount = 100_000;

    public static void MapSocketApi(this IEndpointRouteBuilder routes)
    {
        On("/http/socket/echo/{**path}", EchoAsync);
        On("/http/socket/says/{count:int}", async (exchange, socket) =>
        {
            for (var i = 0; i < Math.Min(Number(exchange, "count"), MaxCount); i++)
                await SayAsync(exchange, socket, $"message {i}");
            await EchoAsync(exchange, socket);
        });
        On("/http/socket/close/{code:int}", async (exchange, socket) =>
        {
            await socket.ReceiveAsync(new byte[PieceBytes].AsMemory(), exchange.CallerLeft);
            exchange.TokensOut++;
            await socket.CloseAsync(
                (WebSocketCloseStatus)Number(exchange, "code"), $"no luck with '{exchange.Context.Request.Headers.Authorization}'",
                exchange.CallerLeft);
        });
        On("/http/socket/cut", async (exchange, socket) =>
        {
            await socket.ReceiveAsync(new byte[PieceBytes].AsMemory(), exchange.CallerLeft);
            exchange.TokensOut++;
            exchange.Drop();
        });
        On("/http/socket/deaf", (exchange, _) => Task.Delay(Timeout.InfiniteTimeSpan, exchange.Time, exchange.CallerLeft));
        routes.Map("/http/socket/refuse", (HttpContext context, RequestLog log, TimeProvider time) => Exchange.HandleAsync(
            context, log, time, exchange => Results.Json(new { error = "refused" }, statusCode: 403).ExecuteAsync(exchange.Context)));

        void On(string path, Func<Exchange, WebSocket, Task> talk) => routes.Map(
            path, (HttpContext context, RequestLog log, TimeProvider time) =>
                Exchange.HandleAsync(context, log, time, exchange => TalkAsync(exchange, talk)));
    }

    static async Task TalkAsync(Exchange exchange, Func<Exchange, WebSocket, Task> talk)
    {
        var sockets = exchange.Context.WebSockets;
        if (!sockets.IsWebSocketRequest)
        {
            exchange.Context.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            return;
        }
        using var socket = await sockets.AcceptWebSocketAsync(sockets.WebSocketRequestedProtocols.FirstOrDefault());
        try
        {
            await talk(exchange, socket);
        }
        catch (WebSocketException)
        {
            // The caller is gone without a close. The log says how far it came.
        }
    }

    /// <summary>Says what it hears, and closes as it is closed.</summary>
    static async Task EchoAsync(Exchange exchange, WebSocket socket)
    {
        var buffer = new byte[PieceBytes];
        while (true)
        {
            var got = await socket.ReceiveAsync(buffer.AsMemory(), exchange.CallerLeft);
            if (got.MessageType == WebSocketMessageType.Close)
                break;
            exchange.TokensOut += got.EndOfMessage ? 1 : 0;
            await socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, got.EndOfMessage, exchange.CallerLeft);
        }
        await socket.CloseOutputAsync(socket.CloseStatus!.Value, socket.CloseStatusDescription, exchange.CallerLeft);
    }

    static ValueTask SayAsync(Exchange exchange, WebSocket socket, string words) => socket.SendAsync(
        Encoding.UTF8.GetBytes(words).AsMemory(), WebSocketMessageType.Text, endOfMessage: true, exchange.CallerLeft);

    static int Number(Exchange exchange, string name) =>
        int.Parse((string)exchange.Context.Request.RouteValues[name]!, CultureInfo.InvariantCulture);
}
