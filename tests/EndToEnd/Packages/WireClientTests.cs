using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>
/// The official clients, unchanged, with a base URL and a key: each speaks its own wire to models whose providers speak any of the four.
/// What they do is in <c>clients/wires/</c>, one process a client.
/// </summary>
public sealed class WireClientTests
{
    /// <summary>A client, and what it calls the ends of an answer.</summary>
    sealed record Client(string Script, string? Package, string Stopped, string Called)
    {
        public bool IsGoogle => Script == "gemini.mjs";
        public bool IsAnthropic => Script == "anthropic.mjs";
    }

    static readonly Dictionary<string, Client> Clients = new()
    {
        ["openai"] = new("openai.mjs", null, "stop", "tool_calls"),
        ["openai responses"] = new("openai-responses.mjs", null, "completed", "completed"),
        ["anthropic 1"] = new("anthropic.mjs", "@anthropic-ai/sdk", "end_turn", "tool_use"),
        ["anthropic 0"] = new("anthropic.mjs", "anthropic-0", "end_turn", "tool_use"),
        ["genai 3"] = new("gemini.mjs", "@google/genai", "STOP", "STOP"),
        ["genai 2"] = new("gemini.mjs", "genai-2", "STOP", "STOP"),
        ["ai-sdk openai"] = new("ai-sdk.mjs", "@ai-sdk/openai", "stop", "tool-calls"),
        ["ai-sdk compatible"] = new("ai-sdk.mjs", "@ai-sdk/openai-compatible", "stop", "tool-calls"),
        ["langchain"] = new("langchain.mjs", null, "stop", "tool_calls"),
    };

    static readonly string[] Providers = ["chat", "responses", "messages", "gemini"];

    public static TheoryData<string, string> Pairs()
    {
        var pairs = new TheoryData<string, string>();
        foreach (var client in Clients.Keys)
            foreach (var provider in Providers)
                pairs.Add(client, provider);
        return pairs;
    }

    [Theory, MemberData(nameof(Pairs))]
    public async Task An_official_client_does_everything_with_a_model_of_any_provider(string name, string provider)
    {
        var client = Clients[name];
        var user = await Backend.Wires.NewUserAsync();
        var poor = await Backend.Wires.NewUserAsync(null);
        var (_, key) = await Backend.Wires.NewKeyAsync(user.CustomerId);
        var (_, narrowKey) = await Backend.Wires.NewKeyAsync(user.CustomerId, $"\"models\":[\"{provider}-small\"]");
        var (_, poorKey) = await Backend.Wires.NewKeyAsync(poor.CustomerId);
        var tag = Sandbox.NewTag();

        var result = await Node.RunAsync($"wires/{client.Script}", JsonSerializer.Serialize(new
        {
            url = Stack.Proxy.ToString().TrimEnd('/'), key, narrowKey, poorKey, provider, package = client.Package, tag = $"[[tag:{tag}]]",
            embedding = client.IsGoogle ? "gemini-embedding" : "chat-embedding",
        }));

        foreach (var step in result.EnumerateObject())
            Assert.False(
                step.Value.ValueKind == JsonValueKind.Object && step.Value.TryGetProperty("unexpected", out _),
                $"{step.Name}: {step.Value}");
        Assert.Contains($"{provider}-small", result.Items("list").Select(id => id.GetString()));
        foreach (var step in (string[])["chat", "stream"])
        {
            var said = result.GetProperty(step);
            Assert.Equal(
                (step, 20, client.Stopped, 3, 20),
                (step, said.Text("text").Split(' ').Length, said.Text("stop"), said.Int("input"), said.Int("output")));
        }
        Assert.Equal(client.Called, result.GetProperty("tools").Text("stop"));
        Assert.Equal(["""weather {"city":"Rome"}"""], Calls(result.GetProperty("tools")));
        Assert.Equal(client.Called, result.GetProperty("toolsStreamed").Text("stop"));
        Assert.Equal(["""weather {"city":"Rome"}""", """clock {"zone":"CET"}"""], Calls(result.GetProperty("toolsStreamed")));
        Assert.Equal(20, result.Text("afterTool").Split(' ').Length);
        Assert.Equal(3 + 85, result.Int("image"));
        Assert.NotEmpty(result.GetProperty("structured").Text("answer"));
        if (result.TryGetProperty("embed", out var vector))
            Assert.NotEqual(0, vector[0].GetDouble());
        AssertErrors(result, client);
        Assert.InRange(result.Int("abort"), 3, 499);
        var call = await Sandbox.CallAsync(tag, call => call.Outcome == "aborted", "the abort at the provider");
        Assert.InRange(call.TokensOut, 3, 499);
    }

    static void AssertErrors(JsonElement result, Client client)
    {
        foreach (var (step, status, type) in ((string, int, string)[])
            [("error400", 400, "BadRequestError"), (
                "error401",
                401,
                "AuthenticationError"), ("error402", 402, ""), ("error403", 403, "PermissionDeniedError"),
            ("error404", 404, "NotFoundError"), ("error429", 429, "RateLimitError"), ("error5xx", 502, "InternalServerError")])
        {
            var error = result.GetProperty(step);
            Assert.True(
                error.GetProperty("status").ToString() == status.ToString(System.Globalization.CultureInfo.InvariantCulture),
                $"{step}: {error}");
            if (client.Package is null || client.IsAnthropic)
                Assert.True(type.Length == 0 || error.Text("name") == type, $"{step}: {error}");
        }
        // What the SDK of today has a type for.
        if (client.Package == "@anthropic-ai/sdk")
            Assert.Equal("PaymentRequiredError", result.GetProperty("error402").Text("name"));
        foreach (var step in (string[])["cut", "errorMid"])
            Assert.NotEqual("nothing was raised", result.GetProperty(step).Text("name"));
    }

    static string[] Calls(JsonElement step) =>
        [.. step.Items("calls").Select(call => $"{call.Text("name")} {JsonSerializer.Serialize(call.GetProperty("args"))}")];
}
