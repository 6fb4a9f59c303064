using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmGateway.Sandbox;

/// <summary>
/// The routes under <c>/sandbox</c>, with which tests ask and order. They need no credential, because no sandbox is part of a production
/// deployment.
/// </summary>
public static class Control
{
    static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    public static void MapControl(this IEndpointRouteBuilder routes)
    {
        var control = routes.MapGroup("/sandbox");
        control.MapGet("/faults", () => Faults.All.Select(fault => new { fault.Suffix, fault.Effect }));
        control.MapGet("/waiting", (string? group, Barriers barriers) => new { Waiting = barriers.Waiting(group) });
        control.MapPost("/release", (string? group, Barriers barriers) => new { Released = barriers.Release(group) });
        control.MapGet("/requests", (string? tag, RequestLog log) => Results.Json(new { Requests = log.WithTag(tag) }, Options));
        control.MapDelete("/requests", (RequestLog log) =>
        {
            log.Clear();
            return Results.NoContent();
        });
    }
}
