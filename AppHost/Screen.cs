using System.Text;
using System.Text.Json.Nodes;

namespace LlmGateway.AppHost;

/// <summary>The one screen that a user sees when everything runs.</summary>
static class Screen
{
    public static string Text(Stack stack)
    {
        var text = new StringBuilder("\nLLM Gateway runs.\n\n");
        var gateway = Url(Ports.Proxy);
        Line("Gateway", $"{gateway}   (and {Url(Ports.Proxy2)})");
        if (stack.HasDashboard)
            Line("Logs, traces", Login(stack) + "   (Aspire dashboard)");
        Line("Sandbox", $"{Url(Ports.Sandbox)}   (plays the model provider)");
        Line("Servers", $"{stack.ServersAre}; data in {stack.Data}");
        var demo = Demo.From(stack.Seeds);
        if (demo.SecretKey is not null)
            Line("Backend key", demo.SecretKey);
        if (demo.CustomerKey is not null)
            Line("Customer key", demo.CustomerKey);
        if (demo.Models.Length > 0)
            Line("Models", string.Join(", ", demo.Models));
        if (demo is { CustomerKey: not null, Models: [var model, ..] })
            text.Append($$"""

                Try it:

                  curl {{gateway}}/v1/chat/completions -H 'Authorization: Bearer {{demo.CustomerKey}}' \
                    -H 'Content-Type: application/json' -d '{"model": "{{model}}", "messages": [{"role": "user", "content": "Hello"}]}'

                """);
        return text.ToString();

        void Line(string name, string value) => text.Append($"  {name,-14}{value}\n");
        string Url(int offset) => $"http://127.0.0.1:{stack.Base + offset}";
    }

    /// <summary>With the token that the dashboard wants, if it wants one.</summary>
    static string Login(Stack stack)
    {
        var url = $"http://127.0.0.1:{stack.Base + Ports.Dashboard}";
        return stack.Builder.Configuration["AppHost:BrowserToken"] is { Length: > 0 } token ? $"{url}/login?t={token}" : url;
    }

    /// <summary>The first literal keys and the models of the seed files, so that what is printed can be pasted.</summary>
    sealed record Demo(string? SecretKey, string? CustomerKey, string[] Models)
    {
        public static Demo From(string[] seeds)
        {
            var projects = seeds.SelectMany(seed => Each(JsonNode.Parse(File.ReadAllText(seed)), "organizations"))
                .SelectMany(organization => Each(organization, "projects")).ToList();
            return new(
                Keys(projects.SelectMany(project => Each(project, "secretKeys"))).FirstOrDefault(),
                Keys(projects.SelectMany(project => Each(project, "customers")).SelectMany(customer => Each(customer, "keys")))
                    .FirstOrDefault(),
                [.. projects.SelectMany(project => Each(project, "models")).Select(model => (string?)model["id"]).OfType<string>()]);
        }

        static IEnumerable<string> Keys(IEnumerable<JsonNode> keys) => keys.Select(key => (string?)key["key"]).OfType<string>();

        static IEnumerable<JsonNode> Each(JsonNode? parent, string name) => (parent?[name] as JsonArray ?? []).OfType<JsonNode>();
    }
}
