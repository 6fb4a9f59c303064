using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmGateway.Sandbox;

/// <summary>What tests ask and order, under <c>/sandbox</c>; without a credential, because the process listens on loopback only.</summary>
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
