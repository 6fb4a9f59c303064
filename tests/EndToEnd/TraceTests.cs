using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>
/// What operators find in the Aspire dashboard, through its telemetry API: the way of one paid call, and nothing that was said in it.
/// </summary>
[Collection(nameof(Outages))]
public sealed class TraceTests : IDisposable
{
    const int Ports = 5700;
    const string Key = "llm_gw_demo_user_0123456789_abcdefghijklmnopqrstuvwxyz";

    static readonly string Tool = Path.Combine(AppContext.BaseDirectory, "..", "..", "DevTool", "release", "LlmGateway.DevTool.dll");

    static readonly string[] Shared = ["wallet-settlements publish", "ledger commit"];

    static readonly Lazy<string> ApiKey = new(FindApiKey);

    readonly string _data = Directory.CreateTempSubdirectory("llmgateway-trace-").FullName;

    sealed record Span(string TraceId, string SpanId, string Name, string Service, Dictionary<string, string> Attributes, string[] Linked);

    /// <summary>Only when asked for, until it has been seen green three times on a quiet machine.</summary>
    [Fact(Explicit = true)]
    public async Task One_trace_leads_from_the_call_to_the_books_and_nothing_exported_says_what_was_asked()
    {
        string[] line = ["run", "--ports", $"{Ports}", "--data", _data, "--detach"];
        var (code, screen) = await Shell.RunAsync("dotnet", [Tool, .. line]);
        Assert.True(code == 0, screen);
        try
        {
            var canary = $"canary-{Guid.NewGuid():N}";
            var body = $$"""{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "{{canary}}"}]}""";
            var reply = (await Gateway.SendAsync("POST", $"http://127.0.0.1:{Ports + 1}/v1/chat/completions", Key, body)).MustBe(200);
            var cost = reply["X-LLMGateway-Cost"];
            var answer = reply.Json.Items("choices").First().GetProperty("message").Text("content");
            var requestId = reply["X-Request-Id"]!;

            var spans = await Eventually.GetAsync(SpansAsync, all => IsWhole(all, requestId),
                "the call's trace, and what it is linked with");

            var root = spans.Single(span => span.Attributes.GetValueOrDefault("llmgateway.request_id") == requestId
                && span.Name.StartsWith("POST", StringComparison.Ordinal));
            Assert.Equal(("POST /v1/chat/completions", "proxy"), (root.Name, root.Service));
            var trace = spans.Where(span => span.TraceId == root.TraceId).ToList();
            var call = trace.Single(span => span.Attributes.ContainsKey("gen_ai.operation.name"));
            Assert.Equal("chat gpt-4o-mini", call.Name);
            Assert.Equal("gpt-4o-mini", call.Attributes["gen_ai.request.model"]);
            Assert.Equal("sandbox-small", call.Attributes["gen_ai.response.model"]);
            Assert.True(call.Attributes.ContainsKey("gen_ai.provider.name"));
            var usage = reply.Json.GetProperty("usage");
            Assert.Equal($"{usage.GetProperty("prompt_tokens")}", call.Attributes["gen_ai.usage.input_tokens"]);
            Assert.Equal($"{usage.GetProperty("completion_tokens")}", call.Attributes["gen_ai.usage.output_tokens"]);
            Assert.Contains("stop", call.Attributes["gen_ai.response.finish_reasons"]);
            Assert.Contains(trace, span => span.Attributes.GetValueOrDefault("llmgateway.cost") == cost);
            Assert.Contains(trace, span => span.Attributes.ContainsKey("llmgateway.customer"));

            var settle = trace.Single(span => span.Name == "settle");
            Assert.Equal("wallet", settle.Service);
            // Hundreds of calls share these two steps, so they are traces of their own, and links lead there.
            Assert.All(Shared, step => Assert.True(IsTied(spans, step, settle, root.TraceId), step));

            foreach (var path in (string[])["traces", "spans", "logs?limit=10000", "metrics"])
            {
                var exported = await AskAsync(path);
                Assert.DoesNotContain(canary, exported.Text);
                Assert.DoesNotContain(answer, exported.Text);
                Assert.DoesNotContain(Key, exported.Text);
            }
        }
        finally
        {
            var (stopped, output) = await Shell.RunAsync("dotnet", Tool, "stop", "--data", _data);
            Assert.True(stopped == 0, output);
        }
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    /// <summary>Links lead from the step to the call, or back.</summary>
    static bool IsTied(List<Span> spans, string step, Span settle, string trace) => spans.Exists(span => span.Name == step
        && (settle.Linked.Contains(span.SpanId) || spans.Exists(own => own.TraceId == trace && span.Linked.Contains(own.SpanId))));

    /// <summary>Services export once a second, each for itself.</summary>
    static bool IsWhole(List<Span> spans, string requestId)
    {
        var root = spans.Find(span => span.Attributes.GetValueOrDefault("llmgateway.request_id") == requestId);
        var settle = spans.Find(span => span.Name == "settle" && span.TraceId == root?.TraceId);
        return settle is not null && Shared.All(step => IsTied(spans, step, settle, root!.TraceId));
    }

    static async Task<List<Span>> SpansAsync()
    {
        var reply = (await AskAsync("traces?limit=1000")).MustBe(200);
        return
        [
            .. from resource in reply.Json.GetProperty("data").Items("resourceSpans")
               let service = Attributes(resource.GetProperty("resource"))["service.name"]
               from scope in resource.Items("scopeSpans")
               from span in scope.Items("spans")
               select new Span(span.Text("traceId"), span.Text("spanId"), span.Text("name"), service, Attributes(span), Links(span)),
        ];
    }

    /// <summary>The dashboard's API, with the key that Aspire has made for it.</summary>
    static Task<Reply> AskAsync(string path)
    {
        var url = $"http://127.0.0.1:{Ports + 30}/api/telemetry/{path}";
        return Gateway.SendAsync("GET", url, headers: [("x-api-key", ApiKey.Value)]);
    }

    /// <summary>Only the environment of the dashboard that serves our ports has it.</summary>
    static string FindApiKey()
    {
        const string name = "DASHBOARD__API__PRIMARYAPIKEY=";
        return Directory.EnumerateDirectories("/proc")
            .Where(folder => int.TryParse(Path.GetFileName(folder), out _))
            .Select(Environ)
            .First(variables => variables.Any(IsOurs) && variables.Any(IsKey))
            .First(IsKey)[name.Length..];

        static bool IsKey(string variable) => variable.StartsWith(name, StringComparison.Ordinal);

        static bool IsOurs(string variable) => variable.Contains($":{Ports + 32}", StringComparison.Ordinal);
    }

    static string[] Environ(string process)
    {
        try
        {
            return File.ReadAllText($"{process}/environ").Split('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    static string[] Links(JsonElement span) =>
        span.TryGetProperty("links", out var links) ? [.. links.EnumerateArray().Select(link => link.Text("spanId"))] : [];

    static Dictionary<string, string> Attributes(JsonElement element)
    {
        var attributes = new Dictionary<string, string>();
        if (element.TryGetProperty("attributes", out var list))
            foreach (var attribute in list.EnumerateArray())
                attributes[attribute.Text("key")] = attribute.GetProperty("value").EnumerateObject().First().Value.ToString();
        return attributes;
    }
}
