using LlmGateway.ServiceDefaults;
using static LlmGateway.Contracts.ServiceCall;

namespace LlmGateway.Wallet;

/// <summary>The routes of this service and who may call each.</summary>
public static class Routes
{
    public static readonly RouteCallers Callers = new()
    {
        ["POST /internal/registers"] = [Sessions],
        ["POST /internal/wallets/summaries"] = [Sessions],
        ["POST /internal/customers/{customer:guid}/erase"] = [Sessions],
        ["GET /internal/projects/{project:guid}/usage/{request:guid}"] = [Sessions],
        ["POST /internal/counters"] = [Sessions],
        ["POST /internal/counters/openings"] = [Sessions],
        ["POST /internal/credits"] = [Sessions],
        ["POST /internal/credits/balances"] = [Proxy, Sessions],
        ["POST /internal/posts"] = [Billing],
        ["POST /internal/payouts"] = [Billing],
        ["GET /internal/projects/{project:guid}/margin"] = [Billing],
        ["GET /internal/wallets/{wallet:guid}"] = [Billing],
        ["POST /internal/wallets/below"] = [Billing],
        ["PUT /internal/wallets/{wallet:guid}/frozen"] = [Billing],
        ["POST /internal/leases"] = [Proxy],
        ["POST /internal/leases/return"] = [Proxy],
        ["POST /internal/leases/renew"] = [Proxy],
        ["POST /internal/heartbeat"] = [Proxy],
        ["POST /internal/alive"] = [Proxy],
        ["POST /internal/windows"] = [Proxy],
        ["POST /internal/calls"] = [Proxy],
        ["POST /internal/calls/renew"] = [Proxy],
        ["POST /internal/calls/{request:guid}"] = [Proxy],
        ["DELETE /internal/calls/{request:guid}"] = [Proxy],
        ["POST /internal/batch-costs"] = [Proxy],
        ["POST /internal/reratings"] = [Operator],
        ["GET /internal/verify"] = [Operator],
        ["GET /internal/event-numbers"] = [Webhooks],
        ["POST /internal/seal"] = [Operator],
        ["GET /internal/stale-settlements"] = [Operator],
        ["GET /internal/error-queues"] = [Operator],
        ["POST /internal/error-queues/retry"] = [Operator],
        ["GET /v1/wallets/{id}"] = [Proxy],
        ["POST /v1/wallets/{id}/credit"] = [Proxy],
        ["POST /v1/wallets/{id}/debit"] = [Proxy],
        ["POST /v1/wallets/{id}/freeze"] = [Proxy],
        ["POST /v1/wallets/{id}/unfreeze"] = [Proxy],
        ["GET /v1/wallets/{id}/ledger"] = [Proxy],
        ["GET /v1/wallet/balance"] = [Proxy],
        ["GET /v1/usage/summary"] = [Proxy],
        ["GET /v1/usage/requests"] = [Proxy],
    };
}
