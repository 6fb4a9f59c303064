using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary><c>POST /internal/reconcile</c>: for who runs the gateway, all that Stripe knows and we may not, now.</summary>
public static class Reconcile
{
    public static void MapReconcile(this WebApplication app) => app.MapPost("/internal/reconcile", ReconcileAsync);

    static async Task<IResult> ReconcileAsync(HttpContext http, Reconciler reconciler, CancellationToken token)
    {
        var found = await reconciler.RunAsync(everything: true, token);
        return http.WantsText()
            ? PlainText.Of(true,
            [
                $"Events that had not come: {found.Events}. Asked after: {found.Payments} purchases, {found.Refunds} refunds, "
                    + $"{found.Payouts} payouts. Booked: {found.Postings}.",
            ])
            : Results.Json(found, Defaults.Json);
    }
}
