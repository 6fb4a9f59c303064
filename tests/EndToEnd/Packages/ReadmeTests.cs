using System.ClientModel;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Anthropic;
using Anthropic.Models.Messages;
using OpenAI;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Each row of the README's table of clients, executed as it stands there with this stack's address, model and a customer's key in place of
/// its own.
/// </summary>
public sealed partial class ReadmeTests
{
    const string Address = "http://127.0.0.1:4001", Key = "YOUR_KEY", DemoModel = "gpt-4o-mini", Model = "chat-small";

    /// <summary>Asks <see cref="Price.Question"/> with what a row says, in each of the client's ways; returns the answers.</summary>
    delegate Task<string[]> Ask(string line, string url, string key);

    static readonly Dictionary<string, Ask> Clients = new()
    {
        ["npm `openai`, chat and Responses"] = InNode("openai"),
        ["NuGet `OpenAI`"] = OpenAiNuGetAsync,
        ["npm `@anthropic-ai/sdk` 1.x and 0.x"] = InNode("@anthropic-ai/sdk", "anthropic-0"),
        ["NuGet `Anthropic`"] = AnthropicNuGetAsync,
        ["npm `@google/genai` 3.x and 2.x"] = InNode("@google/genai", "genai-2"),
        ["Vercel AI SDK, npm `@ai-sdk/openai`"] = InNode("@ai-sdk/openai"),
        ["Vercel AI SDK, npm `@ai-sdk/openai-compatible`"] = InNode("@ai-sdk/openai-compatible"),
        ["LangChain, npm `@langchain/openai`"] = InNode("@langchain/openai"),
        ["n8n, OpenAI credential"] = N8nOpenAiAsync,
        ["n8n, Anthropic credential"] = N8nAnthropicAsync,
        ["n8n, Google Gemini credential"] = N8nGeminiAsync,
        ["Anything else that takes an OpenAI base URL"] = AnythingElseAsync,
        ["curl"] = CurlAsync,
    };

    public static TheoryData<string> Rows => [.. Readme.Clients.Keys.Union(Clients.Keys)];

    [Theory, MemberData(nameof(Rows))]
    public async Task A_client_that_is_configured_as_its_row_says_gets_answers(string client)
    {
        Assert.Contains(client, Readme.Clients.Keys);
        Assert.Contains(client, Clients.Keys);
        var user = await Backend.Wires.NewUserAsync();
        var (_, key) = await Backend.Wires.NewKeyAsync(user.CustomerId);

        var answers = await Clients[client](Readme.Clients[client], Stack.Proxy.ToString().TrimEnd('/'), key);

        Assert.All(answers, answer => Assert.Equal(20, answer.Split(' ').Length));
        Assert.Equal(answers.Length, (await Books.UsageAsync(user, answers.Length)).Count);
    }

    [Fact]
    public void Versions_that_a_row_names_are_those_that_are_installed()
    {
        var installed = JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(Path.Combine(Node.Folder, "package.json"))).GetProperty(
            "dependencies");

