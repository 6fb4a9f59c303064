using System.Net.Http.Headers;
using System.Text.Json;

namespace LlmGateway.AppHost;

/// <summary>The catalogue of models and prices that Sessions keeps.</summary>
static class SessionsCommands
{
    public static IResourceBuilder<ProjectResource> WithSessionsCommands(
        this IResourceBuilder<ProjectResource> sessions, IResourceBuilder<ParameterResource> internalKey) => sessions
        .WithServiceCommand("import-prices", "Import prices", "Take models and prices from LiteLLM's JSON file into the catalogue", "ArrowImport",
            ImportAsync, internalKey, new InteractionInput { Name = "file", Label = "Path of the file", InputType = InputType.Text, Required = true })
        .WithServiceCommand("list-models", "List models", "The catalogue: models, their limits and prices", "TextBulletList",
            ListAsync, internalKey, new InteractionInput { Name = "filter", Label = "Part of a model's name", InputType = InputType.Text });

    static async Task<(bool, string)> ImportAsync(ResourceCommands.Call call)
    {
        var file = call.Argument("file") ?? throw new Failure("the file is missing");
        if (!File.Exists(file))
            throw new Failure($"there is no file {file}");
        using var body = new ByteArrayContent(await File.ReadAllBytesAsync(file, call.Context.CancellationToken));
        body.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        var source = Uri.EscapeDataString($"LiteLLM, {Path.GetFileName(file)}");
        var report = await call.SendAsync(HttpMethod.Post, $"internal/catalogue/import?source={source}", body);
        var refused = report.GetProperty("refused").EnumerateArray().ToList();
        string[] lines =
        [
            $"{report.GetProperty("added")} added, {report.GetProperty("changed")} changed, {report.GetProperty("unchanged")} unchanged, {refused.Count} refused",
            .. refused.Select(refusal => $"refused {refusal.GetProperty("model")}: {refusal.GetProperty("reason")}"),
        ];
        return (true, string.Join('\n', lines));
    }

    static async Task<(bool, string)> ListAsync(ResourceCommands.Call call)
    {
        var listing = await call.SendAsync(HttpMethod.Get, "internal/catalogue");
        var models = listing.GetProperty("models").EnumerateArray().Select(Line)
            .Where(line => line.Contains(call.Argument("filter") ?? "", StringComparison.OrdinalIgnoreCase)).ToList();
        return (true, string.Join('\n', [$"{models.Count} models", .. models]));
    }

    static string Line(JsonElement model)
    {
        string Text(string name) => model.GetProperty(name).ToString();
        var name = $"{Text("vendor")}/{Text("id")}";
        return $"{name,-48} {Text("kind"),-10} {Text("contextTokens"),9} {Text("maxOutputTokens"),7}  {Prices(model.GetProperty("prices"))}"
            + $"  ({Text("source")}, {Text("checkedOn")})";
    }

    /// <summary>Meters and their rates, as in a seed file.</summary>
    static string Prices(JsonElement prices) => string.Join(", ",
        prices.EnumerateObject().Where(meter => meter.Value.ValueKind != JsonValueKind.Null).Select(meter => meter.Value.ValueKind switch
        {
            JsonValueKind.String => $"{meter.Name} {meter.Value}",
            JsonValueKind.Object => $"in a {meter.Name}: {Prices(meter.Value)}",
            _ => string.Join(", ", meter.Value.EnumerateArray().Select(tier =>
                $"above {tier.GetProperty("aboveInput")}: {Prices(tier.GetProperty("prices"))}")),
        }));
}
