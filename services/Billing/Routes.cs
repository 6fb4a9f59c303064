using LlmGateway.ServiceDefaults;
using static LlmGateway.Contracts.ServiceCall;

namespace LlmGateway.Billing;

/// <summary>The routes of this service and who may call each.</summary>
public static class Routes
{
    public static readonly RouteCallers Callers = new()
    {
        ["POST /webhook/stripe"] = [Proxy],
        ["POST /stripe/webhook"] = [Proxy],
        ["POST /webhooks/stripe"] = [Proxy],
        ["POST /payment-webhooks/stripe"] = [Proxy],
        ["GET /v1/config"] = [Proxy],
        ["POST /v1/wallet/top-up"] = [Proxy],
        ["GET /v1/wallet/top-ups"] = [Proxy],
        ["GET /v1/wallets/{id}/top-ups"] = [Proxy],
        ["POST /v1/wallets/{id}/refunds"] = [Proxy],
        ["GET /v1/wallets/{id}/refunds"] = [Proxy],
        ["GET /v1/disputes"] = [Proxy],
        ["POST /v1/wallet/payment-method"] = [Proxy],
        ["GET /v1/wallet/payment-method"] = [Proxy],
        ["DELETE /v1/wallet/payment-method"] = [Proxy],
        ["POST /v1/wallets/{id}/payment-method"] = [Proxy],
        ["GET /v1/wallets/{id}/payment-method"] = [Proxy],
        ["DELETE /v1/wallets/{id}/payment-method"] = [Proxy],
        ["PUT /v1/wallet/auto-top-up"] = [Proxy],
        ["GET /v1/wallet/auto-top-up"] = [Proxy],
        ["DELETE /v1/wallet/auto-top-up"] = [Proxy],
        ["PUT /v1/wallets/{id}/auto-top-up"] = [Proxy],
        ["GET /v1/wallets/{id}/auto-top-up"] = [Proxy],
        ["DELETE /v1/wallets/{id}/auto-top-up"] = [Proxy],
        ["POST /v1/promotions"] = [Proxy],
        ["GET /v1/promotions"] = [Proxy],
        ["GET /v1/promotions/{id}"] = [Proxy],
        ["DELETE /v1/promotions/{id}"] = [Proxy],
        ["POST /v1/wallet/redeem"] = [Proxy],
        ["POST /v1/connect/onboard"] = [Proxy],
        ["GET /v1/connect/status"] = [Proxy],
        ["POST /v1/connect/payouts"] = [Proxy],
        ["GET /v1/connect/payouts"] = [Proxy],
        ["PUT /v1/connect/automatic"] = [Proxy],
        ["PUT /v1/invoices/seller"] = [Proxy],
        ["GET /v1/invoices/seller"] = [Proxy],
        ["GET /v1/invoices"] = [Proxy],
        ["GET /v1/invoices/{id}"] = [Proxy],
        ["POST /v1/invoices/{id}/void"] = [Proxy],
        ["PUT /v1/alerts"] = [Proxy],
        ["GET /v1/alerts"] = [Proxy],
        ["DELETE /v1/alerts"] = [Proxy],
        ["GET /internal/event-numbers"] = [Webhooks],
        ["GET /internal/top-up-freezes"] = [Operator],
        ["POST /internal/top-up-freezes/lift"] = [Operator],
        ["PUT /internal/projects/{project:guid}/top-up-limits"] = [Operator],
        ["DELETE /internal/projects/{project:guid}/top-up-limits"] = [Operator],
        ["PUT /internal/connect/{project:guid}/paused"] = [Operator],
        ["GET /internal/error-queues"] = [Operator],
        ["POST /internal/error-queues/retry"] = [Operator],
        ["POST /internal/reconcile"] = [Operator],
        ["GET /internal/stripe-events"] = [Operator],
        ["POST /internal/stripe-events/retry"] = [Operator],
    };
}
