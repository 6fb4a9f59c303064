using LlmGateway.ServiceDefaults;
using static LlmGateway.Contracts.ServiceCall;

namespace LlmGateway.Webhooks;

/// <summary>The routes of this service and who may call each.</summary>
public static class Routes
{
    public static readonly RouteCallers Callers = new()
    {
        ["POST /v1/webhooks"] = [Proxy],
        ["GET /v1/webhooks"] = [Proxy],
        ["GET /v1/webhooks/{id}"] = [Proxy],
        ["PATCH /v1/webhooks/{id}"] = [Proxy],
        ["DELETE /v1/webhooks/{id}"] = [Proxy],
        ["POST /v1/webhooks/{id}/rotate-secret"] = [Proxy],
        ["POST /v1/webhooks/{id}/end-rotation"] = [Proxy],
        ["POST /v1/webhooks/{id}/test"] = [Proxy],
        ["GET /v1/webhooks/{id}/deliveries"] = [Proxy],
        ["POST /v1/webhooks/{id}/deliveries/{deliveryId}/retry"] = [Proxy],
        ["POST /v1/webhooks/{id}/replay"] = [Proxy],
        ["GET /internal/verify"] = [Operator],
        ["POST /internal/deliveries/now"] = [Operator],
        ["POST /internal/dead-letters/replay"] = [Operator],
        ["POST /internal/reseal"] = [Operator],
        ["GET /internal/error-queues"] = [Operator],
        ["POST /internal/error-queues/retry"] = [Operator],
    };
}
