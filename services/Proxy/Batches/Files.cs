using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Batches;

/// <summary>
/// <c>/v1/files</c>: OpenAI's files, as far as batches need them. The bound of a file's lines is computed at the upload and stored with the
/// file.
/// </summary>
public sealed class Files(
    Entrance entrance, OwnObjects objects, BodyBudget bodies, ProviderCalls calls, SessionsClient sessions, TimeProvider time,
    ILogger<Files> log)
{
    const string Path = "/v1/files", Kind = ProviderObject.File, Id = "id";

    /// <summary>Most files of one customer, files made by batches included.</summary>
    const int MaxFiles = 100;

    public static void Map(WebApplication app)
    {
        var files = app.Services.GetRequiredService<Files>();
        foreach (var root in (string[])[Path, "/files"])
        {
            app.MapPost(root, (Delegate)files.UploadAsync);
            app.MapGet(root, (Delegate)files.ListAsync);
            app.MapGet($"{root}/{{id}}", (string id, HttpContext http) => files.DescribeAsync(http, id));
            app.MapGet($"{root}/{{id}}/content", (string id, HttpContext http) => files.ContentAsync(http, id));
            app.MapDelete($"{root}/{{id}}", (string id, HttpContext http) => files.DeleteAsync(http, id));
        }
    }

    async Task<IResult> UploadAsync(HttpContext http)
    {
        var caller = await entrance.EnterAsync(http, Wires.Chat);
        using var body = await RequestBody.ReadAsync(http, bodies, caller.Owner, form: true);
        var upload = FileUpload.Read(body.Memory);
        var (plan, sent) = BatchFile.Read(upload.Bytes, caller);
        var credential = caller.Credential;
        if ((await sessions.ObjectsAsync(credential.Customer!.Value, Kind, MaxFiles, null)).Count >= MaxFiles)
            throw new ProblemException(Problems.Conflict("too_many_files", $"There are {MaxFiles} files already. Delete some of them."));
        var upstream = plan.Route!.Upstream;
        var call = new ProviderCall(http, Wires.Chat, upstream, upstream.NextKey(), HttpMethod.Post, Path)
        {
            Content = () => Form(upload.Name, sent),
        };
        var answer = await calls.AskAsync(call, http.RequestAborted);
        var made = new ProviderObject(
            $"file-{Ids.New():N}", Kind, credential.Project, credential.Test, credential.Customer.Value, plan.Route.Model.Provider,
            call.Key, (string)answer[Id]!, time.GetUtcNow())
        {
            Terms = plan.Terms,
        };
        try
        {
            await sessions.RegisterAsync(made);
        }
        catch
        {
            await ForgetAsync(call with { Method = HttpMethod.Delete, Path = BatchState.PathOf(made), Content = null });
            throw;
        }
        return ProviderCalls.Answer(Shown(made, answer));
    }

    async Task<IResult> ListAsync(HttpContext http)
    {
        var caller = await entrance.EnterAsync(http, Wires.Chat);
        if (http.Request.Query["order"] == "asc")
            throw FieldErrors.Invalid("order", "must be 'desc'");
        var (page, hasMore) = await objects.ListAsync(
            http,
            caller,
            Kind,
            "after",
            async file => Shown(file, await calls.AskAsync(Call(http, caller, file, HttpMethod.Get), http.RequestAborted)));
        return ProviderCalls.Answer(OwnObjects.List(page, hasMore));
    }

    async Task<IResult> DescribeAsync(HttpContext http, string id)
    {
        var caller = await entrance.EnterAsync(http, Wires.Chat);
        var file = await objects.FindAsync(caller, Kind, id);
        return ProviderCalls.Answer(Shown(file, await calls.AskAsync(Call(http, caller, file, HttpMethod.Get), http.RequestAborted)));
    }

    async Task ContentAsync(HttpContext http, string id)
    {
        var caller = await entrance.EnterAsync(http, Wires.Chat);
        var call = Call(http, caller, await objects.FindAsync(caller, Kind, id), HttpMethod.Get);
        await calls.PassAsync(http, call with { Path = $"{call.Path}/content" }, "application/octet-stream");
    }

    /// <summary>A batch whose results are deleted before its cost is booked stays at its bound.</summary>
    async Task<IResult> DeleteAsync(HttpContext http, string id)
    {
        var caller = await entrance.EnterAsync(http, Wires.Chat);
        var file = await objects.FindAsync(caller, Kind, id);
        var answer = await calls.AskAsync(Call(http, caller, file, HttpMethod.Delete), http.RequestAborted);
        await sessions.DeleteAsync(file);
        return ProviderCalls.Answer(Shown(file, answer));
    }

    async Task ForgetAsync(ProviderCall delete)
    {
        try
        {
            (await calls.SendAsync(delete, CancellationToken.None)).Dispose();
        }
        catch (ProblemException e)
        {
            log.LogWarning("a file that nobody can reach stays at {Provider}: {Message}", delete.Upstream.Provider.Id, e.Message);
        }
    }

    static ProviderCall Call(HttpContext http, Caller caller, ProviderObject file, HttpMethod method) =>
        new(
            http,
            Wires.Chat,
            OwnObjects.ProviderOf(caller.Project, file),
            file.ProviderKey,
            method,
            BatchState.PathOf(file))
        {
            About = file,
        };

    static JsonObject Shown(ProviderObject file, JsonObject answer)
    {
        answer[Id] = file.Id;
        return answer;
    }

    static MultipartFormDataContent Form(string name, ReadOnlyMemory<byte> bytes)
    {
        var file = new ReadOnlyMemoryContent(bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/jsonl") } };
        return new() { { new StringContent("batch"), "purpose" }, { file, "file", name } };
    }
}
