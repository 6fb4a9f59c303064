using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>For Billing: <c>POST /internal/payouts</c>, <c>GET /internal/projects/{project}/margin</c>.</summary>
public static class Payouts
{
    public static void MapPayouts(this WebApplication app)
    {
        app.MapPost("/internal/payouts", BookAsync);
        app.MapGet("/internal/projects/{project:guid}/margin", MarginAsync);
    }

    static async Task<IResult> BookAsync(HttpContext http, Writer writer)
    {
        var asked = await Body.ReadAsync<BookPayout>(http);
        if (asked.Amount <= 0)
            return Problems.Invalid("amount", "'amount' must be above 0.");
        var answer = await writer.RunAsync(new Post(
            asked.Id,
            Enum.Parse<PostType>(asked.Type.ToString()),
            new(null, Unit.Usd, asked.Organization, asked.Project, asked.Project, asked.Test),
            [asked.Amount])
        {
            Reference = asked.Reference, Actor = ServiceCall.Billing,
        });
        Failpoint.Hit("wallet.payout.booked");
        return Results.Json(
            answer switch
            {
                Answer.Refused refused => new BookedPayment(PaymentOutcome.NotEnough, refused.Available),
                Answer.Differs => new(PaymentOutcome.IdUsed, 0),
                _ => new(PaymentOutcome.Done, 0),
            },
            Defaults.Json);
    }

    /// <summary>An account that nothing was ever booked to is not there.</summary>
    static async Task<IResult> MarginAsync(Guid project, bool test, HttpContext http, NpgsqlDataSource database)
    {
        var (margin, payouts) = (Id(AccountKind.Margin), Id(AccountKind.Payouts));
        await using var query = database.Sql("""
            select coalesce(sum(posted) filter (where id = $1), 0)::bigint, coalesce(sum(posted) filter (where id = $2), 0)::bigint
            from account where id in ($1, $2)
            """, margin, payouts);
        await using var row = await query.ExecuteReaderAsync(http.RequestAborted);
        await row.ReadAsync(http.RequestAborted);
        return Results.Json(new ProjectMargin(row.GetInt64(0), row.GetInt64(1)), Defaults.Json);

        Guid Id(AccountKind kind) => HouseAccounts.Id(project, kind, Unit.Usd, test);
    }
}
