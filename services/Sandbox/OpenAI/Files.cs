namespace LlmGateway.Sandbox;

/// <summary><c>/v1/files</c>: what was uploaded and what batches have made, the latest of it.</summary>
public sealed class Files
{
    const int MaxFiles = 100;
    const long MaxBytes = 64_000_000;
    const long Created = 1735689600;

    readonly Lock @lock = new();
    readonly List<Kept> files = [];
    int sequence;

    public sealed record Kept(string Id, string Name, string Purpose, byte[] Bytes)
    {
        public object Described => new
        {
            id = Id,
            @object = "file",
            bytes = Bytes.Length,
            created_at = Created,
            filename = Name,
            purpose = Purpose,
            status = "processed",
            expires_at = RawJson.Null,
        };
    }

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapTurn("/v1/files", exchange => UploadAsync(exchange, exchange.Context.RequestServices.GetRequiredService<Files>()));
        var group = routes
            .MapGroup("/v1/files")
            .AddEndpointFilter(async (context, next) =>
                OpenAIError.OfCredential(context.HttpContext.Request) is { } error ? error : await next(context));
        group.MapGet("/{id}", (string id, Files all) => all.Find(id) is { } file ? Results.Json(file.Described) : NoSuch(id));
        group.MapGet(
            "/{id}/content",
            (string id, Files all) => all.Find(id) is { } file ? Results.Bytes(file.Bytes, "application/octet-stream") : NoSuch(id));
        group.MapDelete(
            "/{id}",
            (string id, Files all) => all.Remove(id) ? Results.Json(new { id, @object = "file", deleted = true }) : NoSuch(id));
    }

    /// <summary>Keeps a file; the oldest of too many are forgotten.</summary>
    public Kept Add(string name, string purpose, byte[] bytes)
    {
        lock (@lock)
        {
            var file = new Kept($"file-{++sequence:d12}", name, purpose, bytes);
            files.Add(file);
            while (files.Count > MaxFiles || files.Sum(kept => (long)kept.Bytes.Length) > MaxBytes)
            {
                files.RemoveAt(0);
            }
            return file;
        }
    }

    public Kept? Find(string id)
    {
        lock (@lock)
        {
            return files.Find(file => file.Id == id);
        }
    }

    bool Remove(string id)
    {
        lock (@lock)
        {
            return files.RemoveAll(file => file.Id == id) > 0;
        }
    }

    static OpenAIError NoSuch(string id) =>
        new(StatusCodes.Status404NotFound, OpenAIError.InvalidRequest, $"No such File object: {id}", "id");

    static async Task<(Turn? Turn, IResult? Refusal)> UploadAsync(Exchange exchange, Files all)
    {
        var request = exchange.Context.Request;
        if (OpenAIError.OfCredential(request) is { } error)
        {
            return (null, error);
        }
        if (!request.HasFormContentType)
        {
            return (null, OpenAIError.Invalid("Expected a multipart form."));
        }
        request.Body = new MemoryStream(exchange.Body);
        var form = await request.ReadFormAsync(exchange.CallerLeft);
        if (form["purpose"].ToString() is not { Length: > 0 } purpose || form.Files.GetFile("file") is not { } file)
        {
            return (null, OpenAIError.Invalid("Missing required parameter: 'file' or 'purpose'.", "file", "missing_required_parameter"));
        }
        using var bytes = new MemoryStream();
        await file.CopyToAsync(bytes, exchange.CallerLeft);
        var question = new Question("file", Question.FingerprintOf("file"), 0, Markers.Read(""));
        return (new(
            question,
            status => OpenAIError.OfStatus(status, ""),
            (_, _) => new WholeReply(all.Add(file.FileName, purpose, bytes.ToArray()).Described))
        {
            Answer = (_, _) => Answer.OfTokens(question, 0),
        }, null);
    }
}
