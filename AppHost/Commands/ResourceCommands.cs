using System.Text.Json;

namespace LlmGateway.AppHost;

/// <summary>
/// Buttons on resources, in the dashboard and for <c>aspire resource NAME COMMAND</c>. Each asks the service itself, with the internal key, and
/// answers with something that a person can read.
/// </summary>
static class ResourceCommands
{
    /// <summary>The longest answer: LiteLLM's whole file, a proxy that drains.</summary>
    static readonly TimeSpan AnswerLimit = TimeSpan.FromMinutes(11);

    /// <summary>What a command asks of its service.</summary>
    public readonly record struct Call(HttpClient Client, ExecuteCommandContext Context)
    {
        public string? Argument(string name) => Context.Arguments.TryGetByName(name, out var input) && input.Value is { Length: > 0 } value ? value : null;

        /// <summary>The answer's JSON; a refusal ends the command with its message.</summary>
        public async Task<JsonElement> SendAsync(HttpMethod method, string path, HttpContent? body = null)
        {
            using var request = new HttpRequestMessage(method, path) { Content = body };
            using var response = await Client.SendAsync(request, Context.CancellationToken);
            var text = await response.Content.ReadAsStringAsync(Context.CancellationToken);
            if (!response.IsSuccessStatusCode)
                throw new Failure(Message(text) ?? $"the service answers {(int)response.StatusCode}");
            return JsonSerializer.Deserialize<JsonElement>(text.Length == 0 ? "{}" : text);
        }

        static string? Message(string text)
        {
            try
            {
                return JsonSerializer.Deserialize<JsonElement>(text).GetProperty("message").GetString();
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                return null;
            }
        }
    }

    /// <param name="ask">Returns what a person reads, and whether all is well.</param>
    public static IResourceBuilder<ProjectResource> WithServiceCommand(
        this IResourceBuilder<ProjectResource> service, string name, string title, string description, string icon,
        Func<Call, Task<(bool Ok, string Text)>> ask, IResourceBuilder<ParameterResource>? internalKey = null, params InteractionInput[] arguments)
    {
        var options = new CommandOptions
        {
            Description = description,
            IconName = icon,
            Arguments = arguments,
            UpdateState = context => context.ResourceSnapshot.State?.Text == KnownResourceStates.Running
                ? ResourceCommandState.Enabled
                : ResourceCommandState.Disabled,
        };
        return service.WithCommand(name, title, async context =>
        {
            try
            {
                using var client = new HttpClient { BaseAddress = new(service.GetEndpoint("http").Url), Timeout = AnswerLimit };
                if (internalKey is not null)
                    client.DefaultRequestHeaders.Add("X-Gateway-Internal", await internalKey.Resource.GetValueAsync(context.CancellationToken));
                var (ok, text) = await ask(new(client, context));
                return ok
                    ? CommandResults.Success(FirstLine(text), text, CommandResultFormat.Text, displayImmediately: true)
                    : CommandResults.Failure(FirstLine(text), text, CommandResultFormat.Text);
            }
            catch (Exception e) when (e is Failure or HttpRequestException or TaskCanceledException or JsonException or IOException)
            {
                return CommandResults.Failure($"{service.Resource.Name}: {e.Message}");
            }
        }, options);
    }

    static string FirstLine(string text) => text.Split('\n')[0];
}
