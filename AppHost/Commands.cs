using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Service = Aspire.Hosting.ApplicationModel.IResourceBuilder<Aspire.Hosting.ApplicationModel.ProjectResource>;

namespace LlmGateway.AppHost;

/// <summary>
/// Buttons on resources, in the dashboard and for <c>aspire resource NAME COMMAND</c>. Each is a call of a service, which answers in words:
/// how it does what it is asked is the service's own affair.
/// </summary>
static class Commands
{
    static readonly InteractionInput
        Wait = Input("wait", "Seconds that work in flight may take", InputType.Number, "0"),
        Seconds = Input("seconds", "Seconds to wait for running requests", InputType.Number, "60"),
        Filter = Input("filter", "Part of a model's name", InputType.Text, ""),
        PriceFile = new()
        {
            Name = "file", Label = "Path of LiteLLM's model_prices_and_context_window.json", InputType = InputType.Text, Required = true,
        };

    public static Service WithWalletCommands(
        this Service wallet, IResourceBuilder<ParameterResource> key) => wallet
        .WithCall("verify", "Verify the books", "CheckmarkCircle", HttpMethod.Get, "/internal/verify", key, inputs: Wait)
        .WithCall("list-errors", "List unhandled messages", "MailAlert", HttpMethod.Get, "/internal/error-queues", key)
        .WithCall("retry-errors", "Put unhandled messages back", "MailArrowUp", HttpMethod.Post, "/internal/error-queues/retry", key);

    public static Service WithSessionsCommands(
        this Service sessions, IResourceBuilder<ParameterResource> key) => sessions
        .WithCall("list-models", "List models", "TextBulletList", HttpMethod.Get, "/internal/catalogue", key, inputs: Filter)
        .WithCall("import-prices", "Import prices", "ArrowImport", HttpMethod.Post, "/internal/catalogue/import", key, Prices, PriceFile);

    public static Service WithProxyCommands(
        this Service proxy, IResourceBuilder<ParameterResource> key) => proxy
        .WithCall("drain", "Drain", "ArrowExit", HttpMethod.Post, "/internal/drain", key, inputs: Seconds)
        .WithCall("resume", "Resume", "ArrowEnter", HttpMethod.Post, "/internal/resume", key);

    public static Service WithSandboxCommands(this Service sandbox) => sandbox
        .WithCall("fail", "Fail", "PlugDisconnected", HttpMethod.Post, "/sandbox/behaviour", content: _ => Behaviour("-error-503"))
        .WithCall("slow", "Slow", "TimerOff", HttpMethod.Post, "/sandbox/behaviour", content: _ => Behaviour("-slow"))
        .WithCall("recover", "Recover", "PlugConnected", HttpMethod.Post, "/sandbox/behaviour", content: _ => Behaviour(null));

    static JsonContent Behaviour(string? fault) => JsonContent.Create(new { fault });

    static StreamContent Prices(InteractionInputCollection inputs)
    {
        var content = new StreamContent(File.OpenRead(inputs["file"].Value!));
        content.Headers.ContentType = new("application/json");
        return content;
    }

    /// <summary>Inputs are the call's query, but for the path of a file, which is its body and names its source.</summary>
    static Service WithCall(
        this Service service, string name, string title, string icon, HttpMethod method, string path,
        IResourceBuilder<ParameterResource>? key = null, Func<InteractionInputCollection, HttpContent>? content = null,
        params InteractionInput[] inputs) =>
        service.WithHttpCommand(path, title, "http", name, new HttpCommandOptions
        {
            Method = method,
            IconName = icon,
            Arguments = inputs,
            PrepareRequest = async context =>
            {
                var query = inputs.Select(input => input == PriceFile
                    ? $"source={Uri.EscapeDataString($"LiteLLM, {Path.GetFileName(context.Arguments["file"].Value)}")}"
                    : $"{input.Name}={Uri.EscapeDataString(context.Arguments[input.Name].Value ?? "")}");
                context.Request.RequestUri = new UriBuilder(context.Request.RequestUri!) { Query = string.Join('&', query) }.Uri;
                context.Request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/plain"));
                if (key is not null)
                    context.Request.Headers.Add(Checks.InternalKeyHeader, await key.Resource.GetValueAsync(context.CancellationToken));
                context.Request.Content = content?.Invoke(context.Arguments);
            },
            GetCommandResult = async context =>
            {
                var text = await context.Response.Content.ReadAsStringAsync(context.CancellationToken);
                return context.Response.IsSuccessStatusCode
                    ? CommandResults.Success(text.Split('\n')[0], text, CommandResultFormat.Text, displayImmediately: true)
                    : CommandResults.Failure(Reason(text));
            },
        });

    /// <summary>Of a refusal, the message alone. Books that do not balance are an answer in words.</summary>
    static string Reason(string text) =>
        text.StartsWith('{') && JsonNode.Parse(text)?["error"]?["message"] is { } message ? (string)message! : text.TrimEnd();

    static InteractionInput Input(string name, string label, InputType type, string value) =>
        new() { Name = name, Label = label, InputType = type, Value = value };
}
