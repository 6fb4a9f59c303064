using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace LlmGateway.Proxy.Batches;

/// <summary>The form of <c>POST /v1/files</c>.</summary>
public sealed record FileUpload(string Name, ReadOnlyMemory<byte> Bytes)
{
    const int MaxParts = 8, MaxText = 1024, MaxName = 255;

    /// <exception cref="ProblemException">It is no form, or not one of a file for a batch.</exception>
    public static async Task<FileUpload> ReadAsync(HttpContext http)
    {
        if (!MediaTypeHeaderValue.TryParse(http.Request.ContentType, out var type) || type.MediaType != "multipart/form-data" || HeaderUtilities.RemoveQuotes(type.Boundary).Value is not { Length: > 0 } boundary)
            throw new ProblemException(Problems.NotJson with { Message = "Send 'Content-Type: multipart/form-data'." });
        if (http.Request.ContentLength > Body.MaxBytes)
            throw new ProblemException(Problems.TooLarge(Body.MaxBytes));
        try
        {
            return await ReadPartsAsync(new MultipartReader(boundary, http.Request.Body), http.RequestAborted);
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new ProblemException(Problems.Malformed("The body is not a valid form."));
        }
    }

    static async Task<FileUpload> ReadPartsAsync(MultipartReader reader, CancellationToken token)
    {
        var (purpose, file) = ((string?)null, (FileUpload?)null);
        for (var parts = 0; await reader.ReadNextSectionAsync(token) is { } part; parts++)
        {
            var disposition = ContentDispositionHeaderValue.TryParse(part.ContentDisposition, out var found) ? found : throw new InvalidDataException();
            var name = HeaderUtilities.RemoveQuotes(disposition.Name).Value;
            if (parts == MaxParts)
                throw new InvalidDataException();
            if (name == "file" && file is null)
                file = new(NameOf(disposition), await ReadAsync(part.Body, Body.MaxBytes, token));
            else if (name == "purpose" && purpose is null)
                purpose = System.Text.Encoding.UTF8.GetString((await ReadAsync(part.Body, MaxText, token)).Span);
            else
                throw Refusals.Invalid(name is { Length: <= MaxName } ? name : "file", "is not offered here: a form has 'purpose' and 'file', once each");
        }
        if (purpose is null)
            throw new ProblemException(Problems.Missing("purpose"));
        if (purpose != "batch")
            throw Refusals.Invalid("purpose", "must be 'batch': files for anything else are not offered");
        return file ?? throw new ProblemException(Problems.Missing("file"));
    }

    static string NameOf(ContentDispositionHeaderValue disposition)
    {
        var name = HeaderUtilities.RemoveQuotes(disposition.FileNameStar.HasValue ? disposition.FileNameStar : disposition.FileName).Value ?? "";
        return name.Length is > 0 and <= MaxName && !name.Any(char.IsControl) ? name : "batch.jsonl";
    }

    static async Task<ReadOnlyMemory<byte>> ReadAsync(Stream part, int maxBytes, CancellationToken token)
    {
        using var bytes = new MemoryStream();
        var chunk = new byte[64 * 1024];
        for (int read; (read = await part.ReadAsync(chunk, token)) > 0;)
        {
            bytes.Write(chunk, 0, read);
            if (bytes.Length > maxBytes)
                throw new ProblemException(Problems.TooLarge(maxBytes));
        }
        return bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
    }
}
