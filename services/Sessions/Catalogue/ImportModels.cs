using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /internal/catalogue/import?source=</c> with LiteLLM's file as the body: its models and prices become the catalogue's, as far as
/// they are exact.
/// </summary>
public static class ImportModels
{
    const int MaxSource = 200;

    public sealed record Report(int Added, int Changed, int Unchanged, IReadOnlyList<LiteLlmFile.Refusal> Refused);

    public static void MapImportModels(this WebApplication app) => app.MapPost("/internal/catalogue/import",
        async (string source, HttpContext http, SessionsDb db, HotCopies copies, TimeProvider time, CancellationToken token) =>
        {
            if (source.Length > MaxSource || Fields.TextError(source) is not null)
                return Problems.Invalid("source", $"'source' must be a text of at most {MaxSource} characters.");
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, token); // the server refuses what is above Body.MaxBytes
            try
            {
                var now = time.GetUtcNow();
                var file = LiteLlmFile.Read(body.GetBuffer().AsMemory(0, (int)body.Length), source, DateOnly.FromDateTime(now.UtcDateTime));
                await using var transaction = await db.Database.BeginTransactionAsync(token);
                var summary = await CatalogueWriter.WriteAsync(db, file.Entries, imported: true, now, token);
                await using (copies.CatalogueChanging())
                    await transaction.CommitAsync(CancellationToken.None);
                var report = new Report(summary.Added, summary.Changed, summary.Unchanged, file.Refused);
                return http.WantsText() ? PlainText.Of(true, Lines(report)) : Results.Json(report, Defaults.Json);
            }
            catch (JsonException e)
            {
                return Problems.Malformed($"This is not LiteLLM's model file: {e.Message}");
            }
        });

    static IEnumerable<string> Lines(Report report) =>
    [
        $"{report.Added} added, {report.Changed} changed, {report.Unchanged} unchanged, {report.Refused.Count} refused",
        .. report.Refused.Select(refusal => $"refused {refusal.Model}: {refusal.Reason}"),
    ];
}
