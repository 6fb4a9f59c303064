using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// <c>GET /internal/error-queues</c> says what waits for a person, <c>POST /internal/error-queues/retry</c> puts it back
/// (<see cref="UnhandledMessages"/>).
/// </summary>
public static class ErrorQueues
{
    public static void MapErrorQueues(this WebApplication app)
    {
        app.MapGet("/internal/error-queues", async (HttpContext http, UnhandledMessages unhandled) =>
        {
            await using var connection = await unhandled.ConnectAsync(http.RequestAborted);
            var waiting = await unhandled.LookAsync(connection, http.RequestAborted);
            return http.WantsText() ? Text(waiting) : Results.Json(new { queues = waiting }, Defaults.Json);
        });
        app.MapPost("/internal/error-queues/retry", async (HttpContext http, UnhandledMessages unhandled) =>
        {
            var moved = await unhandled.PutBackAsync(http.RequestAborted);
            return http.WantsText()
                ? PlainText.Of(true, [moved == 1 ? "1 message was put back." : $"{moved} messages were put back."])
                : Results.Json(new { moved }, Defaults.Json);
        });
    }

    static IResult Text(List<UnhandledMessages.Waiting> waiting) => waiting.Count == 0
        ? PlainText.Of(true, ["Every message was handled."])
        : PlainText.Of(false, [
            $"{waiting.Sum(queue => queue.Messages)} MESSAGES WERE NOT HANDLED.",
            .. waiting.Select(queue => $"{queue.Queue}: {queue.Messages}, the oldest because of: {queue.Reason ?? "nobody noted it"}")]);
}
