using LlmGateway.ServiceDefaults;
using static LlmGateway.Contracts.ServiceCall;

namespace LlmGateway.Sessions;

/// <summary>The routes of this service and who may call each.</summary>
public static class Routes
{
    public static readonly RouteCallers Callers = new()
    {
        ["POST /internal/credentials"] = [Proxy],
        ["POST /internal/projects"] = [Proxy],
        ["GET /internal/origins"] = [Proxy],
        ["POST /internal/keys/used"] = [Proxy],
        ["GET /internal/limits/{customer:guid}"] = [Proxy],
        ["POST /internal/provider-objects"] = [Proxy],
        ["POST /internal/provider-objects/claim"] = [Proxy],
        ["POST /internal/provider-objects/{id}/settled"] = [Proxy],
        ["GET /internal/provider-objects/{customer:guid}"] = [Proxy],
        ["GET /internal/provider-objects/{customer:guid}/{id}"] = [Proxy],
        ["DELETE /internal/provider-objects/{customer:guid}/{id}"] = [Proxy],
        ["PUT /internal/kept-responses/{customer:guid}/{id:guid}"] = [Proxy],
        ["GET /internal/kept-responses/{customer:guid}/{id:guid}"] = [Proxy],
        ["DELETE /internal/kept-responses/{customer:guid}/{id:guid}"] = [Proxy],
        ["POST /internal/kept-responses/{customer:guid}/find"] = [Proxy],
        ["GET /internal/projects/{project:guid}/terms"] = [Billing],
        ["GET /internal/customers/{customer:guid}/profile"] = [Billing],
        ["GET /internal/catalogue"] = [Operator],
        ["POST /internal/catalogue/import"] = [Operator],
        ["POST /internal/reseal"] = [Operator],
        ["POST /v1/sessions"] = [Proxy],
        ["POST /v1/sessions/refresh"] = [Proxy],
        ["GET /v1/sessions"] = [Proxy],
        ["DELETE /v1/sessions/{id}"] = [Proxy],
        ["GET /v1/customers"] = [Proxy],
        ["POST /v1/customers"] = [Proxy],
        ["GET /v1/customers/{id}"] = [Proxy],
        ["PATCH /v1/customers/{id}"] = [Proxy],
        ["DELETE /v1/customers/{id}"] = [Proxy],
        ["GET /v1/customers/{id}/keys"] = [Proxy],
        ["POST /v1/customers/{id}/keys"] = [Proxy],
        ["DELETE /v1/customers/{id}/keys/{keyId}"] = [Proxy],
        ["POST /v1/customers/{id}/keys/{keyId}/rotate"] = [Proxy],
        ["GET /v1/customers/{id}/limits"] = [Proxy],
        ["PUT /v1/customers/{id}/limits"] = [Proxy],
        ["PUT /v1/customers/{id}/rates"] = [Proxy],
        ["POST /v1/customers/{id}/limits/{limitId}/raise"] = [Proxy],
        ["GET /v1/customers/{id}/balances"] = [Proxy],
        ["POST /v1/customers/{id}/balances"] = [Proxy],
    };
}
