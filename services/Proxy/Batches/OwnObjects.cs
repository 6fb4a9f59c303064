using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Batches;

/// <summary>The caller's own files and batches.</summary>
public sealed partial class OwnObjects(SessionsClient sessions)
{
    const int DefaultPage = 20, MaxPage = 100;

    /// <summary>What OpenAI lets a page of files ask for. A page is smaller here, and says that there is more.</summary>
    const int MostAsked = 10_000;

    /// <summary>Providers that are asked at the same time for one page of a list.</summary>
    const int AskedAtOnce = 8;

    /// <exception cref="ProblemException">The caller's customer has no such object (404). Objects of others look the same.</exception>
    public async Task<ProviderObject> FindAsync(Caller caller, string kind, string id) =>
        Id().IsMatch(id) && await sessions.ObjectAsync(caller.Credential.Customer!.Value, id) is { } found && found.Kind == kind
            ? found
            : throw NotFound(kind);

    /// <exception cref="ProblemException">The provider that keeps the object is no longer configured (404).</exception>
    public static Upstream ProviderOf(Project project, ProviderObject of) => project.FindProvider(of.Provider) ?? throw NotFound(of.Kind);

    /// <summary>
    /// One page of the customer's objects, newest first, each as its provider describes it now. Objects that the provider no longer has are
    /// left out.
    /// </summary>
    /// <param name="cursor">The query parameter that names the last object of the page before.</param>
    public async Task<(T[] Page, bool HasMore)> ListAsync<T>(
        HttpContext http, Caller caller, string kind, string cursor, Func<ProviderObject, Task<T>> describe)
        where T : class
    {
        var limit = Math.Min(new ListQuery(http.Request.Query).Limit(DefaultPage, MostAsked), MaxPage);
        var found = await sessions.ObjectsAsync(caller.Credential.Customer!.Value, kind, limit + 1, http.Request.Query[cursor].ToString());
        var page = new T?[Math.Min(limit, found.Count)];
        var options = new ParallelOptions { MaxDegreeOfParallelism = AskedAtOnce, CancellationToken = http.RequestAborted };
        await Parallel.ForAsync(0, page.Length, options, async (i, _) =>
        {
            try
            {
                page[i] = await describe(found[i]);
            }
            catch (ProblemException e) when (e.Problem.Status == StatusCodes.Status404NotFound)
            {
                page[i] = null;
            }
        });
        return ([.. page.OfType<T>()], found.Count > limit);
    }

    /// <summary>A page as OpenAI shows it.</summary>
    public static JsonObject List(JsonObject[] page, bool hasMore) => new()
    {
        ["object"] = "list",
        ["data"] = new JsonArray([.. page]),
        ["first_id"] = (string?)page.FirstOrDefault()?["id"],
        ["last_id"] = (string?)page.LastOrDefault()?["id"],
        ["has_more"] = hasMore,
    };

    /// <summary>Other ids cannot exist, and a dot segment would change the address.</summary>
    [GeneratedRegex("^[a-z]{1,10}[_-][0-9a-f]{32}$")]
    private static partial Regex Id();

    static ProblemException NotFound(string kind) => new(Problems.NotFound(kind == ProviderObject.File ? "file" : "batch"));
}
