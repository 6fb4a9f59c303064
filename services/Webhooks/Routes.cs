using LlmGateway.ServiceDefaults;
using static LlmGateway.Contracts.ServiceCall;

namespace LlmGateway.Webhooks;

/// <summary>The routes of this service and who may call each.</summary>
public static class Routes
{
    public static readonly RouteCallers Callers = new()
    {
        ["GET /internal/verify"] = [Operator],
        ["GET /internal/error-queues"] = [Operator],
        ["POST /internal/error-queues/retry"] = [Operator],
    };
}
