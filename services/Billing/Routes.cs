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
        ["PUT /v1/invoices/seller"] = [Proxy],
        ["GET /v1/invoices/seller"] = [Proxy],
        ["GET /v1/invoices"] = [Proxy],
        ["GET /v1/invoices/{id}"] = [Proxy],
        ["PUT /v1/alerts"] = [Proxy],
        ["GET /v1/alerts"] = [Proxy],
        ["DELETE /v1/alerts"] = [Proxy],
        ["GET /internal/error-queues"] = [Operator],
        ["POST /internal/error-queues/retry"] = [Operator],
        ["POST /internal/reconcile"] = [Operator],
        ["GET /internal/stripe-events"] = [Operator],
        ["POST /internal/stripe-events/retry"] = [Operator],
    };
}
