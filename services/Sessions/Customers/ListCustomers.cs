using System.Buffers.Text;
using System.Globalization;
using System.Linq.Expressions;
using System.Text;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/customers</c>: newest first, by <c>cursor</c> (stable while customers are added) or <c>offset</c>;
/// <c>search</c> finds a part of external id, name, email, company or phone.
/// </summary>
public static class ListCustomers
{
    const int DefaultPage = 50, MaxPage = 200, MaxOffset = 1_000_000;

    public static void MapListCustomers(this WebApplication app) =>
        app.MapGet("/v1/customers", HandleAsync).WithQuery("limit", "offset", "cursor", "search", "status");

    static async Task<IResult> HandleAsync(HttpContext http, SessionsDb db, WalletClient wallet, CancellationToken token)
    {
        var caller = http.Backend();
        var query = new ListQuery(http.Request.Query);
        var limit = query.Limit(DefaultPage, MaxPage);
        var offset = query.Number("offset", 0, 0, MaxOffset);
        var customers = db.Customers.AsNoTracking().Where(customer => customer.ProjectId == caller.Project && customer.Test == caller.Test);

        if (query.Text("status") is { } status)
            customers = customers.Where(Status(status));
        if (query.Text("search") is { } search)
            customers = customers.Where(Matches(Fields.Text(search, "search")));
        if (query.Text("cursor") is { } cursor)
            customers = customers.Where(After(cursor));

        // One more than asked for tells whether there is a next page.
        var page = await customers.OrderByDescending(customer => customer.CreatedAt).ThenByDescending(customer => customer.Id)
            .Skip(offset).Take(limit + 1).ToListAsync(token);
        var shown = page.Take(limit).ToList();
        var summaries =
            await wallet.SummariesAsync([.. shown.Select(customer => customer.WalletId).OfType<Guid>()], withLedger: false, token);
        return Results.Json(new
        {
            customers = shown.Select(customer => CustomerView.Of(customer, customer.WalletId is { } id ? summaries[id] : null)),
            nextCursor = page.Count > limit ? Cursor(shown[^1]) : null,
        }, Defaults.Json);
    }

    static Expression<Func<Customer, bool>> Status(string text)
    {
        var wanted = Enum.GetValues<CustomerStatus>()
            .Where(status => status.ToString().Equals(text, StringComparison.OrdinalIgnoreCase))
            .ToList();
        if (wanted is not [var only])
            throw Fields.Invalid("status", "must be active, suspended, blocked or deleted");
        return customer => customer.Status == only;
    }

    static Expression<Func<Customer, bool>> Matches(string search)
    {
        var pattern = LikePattern(search);
        return customer => EF.Functions.ILike(customer.ExternalId!, pattern, @"\") || EF.Functions.ILike(customer.Name!, pattern, @"\")
            || EF.Functions.ILike(customer.Email!, pattern, @"\") || EF.Functions.ILike(customer.Company!, pattern, @"\")
            || EF.Functions.ILike(customer.Phone!, pattern, @"\");
    }

    static Expression<Func<Customer, bool>> After(string cursor)
    {
        if (!TryReadCursor(cursor, out var createdAt, out var id))
            throw Fields.Invalid("cursor", "is not one of ours");
        return customer => EF.Functions.LessThan(ValueTuple.Create(customer.CreatedAt, customer.Id), ValueTuple.Create(createdAt, id));
    }

    /// <summary>A pattern that finds the text anywhere; <c>%</c> and <c>_</c> in it are ordinary characters.</summary>
    public static string LikePattern(string search)
    {
        var literal = search
            .Replace(@"\", @"\\", StringComparison.Ordinal)
            .Replace("%", @"\%", StringComparison.Ordinal)
            .Replace("_", @"\_", StringComparison.Ordinal);
        return $"%{literal}%";
    }

    /// <summary>The place after a customer in the order of the list; opaque to callers.</summary>
    public static string Cursor(Customer last)
    {
        var place = string.Create(CultureInfo.InvariantCulture, $"{last.CreatedAt.UtcTicks}:{last.Id:N}");
        return Base64Url.EncodeToString(Encoding.ASCII.GetBytes(place));
    }

    public static bool TryReadCursor(string cursor, out DateTimeOffset createdAt, out Guid id)
    {
        (createdAt, id) = (default, default);
        if (!Base64Url.IsValid(cursor)
            || Encoding.ASCII.GetString(Base64Url.DecodeFromChars(cursor)).Split(':') is not [var first, var second]
            || !long.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
            || ticks > DateTimeOffset.MaxValue.Ticks
            || !Guid.TryParseExact(second, "N", out id))
            return false;
        createdAt = new(ticks, TimeSpan.Zero);
        return true;
    }
}
