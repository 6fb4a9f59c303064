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
        Line("Servers", $"{stack.ServersAre}; data in {stack.Folder.Path}");
        var projects = stack.Seeds.Select(seed => JsonNode.Parse(File.ReadAllText(seed)))
            .SelectMany(seed => Each(seed, "organizations")).SelectMany(organization => Each(organization, "projects")).ToList();
        var secret = Texts(projects.SelectMany(project => Each(project, "secretKeys")), "key").FirstOrDefault();
        var customers = projects.SelectMany(project => Each(project, "customers"));
        var key = Texts(customers.SelectMany(customer => Each(customer, "keys")), "key").FirstOrDefault();
        var models = Texts(projects.SelectMany(project => Each(project, "models")), "id").ToList();
        if (secret is not null)
            Line("Backend key", secret);
        if (key is not null)
            Line("Customer key", key);
        if (models.Count > 0)
            Line("Models", string.Join(", ", models));
        if (key is not null && models is [var model, ..])
            text.Append($$"""

                Try it:

                  curl {{gateway}}/v1/chat/completions -H 'Authorization: Bearer {{key}}' \
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

    static IEnumerable<JsonNode> Each(JsonNode? parent, string name) => (parent?[name] as JsonArray ?? []).OfType<JsonNode>();

    /// <summary>What stands in the seed files themselves, so that what is printed can be pasted.</summary>
    static IEnumerable<string> Texts(IEnumerable<JsonNode> nodes, string name) =>
        nodes.Select(node => (string?)node[name]).OfType<string>();
}
