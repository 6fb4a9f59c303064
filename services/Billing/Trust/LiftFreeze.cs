using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary><c>POST /internal/top-up-freezes/lift?customer=</c>: for who runs the gateway, a customer may top up again.</summary>
public static class LiftFreeze
{
    public static void MapLiftFreeze(this WebApplication app) => app.MapPost("/internal/top-up-freezes/lift", LiftAsync);

    static async Task<IResult> LiftAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        if (new ListQuery(http.Request.Query).Text("customer") is not { } id || !Ids.TryParse(Ids.Customer, id, out var customer))
            throw ListQuery.Invalid("customer", "must be the id of a customer (cus_…)");
        var lifted = await database.ChangeAsync(
            "update top_up_freeze set lifted_at = now(), lifted_by = $2 where customer = $1 and lifted_at is null", token, customer,
            ServiceCall.Operator) == 1;
        return http.WantsText() ? PlainText.Of(true, [lifted ? $"{id} may top up again." : $"The top-ups of {id} are not frozen."])
            : Results.Json(new { lifted }, Defaults.Json);
    }
}
