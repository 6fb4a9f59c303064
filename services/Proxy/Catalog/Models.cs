using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Gemini;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// <c>GET /v1/models</c> and <c>/v1/models/{id}</c>, also under <c>/v1beta</c> and without a version: the models that this credential may
/// call. Three wires share these addresses. The request's headers decide between them: <c>anthropic-version</c>, a key in Google's form,
/// else OpenAI. With a secret key or a member's token they are the project's models, as Sessions has them.
/// </summary>
public static partial class Models
{
    static readonly JsonSerializerOptions WithoutNulls = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    enum Shape { OpenAi, Anthropic, Gemini }

    public static void MapModels(this WebApplication app)
    {
        foreach (var root in (string[])["/v1", "", "/v1beta"])
        {
            app.MapGet(
                $"{root}/models",
                (HttpContext http, Identity identity, KeyUse keys, ManagementRates rates, ManagementCalls calls) =>
                    AnswerAsync(http, identity, keys, rates, calls, null));
            app.MapGet(
                $"{root}/models/{{**id}}",
                (string id, HttpContext http, Identity identity, KeyUse keys, ManagementRates rates, ManagementCalls calls) =>
                    AnswerAsync(http, identity, keys, rates, calls, id));
        }
    }

    /// <summary>
    /// Merges repeated slashes: some clients join a base URL that ends in a slash without change, to <c>/v1//models</c>. Call before
    /// <c>UseRouting</c>.
    /// </summary>
    public static void UseModelAddresses(this WebApplication app) => app.Use(next => http =>
    {
        if (HttpMethods.IsGet(http.Request.Method) && http.Request.Path.Value is { } path && path.Contains("//", StringComparison.Ordinal))
            http.Request.Path = Slashes().Replace(path, "/");
        return next(http);
    });

    static async Task<IResult> AnswerAsync(
        HttpContext http, Identity identity, KeyUse keys, ManagementRates rates, ManagementCalls calls, string? id)
    {
        // The shape is decided before the key is taken out of the query.
        var shape = ShapeOf(http.Request);
        if (shape != Shape.OpenAi)
            http.SetProblemBody(shape == Shape.Gemini ? Wires.Gemini.WriteError : Wires.Messages.WriteError);
        var (caller, problem) = await identity.IdentifyAsync(http);
        // A backend manages its models under the same address.
        var isManaged = caller?.Credential.Kind is CredentialKind.SecretKey or CredentialKind.Member
            && http.Request.Path.StartsWithSegments("/v1/models");
        problem ??= (isManaged ? null : Permit.CheckInference(caller!.Credential)) ?? rates.Take(caller!.Credential);
        if (problem is not null)
            return problem;
        keys.Record(caller!.Credential);
        if (isManaged)
        {
            await calls.SendAsync(http, ServiceCall.Sessions, Principal.Of(caller.Credential));
            return Results.Empty;
        }
        if (id is null)
            return Results.Json(List(shape, [.. Allowed(caller!)]), WithoutNulls);
        var name = NameIn(shape == Shape.Gemini ? GeminiTarget.ModelOf(id) : id);
        return FirstAllowed(caller!, name) is { } route ? Results.Json(Show(shape, route), WithoutNulls) : Problems.NotFound("model");
    }

    /// <summary>The name of a model in an address: SDKs escape its slash, and the server does not decode this one escape.</summary>
    public static string NameIn(string address) => address.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);

    static Shape ShapeOf(HttpRequest request)
    {
        if (request.Path.StartsWithSegments("/v1beta"))
            return Shape.Gemini;
        if (request.Headers.ContainsKey("anthropic-version"))
            return Shape.Anthropic;
        return request.Headers.ContainsKey("x-goog-api-key") || request.Query.ContainsKey("key") ? Shape.Gemini : Shape.OpenAi;
    }

    static IEnumerable<Route> Allowed(Caller caller) =>
        caller.Project.Catalog.Models.Select(model => FirstAllowed(caller, model.Id)).OfType<Route>();

    /// <summary>The first provider of the model that the caller may use.</summary>
    static Route? FirstAllowed(Caller caller, string name)
    {
        for (var route = caller.Project.Find(name); route is not null; route = route.Next)
            if (Permit.Check(caller.Credential, route, name) is null)
                return route;
        return null;
    }

    /// <summary>All models on one page: a project offers some dozens.</summary>
    static object List(Shape shape, Route[] routes)
    {
        var models = routes.Select(route => Show(shape, route));
        return shape switch
        {
            Shape.Anthropic => new
            {
                data = models, has_more = false, first_id = routes.FirstOrDefault()?.Model.Id, last_id = routes.LastOrDefault()?.Model.Id,
            },
            Shape.Gemini => new { models },
            _ => new { @object = "list", data = models },
        };
    }

    /// <summary>The age of a model is unknown here. Vendors report the Unix epoch in that case.</summary>
    static object Show(Shape shape, Route route) => shape switch
    {
        Shape.Anthropic => new { type = "model", id = route.Model.Id, display_name = route.Model.Id, created_at = "1970-01-01T00:00:00Z" },
        Shape.Gemini => new
        {
            name = $"models/{route.Model.Id}",
            displayName = route.Model.Id,
            inputTokenLimit = Known(route.Model.ContextTokens),
            outputTokenLimit = Known(route.Model.MaxOutputTokens),
            supportedGenerationMethods = route.Model.Kind switch
            {
                "chat" => (string[])[GeminiTarget.Generate, GeminiTarget.Stream, GeminiTarget.CountTokens],
                "embedding" => [GeminiTarget.Embed, GeminiTarget.EmbedBatch],
                _ => [],
            },
        },
        _ => new { id = route.Model.Id, @object = "model", created = 0, owned_by = route.Model.Provider },
    };

    static long? Known(long tokens) => tokens > 0 ? tokens : null;

    [GeneratedRegex("/{2,}")]
    private static partial Regex Slashes();
}
