using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Batches;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// A provider's own search of the web reaches the provider where the model has a price for it and the request a bound. Then it is held.
/// Everywhere else it is left out and named, or refused by the name of its field.
/// </summary>
public sealed class WebSearchTests
{
    /// <summary>A wire whose search has a bound that callers can set.</summary>
    /// <param name="Bound">A member with its value in place of N, in the tool or in the body.</param>
    sealed record Spoken(
        string Name, ConversationWire Wire, string Provider, string Rest, string Search, string Own, string Choice, string Bound,
        string BoundPath, string ChoicePath)
    {
        public string Body(string? most, bool own = false, bool demanded = false, string model = "m")
        {
            var bound = most is null ? "" : "," + Bound.Replace("N", most);
            var inTool = BoundPath.StartsWith("tools", StringComparison.Ordinal);
            var tools = $"{(own ? Own + "," : "")}{Search[..^1]}{(inTool ? bound : "")}}}";
            return $$"""{"model":"{{model}}",{{(demanded ? Choice + "," : "")}}{{Rest}},"tools":[{{tools}}]{{(inTool ? "" : bound)}}}""";
        }

        public ModelRequest Read(string body)
        {
            Assert.True(Wire.TryRead(Encoding.UTF8.GetBytes(body), default, out var request, out var problem), problem?.Message);
            return request;
        }
    }

    static readonly Spoken[] All =
    [
        new("messages", Wires.Messages, ProviderWire.Anthropic, "\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]",
            """{"type":"web_search_20250305","name":"web_search"}""", """{"name":"f","input_schema":{"type":"object"}}""",
            "\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_search\"}", "\"max_uses\":N", "tools[0].max_uses", "tools[0].type"),
        Responses("web_search"),
        Responses("web_search_preview"),
    ];

    static Spoken Responses(string type) => new(
        type, Wires.Responses, ProviderWire.Responses, "\"max_output_tokens\":5,\"store\":false,\"input\":\"a\"",
        $$"""{"type":"{{type}}"}""", """{"type":"function","name":"f"}""",
        $$""" "tool_choice":{"type":"{{type}}"} """, "\"max_tool_calls\":N", "max_tool_calls", "tool_choice.type");

    static Spoken Of(string name) => All.Single(spoken => spoken.Name == name);

    public static TheoryData<string> Names() => [.. All.Select(spoken => spoken.Name)];

    public static TheoryData<string, bool, bool> Requests()
    {
        var data = new TheoryData<string, bool, bool>();
        foreach (var spoken in All)
            foreach (var (own, demanded) in ((bool, bool)[])[(false, false), (true, false), (true, true)])
                data.Add(spoken.Name, own, demanded);
        return data;
    }

    /// <summary>$1 and $2 per million tokens and a cent for a search, as others are priced.</summary>
    static readonly Prices Priced = new() { Input = Usd(1), Output = Usd(2), PerWebSearch = Cent };

    static readonly Prices Unpriced = Priced with { PerWebSearch = null };

    static Rate Usd(int dollars) => new(dollars * 1_000_000_000_000);

    /// <summary>For one, as pico-dollars for a million.</summary>
    static Rate Cent => new(10_000_000_000L * 1_000_000);

    static ModelOffer Offer(Prices? prices, long context = 10_000, string provider = "p") =>
        new("m", "chat", provider, "m", context, 0, null, prices);

    [Theory]
    [MemberData(nameof(Requests))]
    public void Priced_and_bounded_it_is_sent_on_and_held(string name, bool own, bool demanded)
    {
        var spoken = Of(name);
        var body = spoken.Body("3", own, demanded);
        var request = spoken.Read(body);

        Assert.Null(UpperBound.Check(Offer(Priced), request, passes: true, out var bound));
        Assert.Equal(3, request.Searches(Offer(Priced), passes: true));
        // Three searches at a cent; the whole context before the first and after each at $1 per million; five tokens at $2.
        Assert.Equal(3 * 10_000_000 + 4 * 10_000 * 1_000 + 5 * 2_000, bound.Cost(5));
        Assert.Empty(request.LeftOut(searches: true));
        Assert.Equal(body, Sent(request, body, searches: true));
    }

    public static TheoryData<string, string, int> Bounds()
    {
        var data = new TheoryData<string, string, int>();
        foreach (var spoken in All)
            foreach (var (most, searches) in ((string, int)[])
                [("1", 1), ("100", 100), ("0", 0), ("101", 0), ("-1", 0), ("1e1", 0), ("5.0", 0), ("\"5\"", 0), ("null", 0), ("{}", 0)])
                data.Add(spoken.Name, most, searches);
        return data;
    }

