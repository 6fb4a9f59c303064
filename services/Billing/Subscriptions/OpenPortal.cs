using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /v1/subscriptions/portal {customer, returnUrl}</c>: Stripe's page on which a customer who has or had a subscription replaces the
/// card, pays what is open, reads invoices and cancels. Each call makes a new one.
/// </summary>
public static class OpenPortal
{
    /// <param name="Customer">An id, or the external id.</param>
    public sealed record Request(string Customer, string ReturnUrl);

    public sealed record Answer(string Url);

    public static void MapOpenPortal(this WebApplication app) =>
        app.MapPost("/v1/subscriptions/portal", HandleAsync).WithIdempotency().WithRefusals();

    static async Task<IResult> HandleAsync(
        HttpContext http, Subscribers subscribers, SubscriptionCalls stripe, StripeModes modes, SessionsClient sessions,
        CancellationToken token)
    {
        var (caller, input) = (http.Backend(), await Body.ReadAsync<Request>(http));
        if (Onboard.Refuse("returnUrl", input.ReturnUrl) is { } mistake)
            return mistake;
        if (modes.Of(caller.Test) is not { } mode)
            return StartTopUp.NotSetUp(caller.Test);
        if (await sessions.CustomerAsync(caller.Project, caller.Test, input.Customer, token) is not { } customer)
            return Problems.NotFound("customer");
        if (await subscribers.FindAsync(customer.Id, mode.Livemode, token) is not { } subscriber)
            return Problems.Conflict("no_subscription", "The customer never had a subscription. Begin with a checkout.");
        var made = await stripe.CreatePortalAsync(mode, subscriber, input.ReturnUrl, token);
        return Results.Json(new Answer(made.Url), Defaults.Json);
    }
}
