using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>
/// What operators find in the Aspire dashboard, through its telemetry API: the way of one paid call, nothing that was said in it, and no
/// credential of anybody.
/// </summary>
[Collection(nameof(Outages))]
public sealed class TraceTests : IDisposable
{
    const int Ports = 5700;
    const string ApiKey = "of-the-trace-test";
    static readonly string Tool = Path.Combine(AppContext.BaseDirectory, "..", "..", "DevTool", "release", "LlmGateway.DevTool.dll");

    /// <summary>As a client names the person whom it acts for.</summary>
    const string ClientSession = "+49-170-7654321";

    static readonly string[] _services = ["proxy", "wallet", "sessions"];

    readonly string _data = Directory.CreateTempSubdirectory("llmgateway-trace-").FullName;

    [Fact]
    public async Task One_trace_leads_from_the_call_to_the_books_and_nothing_told_says_what_was_asked_or_with_which_credential()
    {
        // Aspire makes a key for the dashboard's API, unless it is told one.
        var (code, screen) = await Shell.RunAsync(
            "env", $"AppHost__DashboardApiKey={ApiKey}", "dotnet", Tool, "run", "--ports", $"{Ports}", "--data", _data, "--detach");
        Assert.True(code == 0, screen);
        try
        {
            var secrets = await UseEveryCredentialAsync();
            var canary = $"canary-{Guid.NewGuid():N}";
            var reply = (await SendAsync("POST", "/v1/chat/completions", Made("app/demo-user/demo client"), Asking(canary))).MustBe(200);
            var way = await Eventually.GetAsync(
                async () => Way.Of(await SpansAsync(), reply["X-Request-Id"]!), way => way.IsWhole, "the call's way to the books");

            Assert.Equal(("POST /v1/chat/completions", "proxy", null), (way.Root!.Name, way.Root.Service, way.Root.Parent));
            Assert.Equal(reply["X-LLMGateway-Cost"], way.Root.Attributes["llmgateway.cost"]);
            Assert.Contains("llmgateway.customer", way.Root.Attributes);
            MustTellOfTheCall(way.Provider!, reply.Json.GetProperty("usage"));
            Assert.Equal(way.Root.Id, way.Provider!.Parent);
            Assert.Equal(("wallet", way.Root.Id), (way.Settle!.Service, way.Settle.Parent));
            Assert.Contains(way.Commit!.Id, way.Settle.Links);

            foreach (var kind in (string[])["traces", "logs"])
            {
                // Each service hands over what it has to tell every few seconds.
                var exported = await Eventually.GetAsync(
                    async () => (await AskAsync(kind)).Text,
                    text => _services.All(service => text.Contains($"\"{service}\"", StringComparison.Ordinal)),
                    $"the {kind} of all services");
                Assert.All((string[])[canary, reply.Content, .. secrets], said => Assert.DoesNotContain(said, exported));
            }
            var (_, printed) = await Shell.RunAsync("dotnet", Tool, "logs", "--data", _data, "--lines", "1000000");
            Assert.Contains("Now listening on", printed);
            Assert.All((string[])[canary, .. secrets], said => Assert.DoesNotContain(said, printed));
        }
        finally
        {
            var (stopped, output) = await Shell.RunAsync("dotnet", Tool, "stop", "--data", _data);
            Assert.True(stopped == 0, output);
        }
    }

    /// <summary>Credentials of every kind, good ones and bad ones, where they are made, used, refused and ended.</summary>
    /// <returns>They, and what the stack keeps for itself: passwords, the keys of services and of stored secrets.</returns>
    async Task<string[]> UseEveryCredentialAsync()
    {
        var (backend, customer) = (Made("app/demo backend"), Made("app/demo-user/demo client"));
        var minted = (await SendAsync("POST", "/v1/sessions", backend, """{"customer": "user-42"}""")).MustBe(201).Json;
        var session = minted.Text("sessionToken");
        var refreshed = (await SendAsync("POST", "/v1/sessions/refresh", session)).MustBe(200).Json.Text("sessionToken");
        var keys = $"/v1/customers/{minted.Text("endCustomerId")}/keys";
        var key = (await SendAsync("POST", keys, backend, """{"name": "n8n"}""")).MustBe(201).Json;
        (await SendAsync("GET", $"/v1beta/models?key={key.Text("key")}")).MustBe(200);
        (await SendAsync("GET", $"/c/{ClientSession}/v1/models", key.Text("key"))).MustBe(200);
        (await SendAsync("POST", $"/c/{ClientSession}/v1/chat/completions", key.Text("key"), Asking("hello"))).MustBe(402);
        (await SendAsync("POST", $"/k/{key.Text("key")}/v1/chat/completions", null, Asking("hello"))).MustBe(401);
        foreach (var poor in (string[])[session, refreshed, key.Text("key")])
            (await SendAsync("POST", "/v1/chat/completions", poor, Asking("hello"))).MustBe(402);
        (await SendAsync("DELETE", $"{keys}/{key.Text("id")}", backend)).MustBe(204);
        (await SendAsync("DELETE", $"/v1/sessions/{minted.Text("sessionId")}", backend)).MustBe(204);
        string[] unknown = [$"{session[..^1]}!", "llm_gw_unknown-key-of-somebody-who-guesses", "sk-proj-of-another-vendor"];
        foreach (var bad in (string[])[key.Text("key"), refreshed, .. unknown])
        {
            (await SendAsync("POST", "/v1/chat/completions", bad, Asking("hello"))).MustBe(401);
            (await SendAsync("GET", "/v1/wallet/balance", bad)).MustBe(401);
        }
        foreach (var (fault, status) in (IEnumerable<(string, int)>)[("fail", 503), ("recover", 200)])
        {
            var (code, output) = await Shell.RunAsync("dotnet", Tool, "command", "sandbox", fault, "--data", _data);
            Assert.True(code == 0, output);
            (await SendAsync("POST", "/v1/chat/completions", customer, Asking("hello"))).MustBe(status);
        }
        return [ClientSession, backend, customer, session, refreshed, key.Text("key"), .. unknown, .. Kept("secrets.json").Values];
    }