    [Theory]
    [MemberData(nameof(Bounds))]
    public void Only_from_1_to_100_is_a_bound(string name, string most, int searches)
    {
        var (spoken, body) = (Of(name), Of(name).Body(most, own: true));
        var request = spoken.Read(body);
        Assert.Equal(searches, request.Searches(Offer(Priced), passes: true));
    }

    [Fact]
    public void Searches_of_several_tools_are_bounded_together_and_each_by_itself()
    {
        Assert.Equal(7, Most("\"max_uses\":3", "\"max_uses\":4"));
        Assert.Equal(0, Most("\"max_uses\":3", "\"x\":4"));
        Assert.Equal(0, Most("\"max_uses\":60", "\"max_uses\":60"));
        // Servers differ in which of two spellings they read.
        Assert.Equal(0, Most("\"max_uses\":3,\"Max_Uses\":500", "\"max_uses\":3"));
        Assert.Equal(0, Most("\"Max_Uses\":500,\"max_uses\":3", "\"max_uses\":3"));

        static int Most(string first, string second) => Of("messages").Read($$"""
            {"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"}],"tools":[
            {"type":"web_search_20250305","name":"web_search",{{first}}},{"type":"web_search_20250305","name":"other",{{second}}}]}
            """).Searches(Offer(Priced), passes: true);
    }

    /// <summary>It runs code on what it found, which has no bound.</summary>
    [Fact]
    public void A_search_that_filters_by_code_is_no_search_with_a_bound() =>
        Assert.Equal(0, Of("messages").Read("""
            {"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"}],"tools":[{"name":"f","input_schema":{}},
            {"type":"web_search_20260209","name":"web_search","max_uses":3}]}
            """).Searches(Offer(Priced), passes: true));

    [Fact]
    public void Another_spelling_of_the_bound_of_all_tools_is_refused()
    {
        var body = Of("web_search").Body("3", own: true)[..^1] + ",\"MAX_TOOL_CALLS\":500}";
        Assert.False(Wires.Responses.TryRead(Encoding.UTF8.GetBytes(body), default, out _, out var problem));
        Assert.Equal(("invalid_value", "MAX_TOOL_CALLS"), (problem.Code, problem.Param));
    }

    /// <summary>Every way in which the rule can fail.</summary>
    static readonly (string Why, Prices? Prices, long Context, string? Most, bool Passes)[] Failures =
    [
        ("no price", Unpriced, 10_000, "3", true),
        ("no context", Priced, 0, "3", true),
        ("no bound", Priced, 10_000, null, true),
        ("too many", Priced, 10_000, "101", true),
        ("another wire", Priced, 10_000, "3", false),
        ("a tier without a price", Priced with { Tiers = [new(5_000, Unpriced)] }, 10_000, "3", true),
    ];

    public static TheoryData<string, string> WaysToFail()
    {
        var data = new TheoryData<string, string>();
        foreach (var spoken in All)
            foreach (var failure in Failures)
                data.Add(spoken.Name, failure.Why);
        return data;
    }

