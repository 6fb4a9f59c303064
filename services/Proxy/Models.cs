using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary><c>GET /v1/models</c> and <c>/v1/models/{id}</c> on the OpenAI wire: what this credential may call, nothing else.</summary>
public static class Models
{
    public static void MapModels(this WebApplication app)
    {
        foreach (var root in (string[])["/v1", ""])
        {
            app.MapGet($"{root}/models", async (HttpContext http, Identity identity) =>
            {
                var (caller, problem) = await IdentifyAsync(http, identity);
                return problem ?? Results.Json(new { @object = "list", data = Allowed(caller!).Select(Show) });
            });
            app.MapGet($"{root}/models/{{**id}}", async (string id, HttpContext http, Identity identity) =>
            {
                var (caller, problem) = await IdentifyAsync(http, identity);
                if (problem is not null)
                    return problem;
                var route = caller!.Project.Find(id);
                return route is not null && Permit.Check(caller.Credential, route, id) is null ? Results.Json(Show(route)) : Problems.NotFound("model");
            });
        }
    }

    static async Task<(Caller? Caller, IResult? Problem)> IdentifyAsync(HttpContext http, Identity identity)
    {
        var (caller, problem) = await identity.IdentifyAsync(http);
        return (caller, problem ?? Permit.CheckInference(caller!.Credential));
    }

    static IEnumerable<Route> Allowed(Caller caller) => caller.Project.Catalog.Models
        .Select(model => caller.Project.Find($"{model.Provider}/{model.Id}"))
        .Where(route => route is not null && Permit.Check(caller.Credential, route, route.Model.Id) is null)!;

    static object Show(Route route) => new { id = route.Model.Id, @object = "model", created = 0, owned_by = route.Model.Provider };
}