    string Made(string key) => Kept("made-keys.json")[key];

    Dictionary<string, string> Kept(string file) =>
        JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllBytes(Path.Combine(_data, file)))!;

    static string Asking(string content) =>
        $$"""{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "{{content}}"}]}""";

    static Task<Reply> SendAsync(string method, string path, string? credential = null, string? body = null) =>
        Gateway.SendAsync(method, path, credential, body, at: new($"http://127.0.0.1:{Ports + 1}"));

    public void Dispose() => Directory.Delete(_data, recursive: true);

    static void MustTellOfTheCall(Span call, JsonElement usage)
    {
        Assert.Equal("chat gpt-4o-mini", call.Name);
        Assert.Equal("gpt-4o-mini", call.Attributes["gen_ai.request.model"]);
        Assert.Equal("sandbox-small", call.Attributes["gen_ai.response.model"]);
        Assert.Contains("gen_ai.provider.name", call.Attributes);
        Assert.Equal($"{usage.GetProperty("prompt_tokens")}", call.Attributes["gen_ai.usage.input_tokens"]);
        Assert.Equal($"{usage.GetProperty("completion_tokens")}", call.Attributes["gen_ai.usage.output_tokens"]);
        Assert.Contains("stop", call.Attributes["gen_ai.response.finish_reasons"]);
    }

    /// <summary>All that the dashboard has of one kind, from every service.</summary>
    static async Task<Reply> AskAsync(string kind)
    {
        var url = $"http://127.0.0.1:{Ports + 30}/api/telemetry/{kind}?limit=10000";
        var reply = (await Gateway.SendAsync("GET", url, headers: [("x-api-key", ApiKey)])).MustBe(200);
        Assert.Equal(reply.Json.Int("totalCount"), reply.Json.Int("returnedCount"));
        return reply;
    }

    static async Task<List<Span>> SpansAsync() =>
    [
        .. from resource in (await AskAsync("traces")).Json.GetProperty("data").Items("resourceSpans")
           let service = Attributes(resource.GetProperty("resource"))["service.name"]
           from scope in resource.Items("scopeSpans")
           from span in scope.Items("spans")
           select new Span(
               span.Text("traceId"), span.Text("spanId"), Optional(span, "parentSpanId")?.GetString(), span.Text("name"), service,
               Attributes(span), [.. Optional(span, "links")?.EnumerateArray().Select(link => link.Text("spanId")) ?? []]),
    ];

    static Dictionary<string, string> Attributes(JsonElement element) =>
        Optional(element, "attributes")?.EnumerateArray().ToDictionary(
            attribute => attribute.Text("key"),
            attribute => attribute.GetProperty("value").EnumerateObject().First().Value.ToString()) ?? [];

    static JsonElement? Optional(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value : null;

    sealed record Span(
        string TraceId, string Id, string? Parent, string Name, string Service, Dictionary<string, string> Attributes, string[] Links);

    /// <param name="Settle">When the call was booked, in its own trace.</param>
    /// <param name="Publish">Shared by hundreds of calls, as is the commit: traces of their own, with links to the calls.</param>
    sealed record Way(Span? Root, Span? Provider, Span? Settle, Span? Publish, Span? Commit)
    {
        /// <summary>Services export once a second, each for itself.</summary>
        public bool IsWhole => this is { Root: not null, Provider: not null, Settle: not null, Publish: not null, Commit: not null };

        public static Way Of(List<Span> spans, string requestId)
        {
            var root = spans.Find(span => span.Service == "proxy" && span.Name.StartsWith("POST ", StringComparison.Ordinal)
                && span.Attributes.GetValueOrDefault("llmgateway.request_id") == requestId);
            return new(
                root,
                spans.Find(span => span.TraceId == root?.TraceId && span.Attributes.ContainsKey("gen_ai.operation.name")),
                spans.Find(span => span.TraceId == root?.TraceId && span.Name == "settle"),
                spans.Find(span => span.Name == "wallet-settlements publish" && span.Links.Contains(root?.Id)),
                spans.Find(span => span.Name == "ledger commit" && span.Links.Contains(root?.Id)));
        }
    }
}
