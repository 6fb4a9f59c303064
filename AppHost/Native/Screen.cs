using System.Text;
using System.Text.Json.Nodes;

namespace LlmGateway.AppHost.Native;

/// <summary>The one screen that a user sees when everything runs.</summary>
static class Screen
{
    public static string Text(StackState state, bool detached)
    {
        var text = new StringBuilder($"\nLLM Gateway runs.\n\n");
        Line("Gateway", $"{state.Url("proxy")}   (and {state.Url("proxy2")})");
        if (state.Services.FirstOrDefault(process => process.Kind == ProcessKind.Dashboard) is { Url: { } dashboard })
            Line("Logs, traces", $"{dashboard}   (Aspire dashboard)");
        Line("Sandbox", $"{state.Url("sandbox")}   (plays the model provider)");
        var demo = Demo.From(state.Seeds);
        if (demo.SecretKey is not null)
            Line("Backend key", demo.SecretKey);
        if (demo.CustomerKey is not null)
            Line("Customer key", demo.CustomerKey);
        if (demo.Models.Length > 0)
            Line("Models", string.Join(", ", demo.Models));
        if (demo is { CustomerKey: not null, Models: [var model, ..] })
            text.Append($$"""

                Try it:

                  curl {{state.Url("proxy")}}/v1/chat/completions -H 'Authorization: Bearer {{demo.CustomerKey}}' \
                    -H 'Content-Type: application/json' -d '{"model": "{{model}}", "messages": [{"role": "user", "content": "Hello"}]}'

                """);
        var data = state.Data == Folders.DefaultData ? "" : $" --data {state.Data}";
        text.Append($"\n{(detached ? "" : "Ctrl-C stops it; so does ")}{(detached ? "Stop it: " : "")}./dev stop{data}   Look: ./dev status{data}, ./dev logs{data}\n");
        return text.ToString();

        void Line(string name, string value) => text.Append($"  {name,-14}{value}\n");
    }

    /// <summary>The first literal keys and the models of the seed files, so that what is printed can be pasted.</summary>
    sealed record Demo(string? SecretKey, string? CustomerKey, string[] Models)
    {
        public static Demo From(string[] seeds)
        {
            var projects = seeds.SelectMany(seed => Each(JsonNode.Parse(File.ReadAllText(seed)), "organizations")).SelectMany(organization => Each(organization, "projects")).ToList();
            return new(
                projects.SelectMany(project => Each(project, "secretKeys")).Select(key => (string?)key["key"]).FirstOrDefault(key => key is not null),
                projects.SelectMany(project => Each(project, "customers")).SelectMany(customer => Each(customer, "keys")).Select(key => (string?)key["key"]).FirstOrDefault(key => key is not null),
                [.. projects.SelectMany(project => Each(project, "models")).Select(model => (string?)model["id"]).OfType<string>()]);
        }

        static IEnumerable<JsonNode> Each(JsonNode? parent, string name) => (parent?[name] as JsonArray ?? []).OfType<JsonNode>();
    }
}
