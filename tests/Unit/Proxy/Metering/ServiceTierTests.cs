using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Nobody is served in a tier that has no price without being asked, and the operator sees where a provider did so.</summary>
public sealed class ServiceTierTests
{
    static readonly Dictionary<string, (Wire Wire, string Body)> Callers = new()
    {
        ["chat"] = (Wires.Chat, """{"model":"m"TIER,"messages":[{"role":"user","content":"a"}]}"""),
        ["responses"] = (Wires.Responses, """{"model":"m"TIER,"store":false,"input":"a"}"""),
        ["messages"] = (Wires.Messages, """{"model":"m"TIER,"max_tokens":9,"messages":[{"role":"user","content":"a"}]}"""),
        ["gemini"] = (Wires.Gemini, """{"contents":[{"role":"user","parts":[{"text":"a"}]}]}"""),
    };

    public static TheoryData<string, string, string> Asked()
    {
        var cases = new TheoryData<string, string, string>();
        foreach (var caller in Callers.Keys)
            foreach (var provider in ProviderWire.All)
                foreach (var tier in (string[])["", "auto", "null", "default"])
                    if (tier == "" || caller is "chat" or "responses" || (caller == "messages" && tier == "auto"))
                        cases.Add(caller, provider, tier);
        return cases;
    }

    [Theory, MemberData(nameof(Asked))]
    public void The_plain_tier_is_asked_for_where_it_is_known(string caller, string provider, string tier)
    {
        var (wire, body) = Callers[caller];
        var asked = tier switch { "" => "", "null" => ",\"service_tier\":null", _ => $",\"service_tier\":\"{tier}\"" };
        body = body.Replace("TIER", asked, StringComparison.Ordinal);

        using var sent = JsonDocument.Parse(Sent(wire, provider, body));

        var tiers = sent.RootElement.EnumerateObject().Where(member => member.NameEquals("service_tier")).ToList();
        if (provider is ProviderWire.OpenAi or ProviderWire.Responses)
            Assert.Equal("default", Assert.Single(tiers).Value.GetString());
        else if (Wires.Of(provider, wire) == wire)
            // As the caller wrote it.
            Assert.Equal(asked, string.Concat(tiers.Select(member => $",\"service_tier\":{member.Value.GetRawText()}")));
        else
            Assert.Empty(tiers);
    }

    [Theory]
    [InlineData("priority", true), InlineData("flex", true), InlineData("a new one", true)]
    [InlineData("default", false), InlineData("standard", false), InlineData("auto", false), InlineData("on_demand", false)]
    [InlineData(null, false)]
    public void A_tier_that_has_no_price_is_marked(string? served, bool isMarked)
    {
        var tier = $"\"service_tier\":{JsonSerializer.Serialize(served)}";
        const string Counts = "\"prompt_tokens\":5,\"completion_tokens\":1", Tokens = "\"input_tokens\":5,\"output_tokens\":1";
        var (told, usage) = ($"{{{Counts}}}", $"{{{Tokens},{tier}}}");
        var chat = $$"""{ {{tier}},"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{{told}} }""";
        var chunk = $$"""{ {{tier}},"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{{told}} }""";
        const string Item = """{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}""";
        var response = $$"""{"id":"r","status":"completed","output":[{{Item}}],"usage":{{usage}},{{tier}} }""";
        var message = $$"""
            {"id":"m","type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{{usage}} }
            """;
        var start = $$"""{"type":"message_start","message":{"id":"m","content":[],"usage":{{usage}} } }""";

        const string End = """{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}""";

        var readings = new List<MeterReading>
        {
            Whole(new ChatMeter(), chat), Whole(new EventMeter(Wires.Chat.NewReader()), chat),
            Whole(new EventMeter(Wires.Responses.NewReader()), response), Whole(new EventMeter(Wires.Messages.NewReader()), message),
            Stream(new ChatRelay(ChatRequestTests.Accepted("""{"model":"m","stream":true,"messages":[{}]}"""), new ChatMeter()), chunk),
            Stream(new PassRelay(Wires.Responses), $$"""{"type":"response.completed","response":{{response}} }"""),
            Stream(new PassRelay(Wires.Messages), start, End),
        };

        Assert.All(readings, reading => Assert.Equal(isMarked ? ServiceTier.Unpriced : null, reading.Reason));
        // Our own counts have a reason of their own.
        var estimate = Whole(new ChatMeter(), chat.Replace(Counts, "", StringComparison.Ordinal)).Reason!;
        Assert.Equal(isMarked, estimate.EndsWith($", {ServiceTier.Unpriced}", StringComparison.Ordinal));
    }

    static MeterReading Whole(WholeMeter meter, string answer)
    {
        Assert.True(meter.See(Encoding.UTF8.GetBytes(answer)));
        return meter.Settle("{}"u8);
    }

    static MeterReading Stream(StreamRelay relay, params string[] events)
    {
        using (relay)
        {
            foreach (var data in events)
                relay.Push(Encoding.UTF8.GetBytes($"data: {data}\n\n"), new ArrayBufferWriter<byte>());
            return relay.Meter.Settle("{}"u8);
        }
    }

    static ReadOnlyMemory<byte> Sent(Wire wire, string provider, string body)
    {
        var http = new DefaultHttpContext();
        http.SetRequestId(Ids.New());
        var connection = new ProviderConnection("p", provider, "https://p/v1", "none", null, [], 60, 0, "cancel", Sandbox: false);
        var prices = new Prices { Input = new Rate(1), Output = new Rate(1) };
        var call = new ModelCall(http, "e", new(TimeProvider.System), TimeProvider.System)
        {
            Route = new(new("m", "chat", "p", "m", 1000, 100, null, prices), new(connection, [])),
        };
        var bytes = Encoding.UTF8.GetBytes(body);
        using var attempt = new ProviderAttempt(wire, call, wire.Read(bytes, new("m", false, Sse: false)), bytes);
        return attempt.Compose(9);
    }
}
