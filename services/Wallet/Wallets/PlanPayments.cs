using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Wallet;

/// <summary>
/// For Billing: <c>POST /internal/plan-payments</c>, what a customer has paid for a plan, and what of that goes back or comes again. No
/// balance of a customer's is moved by it.
/// </summary>
public static class PlanPayments
{
    public static void MapPlanPayments(this WebApplication app) => app.MapPost("/internal/plan-payments", BookAsync);

    static async Task<IResult> BookAsync(HttpContext http, Writer writer)
    {
        var asked = await Body.ReadAsync<BookPlanPayment>(http);
        if (asked.Margin <= 0 || asked.Fee < 0)
            return Problems.Invalid("margin", "'margin' must be above 0, and 'fee' not below.");
        if (asked.Type is not (PaymentPost.PlanPaid or PaymentPost.PlanRefunded or PaymentPost.PlanRestored))
            return Problems.Invalid("type", $"'type' {asked.Type} is of no plan.");
        var answer = await writer.RunAsync(new Post(
            asked.Id,
            Enum.Parse<PostType>(asked.Type.ToString()),
            new(null, Unit.Usd, asked.Organization, asked.Project, asked.Project, asked.Test),
            [asked.Margin, asked.Fee])
        {
            Reference = asked.Reference, Actor = ServiceCall.Billing,
        });
        return Results.Json(
            answer switch
            {
                Answer.Refused refused => new BookedPayment(PaymentOutcome.NotEnough, refused.Available),
                Answer.Differs => new(PaymentOutcome.IdUsed, 0),
                _ => new(PaymentOutcome.Done, 0),
            },
            Defaults.Json);
    }
}
