using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Management calls. The edge identifies the caller, and the service behind it does the rest. The caller's credential is removed; the
/// principal goes on in a signed call. A few routes are open: pages ask before they have a session, and Stripe signs what it tells.
/// </summary>
public static class Management
{
    static readonly (string Path, string Service)[] Routes =
    [
        ("/v1/sessions/{**rest}", ServiceCall.Sessions),
        ("/v1/customers/{**rest}", ServiceCall.Sessions),
        ("/v1/secret-keys/{**rest}", ServiceCall.Sessions),
        ("/v1/members/{**rest}", ServiceCall.Sessions),
        ("/v1/audit", ServiceCall.Sessions),
        ("/v1/projects/{**rest}", ServiceCall.Sessions),
        ("/v1/branding", ServiceCall.Sessions),
        ("/v1/providers/{**rest}", ServiceCall.Sessions),
        ("/v1/query-types/{**rest}", ServiceCall.Sessions),
        // GET is also the inference wire's: Models.cs.
        ("/v1/models/{**rest}", ServiceCall.Sessions),
        ("/v1/routes/{**rest}", ServiceCall.Sessions),
        ("/v1/plans/{**rest}", ServiceCall.Sessions),
        ("/v1/seed", ServiceCall.Sessions),
        ("/v1/wallets/{**rest}", ServiceCall.Wallet),
        ("/v1/wallet/{**rest}", ServiceCall.Wallet),
        ("/v1/usage/{**rest}", ServiceCall.Wallet),
        ("/v1/usage/requests/{id}", ServiceCall.Sessions),
        ("/v1/webhooks/{**rest}", ServiceCall.Webhooks),
        ("/v1/wallet/top-up", ServiceCall.Billing),
        ("/v1/wallet/top-ups", ServiceCall.Billing),
        ("/v1/wallets/{id}/top-ups", ServiceCall.Billing),
        ("/v1/top-ups", ServiceCall.Billing),
        ("/v1/wallets/{id}/refunds", ServiceCall.Billing),
        ("/v1/promotions/{**rest}", ServiceCall.Billing),
        ("/v1/disputes", ServiceCall.Billing),
        ("/v1/wallet/redeem", ServiceCall.Billing),
        ("/v1/wallet/payment-method", ServiceCall.Billing),
        ("/v1/wallet/auto-top-up", ServiceCall.Billing),
        ("/v1/wallets/{id}/payment-method", ServiceCall.Billing),
        ("/v1/wallets/{id}/auto-top-up", ServiceCall.Billing),
        ("/v1/connect/{**rest}", ServiceCall.Billing),
        ("/v1/invoices/{**rest}", ServiceCall.Billing),
        ("/v1/alerts", ServiceCall.Billing),
    ];

    /// <summary>A credential that is sent is read all the same; without one the call is nobody's.</summary>
    static readonly (string Path, string Service)[] Open = [("/v1/config", ServiceCall.Billing)];

    /// <summary>From Stripe alone, which has no credential of ours. Billing checks its signature.</summary>
    static readonly (string Path, string Service)[] FromStripe =
    [
        ("/webhook/stripe", ServiceCall.Billing),
        ("/stripe/webhook", ServiceCall.Billing),
        ("/webhooks/stripe", ServiceCall.Billing),
        ("/payment-webhooks/stripe", ServiceCall.Billing),
    ];

    public static void MapManagement(this WebApplication app)
    {
        var calls = app.Services.GetRequiredService<ManagementCalls>();
        foreach (var (path, service) in Routes)
            app.Map(path, async (HttpContext http, Identity identity, ManagementRates rates, KeyUse keys, OwnBalance balance) =>
            {
                var (caller, problem) = await identity.IdentifyAsync(http);
                problem ??= rates.Take(caller!.Credential);
                if (problem is not null)
                {
                    await problem.ExecuteAsync(http);
                    return;
                }
                keys.Record(caller!.Credential);
                var principal = Principal.Of(caller.Credential);
                if (!await balance.TryAnswerAsync(http, caller.Credential, () => calls.BalanceAsync(service, principal)))
                    await calls.SendAsync(http, service, principal);
            });
        foreach (var (path, service) in Open)
            app.Map(path, async (HttpContext http, Identity identity, ManagementRates rates) =>
            {
                var (caller, problem) = await identity.IdentifyAsync(http);
                problem ??= rates.Take(caller!.Credential);
                if (problem is not null && problem != Problems.NoCredential)
                    await problem.ExecuteAsync(http);
                else
                    await calls.SendAsync(http, service, caller is null ? null : Principal.Of(caller.Credential));
            });
        foreach (var (path, service) in FromStripe)
            app.MapPost(path, (HttpContext http, RequestGate gate) =>
                gate.TryEnter(http) ? calls.SendAsync(http, service, null) : Problems.Draining.ExecuteAsync(http));
    }
}
