using System.Text;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Batches;

/// <summary>The form of <c>POST /v1/files</c>.</summary>
/// <param name="Name">Of the file, as its owner calls it.</param>
public sealed record FileUpload(string Name, ReadOnlyMemory<byte> Bytes)
{
    const int MaxName = 255;

    /// <exception cref="ProblemException">It is no form, or not one of a file for a batch.</exception>
    public static FileUpload Read(ReadOnlyMemory<byte> body)
    {
        var (purpose, file) = ((string?)null, (FileUpload?)null);
        var form = new FormReader(body.Span);
        while (form.Next())
            if (form.Name == "file" && form.IsFile && file is null)
                file = new(NameOf(form.FileName), body.Slice(form.Start, form.Length));
            else if (form.Name == "purpose" && !form.IsFile && purpose is null)
                purpose = Encoding.UTF8.GetString(form.Content);
            else
                throw Invalid(form.Name, "is not offered here: a form has 'purpose' and a 'file' with its name, once each");
        if (purpose is null)
            throw new ProblemException(Problems.Missing("purpose"));
        if (purpose != "batch")
            throw Invalid("purpose", "must be 'batch': files for anything else are not offered");
        return file ?? throw new ProblemException(Problems.Missing("file"));
    }

    static string NameOf(string? name) => name is { Length: > 0 and <= MaxName } && !name.Any(char.IsControl) ? name : "batch.jsonl";
}
