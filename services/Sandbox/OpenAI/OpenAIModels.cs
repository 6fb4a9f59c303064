namespace LlmGateway.Sandbox;

/// <summary>The list of models in OpenAI's shape.</summary>
public static class OpenAIModels
{
    static readonly string[] Bases = ["gpt-4o-mini", "gpt-4o"];

    public static IResult List() => Results.Json(new { @object = "list", data = Models.Names(Bases).Select(Describe) });

    public static IResult One(string id) => Faults.Of(id).ErrorStatus == StatusCodes.Status404NotFound
        ? OpenAIError.OfStatus(StatusCodes.Status404NotFound, id)
        : Results.Json(Describe(id));

    static object Describe(string id) => new { id, @object = "model", created = ChatShapes.Created, owned_by = "sandbox" };
}
