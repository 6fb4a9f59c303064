using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>
/// What operators find in the Aspire dashboard, through its telemetry API: the way of one paid call, and nothing that was said in it.
/// </summary>
[Collection(nameof(Outages))]
public sealed class TraceTests : IDisposable
{
    const int Ports = 5700;
    const string ApiKey = "of-the-trace-test";
    const string Key = "llm_gw_demo_user_0123456789_abcdefghijklmnopqrstuvwxyz";

    static readonly string Tool = Path.Combine(AppContext.BaseDirectory, "..", "..", "DevTool", "release", "LlmGateway.DevTool.dll");

    readonly string _data = Directory.CreateTempSubdirectory("llmgateway-trace-").FullName;

    [Fact]
    public async Task One_trace_leads_from_the_call_to_the_books_and_nothing_exported_says_what_was_asked()
    {
        // Aspire makes a key for the dashboard's API, unless it is told one.
        var (code, screen) = await Shell.RunAsync(
            "env", $"AppHost__DashboardApiKey={ApiKey}", "dotnet", Tool, "run", "--ports", $"{Ports}", "--data", _data, "--detach");
        Assert.True(code == 0, screen);
        try
        {
            var canary = $"canary-{Guid.NewGuid():N}";
            var body = $$"""{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "{{canary}}"}]}""";
            var reply = (await Gateway.SendAsync("POST", $"http://127.0.0.1:{Ports + 1}/v1/chat/completions", Key, body)).MustBe(200);
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
                var exported = (await AskAsync(kind)).Text;
                Assert.All((string[])["proxy", "wallet", "sessions"], service => Assert.Contains($"\"{service}\"", exported));
                Assert.All((string[])[canary, reply.Content, Key], said => Assert.DoesNotContain(said, exported));
            }
        }
        finally
        {
            var (stopped, output) = await Shell.RunAsync("dotnet", Tool, "stop", "--data", _data);
            Assert.True(stopped == 0, output);
        }
    }

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