        foreach (var (row, packages) in (IEnumerable<(string, string[])>)
        [
            ("npm `@anthropic-ai/sdk` 1.x and 0.x", ["@anthropic-ai/sdk", "anthropic-0"]),
            ("npm `@google/genai` 3.x and 2.x", ["@google/genai", "genai-2"]),
        ])
            Assert.Equal(
                Major().Matches(row).Select(match => match.Value),
                packages.Select(package => $"{installed.Text(package).Split('@')[^1].Split('.')[0]}.x"));
    }

    static Ask InNode(params string[] packages) => async (line, url, key) =>
    {
        var expression = Filled(line.Trim('`'), url, key);
        var answers = new List<string>();
        foreach (var package in packages)
        {
            var said = await Node.RunAsync("readme.mjs", package, new { expression, model = Model, question = Price.Question });
            answers.AddRange(said.EnumerateArray().Select(answer => answer.GetString()!));
        }
        return [.. answers];
    };

    static Task<string[]> OpenAiNuGetAsync(string line, string url, string key) =>
        CompiledAsync(line, new OpenAIClient(new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri(url + "/v1") }),
            async client => (await client.GetChatClient(Model).CompleteChatAsync(Price.Question)).Value.Content[0].Text);

    static Task<string[]> AnthropicNuGetAsync(string line, string url, string key) =>
        CompiledAsync(line, new AnthropicClient { BaseUrl = url, ApiKey = key }, async client =>
        {
            var message = await client.Messages.Create(new()
            {
                Model = Model,
                MaxTokens = 100,
                Messages = [new UserMessageParam { Content = Price.Question }],
            });
            return string.Concat(message.Content.Select(block => block.TryPickText(out var text) ? text.Text : ""));
        });

    /// <summary>
    /// The row must be the very expression that makes the client here, with literals where this has <c>url</c> and <c>key</c>.
    /// </summary>
    static async Task<string[]> CompiledAsync<T>(
        string line,
        T client,
        Func<T, Task<string>> ask,
        [CallerArgumentExpression(nameof(client))] string expression = "")
    {
        Assert.Equal(expression, line
            .Trim('`')
            .Replace($"\"{Address}\"", "url", StringComparison.Ordinal)
            .Replace($"\"{Address}/", "url + \"/", StringComparison.Ordinal)
            .Replace($"\"{Key}\"", "key", StringComparison.Ordinal));
        return [await ask(client)];
    }

    /// <summary>The credential's test, then what its chat model and its node send.</summary>
    static async Task<string[]> N8nOpenAiAsync(string line, string url, string key)
    {
        var fields = Fields(line, url, key);
        (string, string)[] headers = [("Authorization", $"Bearer {fields["API Key"]}"), ("OpenAI-Organization", "")];

        await ListsAsync($"{fields["Base URL"]}/models", "data", "id", Model, headers);
        return
        [
            (await PostAsync($"{fields["Base URL"]}/chat/completions", Chat.Body(Model, Price.Question), headers)).Content,
            (await PostAsync($"{fields["Base URL"]}/responses", $$"""{"model":"{{Model}}","input":"{{Price.Question}}"}""", headers))
                .Json.Items("output").Single().Items("content").Single().Text("text"),
        ];
    }

    static async Task<string[]> N8nAnthropicAsync(string line, string url, string key)
    {
        var fields = Fields(line, url, key);
        (string, string)[] headers = [("x-api-key", fields["API Key"]), ("anthropic-version", "2023-06-01")];

        await ListsAsync($"{fields["Base URL"]}/v1/models", "data", "id", Model, headers);
        var answer = await PostAsync(
            $"{fields["Base URL"]}/v1/messages",
            $$"""{"model":"{{Model}}","max_tokens":100,"messages":[{"role":"user","content":"{{Price.Question}}"}]}""",
            headers);
        return [answer.Json.Items("content").Single().Text("text")];
    }

    /// <summary>Its lists take the key in the query, its calls in a header.</summary>
    static async Task<string[]> N8nGeminiAsync(string line, string url, string key)
    {
        var fields = Fields(line, url, key);

        await ListsAsync($"{fields["Host"]}/v1beta/models?key={fields["API Key"]}", "models", "name", $"models/{Model}");
        var answer = await PostAsync(
            $"{fields["Host"]}/v1beta/models/{Model}:generateContent",
            $$"""{"contents":[{"role":"user","parts":[{"text":"{{Price.Question}}"}]}]}""",
            ("x-goog-api-key", fields["API Key"]));
        return [answer.Json.Items("candidates").Single().GetProperty("content").Items("parts").Single().Text("text")];
    }

    /// <summary>What chat programs do: they list the models, and stream.</summary>
    static async Task<string[]> AnythingElseAsync(string line, string url, string key)
    {
        var fields = Fields(line, url, key);
        var authorization = ("Authorization", $"Bearer {fields["API Key"]}");

        await ListsAsync($"{fields["Base URL"]}/models", "data", "id", Model, authorization);
        var body = Chat.Body(Model, Price.Question, "\"stream\":true");
        return [(await PostAsync($"{fields["Base URL"]}/chat/completions", body, authorization)).Content];
    }

    static async Task<string[]> CurlAsync(string line, string url, string key)
    {
        var (code, output) = await Shell.RunAsync(
            "bash",
            "-c",
            Filled(line.Trim('`'), url, key).Replace("curl ", "curl --silent ", StringComparison.Ordinal));
        Assert.Equal(0, code);
        Assert.Contains(Model, JsonSerializer.Deserialize<JsonElement>(output).Items("data").Select(model => model.Text("id")));
        return [];
    }

    /// <summary>The fields of a form with what to enter.</summary>
    static Dictionary<string, string> Fields(string line, string url, string key) =>
        Field().Matches(line).ToDictionary(match => match.Groups["name"].Value, match => Filled(match.Groups["value"].Value, url, key));

    static string Filled(string line, string url, string key) =>
        line
            .Replace(Address, url, StringComparison.Ordinal)
            .Replace(Key, key, StringComparison.Ordinal)
            .Replace(DemoModel, Model, StringComparison.Ordinal);

    static async Task ListsAsync(string address, string list, string id, string model, params (string, string)[] headers) =>
        Assert.Contains(
            model,
            (await Gateway.SendAsync("GET", address, headers: headers)).MustBe(200).Json.Items(list).Select(item => item.Text(id)));

    static async Task<Reply> PostAsync(string address, string json, params (string, string)[] headers) =>
        (await Gateway.SendAsync("POST", address, json: json, headers: headers)).MustBe(200);

    [GeneratedRegex("(?<name>[A-Z][A-Za-z ]+) `(?<value>[^`]+)`")]
    private static partial Regex Field();

    [GeneratedRegex(@"\d+\.x")]
    private static partial Regex Major();
}
