using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>GET /v1/usage/requests?cursor=&amp;limit=&amp;from=&amp;to=&amp;range=&amp;timeZone=&amp;customer=&amp;key=&amp;model=&amp;provider=
/// &amp;endpoint=&amp;outcome=</c>: the lines of the usage log, newest booking first, a page as JSON. With <c>format=json|csv|focus</c>
/// (or <c>Accept: text/csv</c>) all of them, as a file.
/// </summary>
public static class ListRequests
{
    const int DefaultPage = 50, MaxPage = 200, ExportPage = 1000;

    /// <summary>Of one page, when a filter hits little.</summary>
    const int MaxReads = 4;

    /// <param name="From">The times of the first page, rounded to whole quarters of an hour around them. A cursor keeps them.</param>
    public sealed record Answer(DateTimeOffset From, DateTimeOffset To, IReadOnlyList<UsageLine> Requests, string? NextCursor);

    public static void MapListRequests(this WebApplication app) =>
        app.MapGet("/v1/usage/requests", HandleAsync).WithQuery(
            "cursor", "limit", "from", "to", "range", "timeZone", "customer", "key", "model", "provider", "endpoint", "outcome", "format");

    static async Task<IResult> HandleAsync(HttpContext http, NpgsqlDataSource database, ExportSlots slots, TimeProvider time)
    {
        var (caller, query, token) = (http.Backend(), new ListQuery(http.Request.Query), http.RequestAborted);
        var form = FormOf(http, query, caller.Project);
        var (limit, cursor) = (query.Limit(DefaultPage, MaxPage), query.Text("cursor"));
        if (form is not null && (cursor ?? query.Text("limit")) is not null)
            throw ListQuery.Invalid(cursor is null ? "limit" : "cursor", "is for pages, and a file has all lines");
        var zone = query.Text("timeZone") ?? "UTC";
        if (!Cycles.IsZone(zone))
            throw ListQuery.Invalid("timeZone", $"names '{zone}', which is no IANA time zone");
        var (from, to) = UsageSummary.TimeOf(query, zone, time.GetUtcNow());
        var after = LinePlace.End;
        if (cursor is not null)
            (after, from, to) = ReadCursor(cursor);
        var filter = FilterOf(query, caller, from, to);
        using var slot = form is null ? null : slots.Take(caller.Project);
        if (!await Reratings.IsKeptAsync(from, database, token))
            throw ListQuery.Invalid("from", "is in a month whose usage log is not kept any more; its sums are in the summary");
        if (form is not null)
        {
            var until = await ClockLock.BookedBeforeAsync(database, token);
            await UsageExport.WriteAsync(http.Response, form, ExportAsync(database, filter, until, token), time, token);
            return Results.Empty;
        }
        var page = await FillAsync(database, filter, after, limit, token);
        return Results.Json(
            new Answer(from, to, page.Lines, page.Next is { } next ? WriteCursor(next, from, to) : null), Defaults.Json);
    }

    /// <summary>Null for pages.</summary>
    static UsageForm? FormOf(HttpContext http, ListQuery query, Guid project) => query.Text("format") switch
    {
        "json" => UsageForm.Json,
        "csv" => UsageForm.AsCsv,
        "focus" => UsageForm.AsFocus(project),
        null => http.WantsCsv() ? UsageForm.AsCsv : null,
        _ => throw ListQuery.Invalid("format", "must be json, csv or focus"),
    };

    static UsageFilter FilterOf(ListQuery query, Principal caller, DateTimeOffset from, DateTimeOffset to)
    {
        var ofSession = query.Text("key")?.StartsWith(Ids.Session, StringComparison.Ordinal) is true;
        return new(caller.Project, caller.Test, from, to)
        {
            Customer = query.Id("customer", Ids.Customer),
            Session = ofSession ? query.Id("key", Ids.Session) : null,
            Key = ofSession ? null : query.Id("key", Ids.Key),
            Model = query.Text("model"),
            Provider = query.Text("provider"),
            Endpoint = query.Text("endpoint"),
            Outcome = OutcomeOf(query),
        };
    }

    static RequestOutcome? OutcomeOf(ListQuery query)
    {
        if (query.Text("outcome") is not { } name)
            return null;
        foreach (var outcome in Enum.GetValues<RequestOutcome>())
            if (UsageLine.Name(outcome) == name)
                return outcome;
        var names = Enum.GetValues<RequestOutcome>().Select(outcome => UsageLine.Name(outcome));
        throw ListQuery.Invalid("outcome", $"must be one of {string.Join(", ", names)}");
    }

    static async Task<UsageLog.Page> FillAsync(
        NpgsqlDataSource database, UsageFilter filter, LinePlace after, int limit, CancellationToken token)
    {
        var lines = new List<UsageLine>();
        LinePlace? next = after;
        for (var reads = 0; reads < MaxReads && next is { } place && lines.Count < limit; reads++)
        {
            (var more, next) = await UsageLog.ReadAsync(
                database, filter, place, DateTimeOffset.MaxValue, limit - lines.Count, token);
            lines.AddRange(more);
        }
        return new(lines, next);
    }

    /// <summary>Throws when a month was dropped meanwhile: what it had is missing.</summary>
    static async IAsyncEnumerable<UsageLine> ExportAsync(
        NpgsqlDataSource database, UsageFilter filter, DateTimeOffset until,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token)
    {
        await foreach (var line in UsageLog.AllAsync(database, filter, until, ExportPage, token))
            yield return line;
        if (!await Reratings.IsKeptAsync(filter.From, database, token))
            throw new InvalidOperationException("a month of the usage log was dropped while it was exported");
    }

    /// <summary>The place of the last line, and the times that were asked for: those of a range end with the moment of its call.</summary>
    public static string WriteCursor(LinePlace place, DateTimeOffset from, DateTimeOffset to) => string.Create(
        CultureInfo.InvariantCulture, $"{place.BookedAt.UtcTicks:x16}{place.Id:N}{from.UtcTicks:x16}{to.UtcTicks:x16}");

    public static (LinePlace Place, DateTimeOffset From, DateTimeOffset To) ReadCursor(string cursor) =>
        cursor.Length == 80 && Guid.TryParseExact(cursor.AsSpan(16, 32), "N", out var id)
            && TimeAt(cursor, 0) is { } at && TimeAt(cursor, 48) is { } from && TimeAt(cursor, 64) is { } to
                ? (new(at, id), from, to)
                : throw ListQuery.Invalid("cursor", "is not one of ours");

    static DateTimeOffset? TimeAt(string cursor, int start) =>
        long.TryParse(cursor.AsSpan(start, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var ticks)
            && ticks >= 0 && ticks <= DateTimeOffset.MaxValue.UtcTicks
                ? new DateTimeOffset(ticks, TimeSpan.Zero)
                : null;
}
