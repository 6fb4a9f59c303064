using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/metered-events/{request}</c> with the settlement of an event → 204 when it is booked, now or before. That it is booked
/// stands in its own row by the same transaction, so that it counts once also when the month of its request is long gone.
/// </summary>
public static class BookEvent
{
    const int MaxBodyBytes = 64 * 1024;

    public static void MapBookEvent(this WebApplication app) => app.MapPost("/internal/metered-events/{request:guid}", HandleAsync);

    static async Task<IResult> HandleAsync(Guid request, HttpContext http, Writer writer, CancellationToken token)
    {
        if (http.Request.ContentLength is not (> 0 and <= MaxBodyBytes and var length))
            return Problems.TooLarge(MaxBodyBytes);
        var record = new byte[length];
        await http.Request.Body.ReadExactlyAsync(record, token);
        if (SettlementConsumer.Read(record) is not ([{ Settlement.Usage.Endpoint: MeteredEvent.Endpoint } settle], null)
            || settle.Settlement.RequestId != request)
            return Problems.Malformed("The body is not the settlement of this event.");
        return await writer.RunAsync(settle with { IsAwaited = true }) is Answer.Stale
            ? Problems.Conflict("month_closed", "The usage log has no open month for this event.")
            : Results.NoContent();
    }

    /// <summary>Marks the events of a batch of the writer.</summary>
    internal static void AddTo(NpgsqlBatch batch, Book book)
    {
        var events = book.Usages.FindAll(row => row.Record.Endpoint == MeteredEvent.Endpoint);
        if (events.Count > 0)
            batch.Add(
                "update metered_event set booked_at = $2 where request_id = any($1)", events.Column(row => row.RequestId), book.BookedAt);
    }
}
