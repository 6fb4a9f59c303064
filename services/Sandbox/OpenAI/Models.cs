namespace LlmGateway.Sandbox;

/// <summary>
/// <c>GET /v1/models</c> and <c>/v1/models/{id}</c>. Every name is a model, so that a seed file may use any; listed are a few, and one for
/// each fault.
/// </summary>
public static class Models
{
    static readonly string[] Bases = ["sandbox-small", "sandbox-large", "gpt-4o-mini", "gpt-4o"];

    public static void MapModels(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/models", (HttpRequest request) => OpenAIError.OfCredential(request) ?? List());
        routes.MapGet("/v1/models/{**id}", (string id, HttpRequest request) =>
            OpenAIError.OfCredential(request) ?? One(Uri.UnescapeDataString(id)));
    }

    /// <summary>The names that are listed.</summary>
    public static IEnumerable<string> Names => [.. Bases, .. Faults.All.Select(fault => Bases[0] + fault.Suffix)];

    static IResult List() => Results.Json(new { @object = "list", data = Names.Select(Describe) });

    static IResult One(string id) => Faults.Of(id).ErrorStatus == StatusCodes.Status404NotFound
        ? OpenAIError.OfStatus(StatusCodes.Status404NotFound, id)
        : Results.Json(Describe(id));

    static object Describe(string id) => new { id, @object = "model", created = ChatShapes.Created, owned_by = "sandbox" };
}
