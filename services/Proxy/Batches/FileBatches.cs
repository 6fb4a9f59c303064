using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Batches;

/// <summary>
/// <c>/v1/batches</c>: OpenAI's batches, of files that were uploaded here. <see cref="BatchCreation"/> says how they are charged.
/// </summary>
public sealed class FileBatches(
    Entrance entrance, OwnObjects objects, BatchCreation creation, BatchSettling settling, ProviderCalls calls, SessionsClient sessions,
    LedgerClock clock, TimeProvider time)
{
    const string Path = "/v1/batches", Kind = ProviderObject.Batch, OnlyWindow = "24h";

    /// <summary>The members of a description that we replace; all others are the provider's.</summary>
    const string Id = "id", InputFile = "input_file_id";

    static readonly string[] MadeFiles = ["output_file_id", "error_file_id"];

    sealed record Asked(string File, string Endpoint, JsonNode? Metadata);

    public static void Map(WebApplication app)
    {
        var batches = app.Services.GetRequiredService<FileBatches>();
        foreach (var root in (string[])[Path, "/batches"])
        {
            app.MapPost(root, (Delegate)batches.CreateAsync);
            app.MapGet(root, (Delegate)batches.ListAsync);
            app.MapGet($"{root}/{{id}}", (string id, HttpContext http) => batches.DescribeAsync(http, id, HttpMethod.Get, ""));
            app.MapPost(
                $"{root}/{{id}}/cancel", (string id, HttpContext http) => batches.DescribeAsync(http, id, HttpMethod.Post, "/cancel"));
        }
    }

    async Task CreateAsync(HttpContext http)
    {
        var call = new ModelCall(http, Path, clock, time);
        call.Caller = await entrance.EnterAsync(http, Wires.Chat, call.Id);
        await creation.AnswerAsync(call, Path, body => ReadAsync(call, body));
    }

    async Task<NewBatch> ReadAsync(ModelCall call, ReadOnlyMemory<byte> body)
    {
        var asked = Read(body);
        var file = await objects.FindAsync(call.Caller, ProviderObject.File, asked.File);
        var terms = file.Terms ?? throw Invalid(InputFile, "must be a file that was uploaded");
        if (asked.Endpoint != terms.Endpoint)
            throw Invalid("endpoint", $"must be '{terms.Endpoint}' like the 'url' of the file's lines");
        call.Route = RouteOf(call.Caller, file, terms);
        var create = new ProviderCall(call.Http, Wires.Chat, call.Route.Upstream, file.ProviderKey, HttpMethod.Post, Path)
        {
            Content = () => Body(file, asked),
        };
        ProviderCall Cancel(string providerId) =>
            create with { Path = $"{Path}/{Uri.EscapeDataString(providerId)}/cancel", Content = null };
        return new(Kind, "batch_", terms, create, Cancel, Shown) { InputFile = file.Id };
    }

    async Task<IResult> ListAsync(HttpContext http)
    {
        var caller = await entrance.EnterAsync(http, Wires.Chat);
        var (page, hasMore) = await objects.ListAsync(
            http, caller, Kind, "after", batch => AskAsync(http, caller, batch, HttpMethod.Get, ""));
        return ProviderCalls.Answer(OwnObjects.List(page, hasMore));
    }

    async Task<IResult> DescribeAsync(HttpContext http, string id, HttpMethod method, string action)
    {
        var caller = await entrance.EnterAsync(http, Wires.Chat);
        return ProviderCalls.Answer(await AskAsync(http, caller, await objects.FindAsync(caller, Kind, id), method, action));
    }

    async Task<JsonObject> AskAsync(HttpContext http, Caller caller, ProviderObject batch, HttpMethod method, string action)
    {
        var call = new ProviderCall(
            http,
            Wires.Chat,
            OwnObjects.ProviderOf(caller.Project, batch),
            batch.ProviderKey,
            method,
            $"{BatchState.PathOf(batch)}{action}")
        {
            About = batch,
        };
        var answer = await calls.AskAsync(call, http.RequestAborted);
        if (BatchState.Of(batch, answer).HasEnded)
            settling.Hint(batch);
        return await ShownAsync(batch, answer);
    }

    /// <summary>
    /// The provider's description under our ids. Files that the provider made get their ids when they are first seen, and always the same.
    /// </summary>
    async Task<JsonObject> ShownAsync(ProviderObject batch, JsonObject answer)
    {
        var made = MadeFiles.Select(member => (member, answer[member])).ToList();
        Shown(batch, answer);
        foreach (var (member, node) in made)
        {
            if (node is not JsonValue value || !value.TryGetValue(out string? providerId))
                continue;
            var file = new ProviderObject(
                $"file-{Ids.Derive(batch.RequestId!.Value, providerId):N}", ProviderObject.File, batch.Project, batch.Test, batch.Customer,
                batch.Provider, batch.ProviderKey, providerId, time.GetUtcNow());
            await sessions.RegisterAsync(file);
            answer[member] = file.Id;
        }
        return answer;
    }

    /// <summary>Without the files that the provider has made, of which a new batch has none.</summary>
    static JsonObject Shown(ProviderObject batch, JsonObject answer)
    {
        answer[Id] = batch.Id;
        answer[InputFile] = batch.InputFile;
        foreach (var member in MadeFiles.Where(answer.ContainsKey))
            answer[member] = null;
        return answer;
    }

    /// <summary>
    /// The bound was computed with the prices of the upload. They must still be the current ones, and the caller must still have access to
    /// the model.
    /// </summary>
    static Route RouteOf(Caller caller, ProviderObject file, BatchTerms terms)
    {
        var route = caller.Project.Find($"{file.Provider}/{terms.Model}") ?? throw new ProblemException(Problems.UnknownModel(terms.Model));
        if (Permit.Check(caller.Credential, route, terms.Model) is { } refused)
            throw new ProblemException(refused);
        return route.Model.PriceVersion == terms.PriceVersion
            ? route
            : throw new ProblemException(
                Problems.Conflict(
                    "prices_changed",
                    $"The price of the model '{terms.Model}' has changed since the file was uploaded. Upload it again.",
                    InputFile));
    }

    static ByteArrayContent Body(ProviderObject file, Asked asked)
    {
        var json = new JsonObject { [InputFile] = file.ProviderId, ["endpoint"] = asked.Endpoint, ["completion_window"] = OnlyWindow };
        if (asked.Metadata is not null)
            json["metadata"] = asked.Metadata.DeepClone();
        return new(JsonSerializer.SerializeToUtf8Bytes(json)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
    }

    static Asked Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            return Read(body.Span);
        }
        catch (JsonException e)
        {
            throw new ProblemException(Problems.NotValidJson(e));
        }
    }

    static Asked Read(ReadOnlySpan<byte> body)
    {
        var json = new StrictJson(body);
        json.OpenBody();
        var (file, endpoint, window, metadata) = ((string?)null, (string?)null, (string?)null, (JsonNode?)null);
        ReadOnlySpan<byte> name = default;
        while (json.NextMember(ref name))
        {
            if (name.SequenceEqual("input_file_id"u8))
                file = json.ReadText(InputFile);
            else if (name.SequenceEqual("endpoint"u8))
                endpoint = json.ReadText("endpoint");
            else if (name.SequenceEqual("completion_window"u8))
                window = json.ReadText("completion_window");
            else if (name.SequenceEqual("metadata"u8))
            {
                var start = json.Start;
                json.Skip();
                metadata = JsonNode.Parse(body[start..json.End]);
            }
            else
                throw Invalid(Encoding.UTF8.GetString(name), "is not offered here");
        }
        json.Step();
        if (window != OnlyWindow)
            throw Invalid("completion_window", $"must be '{OnlyWindow}'");
        return new(
            file ?? throw new ProblemException(Problems.Missing(InputFile)),
            endpoint ?? throw new ProblemException(Problems.Missing("endpoint")),
            metadata);
    }
}
