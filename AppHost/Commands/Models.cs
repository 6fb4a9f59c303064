using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <summary><c>./dev models</c>: the catalogue of models and prices that Sessions keeps.</summary>
static class Models
{
    /// <summary>LiteLLM's whole file, some 3 000 models, takes a few seconds.</summary>
    static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(120);

    sealed record Report(int Added, int Changed, int Unchanged, Refusal[] Refused);
    sealed record Refusal(string Model, string Reason);
    sealed record Listing(Model[] Models);
    sealed record Model(string Vendor, string Id, string Kind, long? ContextTokens, long MaxOutputTokens, JsonElement Prices, string Source, string CheckedOn);
    sealed record Problem(string Message);

    public static async Task<ExitCode> ImportAsync(Arguments arguments)
    {
        var file = arguments.Operand!;
        if (!File.Exists(file))
            throw new Failure(ExitCode.NotFound, $"there is no file {file}");
        using var client = Sessions(arguments);
        using var body = new ByteArrayContent(await File.ReadAllBytesAsync(file));
        body.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        var report = await AnswerAsync<Report>(client.PostAsync($"internal/catalogue/import?source={Uri.EscapeDataString($"LiteLLM, {Path.GetFileName(file)}")}", body));
        foreach (var refusal in report.Refused)
            Console.WriteLine($"refused {refusal.Model}: {refusal.Reason}");
        Console.WriteLine($"{report.Added} added, {report.Changed} changed, {report.Unchanged} unchanged, {report.Refused.Length} refused");
        return ExitCode.Ok;
    }

    public static async Task<ExitCode> ListAsync(Arguments arguments)
    {
        using var client = Sessions(arguments);
        var listing = await AnswerAsync<Listing>(client.GetAsync("internal/catalogue"));
        foreach (var model in listing.Models.Where(model => $"{model.Vendor}/{model.Id}".Contains(arguments.Operand ?? "", StringComparison.OrdinalIgnoreCase)))
            Console.WriteLine($"{model.Vendor + "/" + model.Id,-48} {model.Kind,-10} {model.ContextTokens,9} {model.MaxOutputTokens,7}  {Prices(model.Prices)}  ({model.Source}, {model.CheckedOn})");
        return ExitCode.Ok;
    }

    /// <summary>Meters and their rates, as in a seed file.</summary>
    static string Prices(JsonElement prices) => string.Join(", ", prices.EnumerateObject().Where(meter => meter.Value.ValueKind != JsonValueKind.Null).Select(meter => meter.Value.ValueKind switch
    {
        JsonValueKind.String => $"{meter.Name} {meter.Value}",
        JsonValueKind.Object => $"in a {meter.Name}: {Prices(meter.Value)}",
        _ => string.Join(", ", meter.Value.EnumerateArray().Select(tier => $"above {tier.GetProperty("aboveInput")}: {Prices(tier.GetProperty("prices"))}")),
    }));

    static HttpClient Sessions(Arguments arguments)
    {
        var state = StackState.RequireRunning(arguments.Folders);
        var client = new HttpClient { BaseAddress = new(state.Url("sessions")), Timeout = AnswerLimit };
        client.DefaultRequestHeaders.Add("X-Gateway-Internal", state.InternalKey);
        return client;
    }

    static async Task<T> AnswerAsync<T>(Task<HttpResponseMessage> call)
    {
        try
        {
            using var response = await call;
            return response.IsSuccessStatusCode ? (await response.Content.ReadFromJsonAsync<T>())!
                : throw new Failure(ExitCode.Failed, (await response.Content.ReadFromJsonAsync<Problem>())!.Message);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException)
        {
            throw new Failure(ExitCode.Unavailable, $"sessions does not answer: {e.Message}");
        }
    }
}