    [Theory]
    [MemberData(nameof(WaysToFail))]
    public void Elsewhere_it_is_left_out_beside_own_tools_and_refused_without_them_or_demanded(string name, string why)
    {
        var (_, prices, context, most, passes) = Failures.Single(failure => failure.Why == why);
        var (spoken, offer) = (Of(name), Offer(prices, context));

        var body = spoken.Body(most, own: true);
        var beside = spoken.Read(body);
        Assert.Null(UpperBound.Check(offer, beside, passes, out var bound));
        Assert.InRange(bound.Cost(5), 1, 20_000_000);
        Assert.Equal(0, beside.Searches(offer, passes));
        Assert.Equal([spoken.Search.Contains("name") ? "web_search" : spoken.Name], beside.LeftOut());
        var sent = Sent(beside, body, searches: false);
        Assert.Contains($"\"tools\":[{spoken.Own}]", sent, StringComparison.Ordinal);

        Refused(spoken.Body(most), "tools[0].type");
        Refused(spoken.Body(most, own: true, demanded: true), spoken.ChoicePath.Replace("0", "1"));

        void Refused(string refused, string param)
        {
            var problem = UpperBound.Check(offer, spoken.Read(refused), passes, out _)!;
            Assert.Equal(("unpriceable_parameter", param), (problem.Code, problem.Param));
            var isBoundMissing = prices == Priced && context > 0 && passes;
            var member = spoken.BoundPath.StartsWith("tools", StringComparison.Ordinal) && refused.Contains(spoken.Own)
                ? spoken.BoundPath.Replace("0", "1")
                : spoken.BoundPath;
            Assert.Equal(isBoundMissing, problem.Message.Contains($"'{member}'", StringComparison.Ordinal));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Other_tools_of_the_provider_are_left_out_where_the_search_stays(string name)
    {
        var spoken = Of(name);
        const string other = """{"type":"code_execution_20250825","name":"code"}""";
        var body = spoken.Body("3", own: true).Replace(spoken.Own, $"{other},{spoken.Own}");
        var request = spoken.Read(body);

        Assert.Equal([spoken.Wire == Wires.Messages ? "code" : "code_execution_20250825"], request.LeftOut(searches: true));
        Assert.Equal(spoken.Body("3", own: true), Sent(request, body, searches: true));
    }

    /// <summary>Chat's and Gemini's searches have no bound that callers can set.</summary>
    [Theory]
    [InlineData("""{"model":"m","messages":[{"content":"a"}],"tools":[{"type":"web_search"}],"max_tool_calls":3}""", "tools[0].type")]
    [InlineData("""{"model":"m","messages":[{"content":"a"}],"web_search_options":{},"max_tool_calls":3}""", "web_search_options")]
    public void A_search_without_a_bound_on_its_wire_is_refused_as_it_is_read(string body, string param)
    {
        Assert.False(Wires.Chat.TryRead(Encoding.UTF8.GetBytes(body), default, out _, out var problem));
        Assert.Equal(("unpriceable_parameter", param), (problem.Code, problem.Param));
    }

    [Fact]
    public void The_dearest_tier_that_the_input_after_all_searches_can_reach_is_held()
    {
        var prices = Priced with { Tiers = [new(30_000, new() { Input = Usd(5), Output = Usd(7), PerWebSearch = new(3 * Cent.Picos) })] };
        var request = Of("messages").Read(Of("messages").Body("3"));
        Assert.Null(UpperBound.Check(Offer(prices), request, passes: true, out var bound));
        Assert.Equal(3 * 30_000_000 + 4 * 10_000 * 5_000 + 5 * 7_000, bound.Cost(5));
    }

    [Fact]
    public void A_bound_beyond_every_wallet_does_not_wrap()
    {
        var request = Of("messages").Read(Of("messages").Body("100"));
        var dearest = new Prices { Input = new(long.MaxValue), Output = new(long.MaxValue), PerWebSearch = new(long.MaxValue) };
        Assert.Null(UpperBound.Check(Offer(dearest, long.MaxValue), request, passes: true, out var bound));
        Assert.Equal((long.MaxValue, 0), (bound.Cost(int.MaxValue), bound.AffordableOutput(long.MaxValue)));
    }

    [Fact]
    public void Nothing_within_the_bound_of_searches_costs_more_than_is_held() => Seeds.ForEach(20_000, random =>
    {
        var most = random.Next(1, 101);
        Prices Some() => new() { Input = Any(), Output = Any(), CachedInput = Any(), PerWebSearch = new(random.NextInt64(1L << 55)) };
        Rate Any() => new(random.NextInt64(100_000_000_000_000));
        var prices = Some() with { Tiers = [.. Enumerable.Range(0, random.Next(3)).Select(i => new PriceTier(20_000 * i, Some()))] };
        var offer = Offer(prices, random.NextInt64(1, 20_000));
        var request = Of("messages").Read(Of("messages").Body(most.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        Assert.Null(UpperBound.Check(offer, request, passes: true, out var bound));

        var input = random.Next(2) == 0 ? (most + 1) * offer.ContextTokens : random.NextInt64(1, (most + 1) * offer.ContextTokens);
        var cached = random.NextInt64(input);
        var usage = new Usage
        {
            [Meter.Input] = input - cached, [Meter.CachedInput] = cached, [Meter.Output] = random.Next(6), [Meter.Request] = 1,
            [Meter.WebSearch] = random.Next(2) == 0 ? most : random.Next(most + 1),
        };
        Assert.InRange(Cost.Of(usage, prices), 0, bound.Cost(5));
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_provider_that_may_take_over_is_told_only_what_its_own_price_covers(string name)
    {
        var spoken = Of(name);
        var (body, caller) = (spoken.Body("3", own: true), CallerOf(spoken));
        var request = spoken.Read(body);
        Assert.Null(Routing.TryRoute(caller, spoken.Wire, request, out var route, out var bound));
        Assert.Equal(3 * 10_000_000 + 4 * 10_000 * 1_000 + 5 * 2_000, bound.Cost(5));

        List<(string, bool, string)> told = [];
        for (Route? next = route; next is not null;
            next = Routing.Fallback(caller, spoken.Wire, request, next, UpstreamErrors.TimedOut))
        {
            var http = new DefaultHttpContext();
            var call = new ModelCall(http, "e", new(TimeProvider.System), TimeProvider.System) { Route = next };
            using var attempt = new ProviderAttempt(spoken.Wire, call, request, Encoding.UTF8.GetBytes(body));
            var sent = Encoding.UTF8.GetString(attempt.Compose(5).Span);
            var ignored = http.Response.Headers.GetCommaSeparatedValues(Ignored.Header);
            told.Add((next.Model.Provider, sent.Contains("web_search", StringComparison.Ordinal), string.Join(',', ignored)));
        }

        var left = spoken.Wire == Wires.Messages ? "web_search" : spoken.Name;
        Assert.Equal(["priced", "unpriced", "other"], told.Select(one => one.Item1));
        Assert.Equal([true, false, false], told.Select(one => one.Item2));
        Assert.Equal([false, true, true], told.Select(one => one.Item3.Split(',').Contains(left)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_request_about_the_search_goes_to_no_provider_that_is_not_told_of_it(string name)
    {
        var spoken = Of(name);
        var (request, caller) = (spoken.Read(spoken.Body("3")), CallerOf(spoken));

        Assert.Null(Routing.TryRoute(caller, spoken.Wire, request, out var route, out _));
        Assert.Equal("priced", route.Model.Provider);
        Assert.Null(Routing.Fallback(caller, spoken.Wire, request, route, UpstreamErrors.TimedOut));
        var pinned = spoken.Read(spoken.Body("3", model: "other/m"));
        var problem = Routing.TryRoute(caller, spoken.Wire, pinned, out _, out _)!;
        Assert.Equal(("unpriceable_parameter", "tools[0].type"), (problem.Code, problem.Param));
    }

    /// <summary>Nobody reads the head of one line's answer, so nothing can be left out there.</summary>
    [Theory]
    [InlineData("priced/m", "3", null)]
    [InlineData("priced/m", null, "tools[1].type")]
    [InlineData("unpriced/m", "3", "tools[1].type")]
    public void A_line_of_a_batch_follows_the_same_rule(string model, string? most, string? param)
    {
        var spoken = Of("messages");
        var plan = new BatchPlan(CallerOf(spoken), "/v1/messages");
        var body = spoken.Body(most, own: true, model: model);

        ReadOnlyMemory<byte> Add() => plan.Add("requests[0].", "a", "params", Encoding.UTF8.GetBytes(body));
        if (param is null)
        {
            Assert.Equal(body.Replace(model, "m"), Encoding.UTF8.GetString(Add().Span));
            Assert.Equal(3 * 10_000_000 + 4 * 10_000 * 1_000 + 5 * 2_000, plan.Terms.Bound.Nanos);
        }
        else
            Assert.Equal($"requests[0].params.{param}", Assert.Throws<ProblemException>(() => Add()).Problem.Param);
    }

    static string Sent(ModelRequest request, string body, bool searches) =>
        Encoding.UTF8.GetString(request.Rewrite(Encoding.UTF8.GetBytes(body), "m", 5, injectUsage: false, searches).Span);

    /// <summary>A model of three providers: one with a price for searches, one without, and one of another wire, with a price.</summary>
    static Caller CallerOf(Spoken spoken)
    {
        var envelope = new Envelope([new byte[32]]);
        var id = Ids.New();
        ProviderConnection Provider(string name, string wire) => new(
            name, wire, "https://api.example.com/v1", "bearer", null,
            [new(envelope.Seal("k", ProviderConnection.SecretOwner(id, name)), 1)], 60, 0, "cancel", Sandbox: false);
        var model = Offer(Priced, provider: "priced") with
        {
            Fallbacks = [Offer(Unpriced, provider: "unpriced"), Offer(Priced, provider: "other")],
        };
        ProviderConnection[] providers =
        [
            Provider("priced", spoken.Provider), Provider("unpriced", spoken.Provider), Provider("other", ProviderWire.Gemini),
        ];
        var project = new Project(new(id, Ids.New(), "app", true, true, [], providers, [model]), envelope);
        return BatchCases.Anyone with { Project = project };
    }
}
