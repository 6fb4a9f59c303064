using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using LlmGateway.Proxy;
using LlmGateway.UnitTests.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What an answer of a route is settled with.</summary>
public sealed class RouteMeterTests
{
    const string Usage = """
        data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"four words of text"}}]}

        data: {"object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":4,"total_tokens":11}}

        data: [DONE]


        """;

    const long Most = 1000;

    /// <summary>Two events, 30 bytes.</summary>
    const string Begun = "data: {\"a\":1}\n\ndata: {\"a\":2}\n\n";

    const string Seed = "json(sseLastData(allData)).usage.total_tokens ?? 1";

    [Fact]
    public void The_seeds_own_expression_says_the_tokens_of_a_stream()
    {
        var (reading, requests) = Of(CustomRoute.Tokens, Seed, Usage);
        Assert.Equal((11, false, null, 1), (Tokens(reading), reading.Estimated, reading.Reason, requests));
    }

    [Fact]
    public void Units_are_requests_where_the_route_counts_those()
    {
        var (reading, requests) = Of(CustomRoute.Requests, "responseBytes / 1024", new string('x', 3000));
        Assert.Equal((3, 3, 0, false), (reading.Usage[Meter.Request], requests, Tokens(reading), reading.Estimated));
    }

    [Theory]
    [InlineData("json(sseLastData(allData)).nothing.total ?? 1")]
    [InlineData("json(sseLastData(allData)).usage.total_tokens.x")]
    public void An_expression_that_fails_leaves_the_providers_counts(string expression)
    {
        var (reading, _) = Of(CustomRoute.Tokens, expression, Usage);
        Assert.Equal((11, "expression_wrong_kind"), (Tokens(reading), reading.Reason));
    }

    [Fact]
    public void Tokens_of_an_answer_of_no_wire_are_estimated_by_its_length_and_marked()
    {
        var (reading, _) = Of(CustomRoute.Tokens, "json(allData).tokens", new string('x', 400), request: new string('y', 40));
        Assert.Equal((110, true, "expression_not_json"), (Tokens(reading), reading.Estimated, reading.Reason));
    }

    [Fact]
    public void Requests_of_an_answer_for_which_the_expression_fails_are_what_the_route_says_and_marked()
    {
        var (reading, requests) = Of(CustomRoute.Requests, "len(respBody.rows)", "no JSON", fallback: 3);
        Assert.Equal((3, 3, true, "expression_wrong_kind"), (reading.Usage[Meter.Request], requests, reading.Estimated, reading.Reason));
    }

    /// <summary>A caller makes them fail: by a number beyond 28 digits, by a page that is too large, by another format.</summary>
    [Theory]
    [InlineData("len(body.inputs)", "{}"), InlineData("len(respBody.rows)", "no JSON")]
    public void Where_the_route_says_nothing_they_are_all_that_was_held(string expression, string answer)
    {
        var (reading, requests) = Of(CustomRoute.Requests, expression, answer, request: "{\"inputs\":[1,2],\"x\":1e99}");
        Assert.Equal((Most, Most, true), (reading.Usage[Meter.Request], requests, reading.Estimated));
        // What is stored may have a 0, which was the default once.
        (reading, _) = Of(CustomRoute.Requests, expression, answer, request: "{\"inputs\":[1,2],\"x\":1e99}", fallback: 0);
        Assert.Equal(Most, reading.Usage[Meter.Request]);
    }

    [Fact]
    public void Who_leaves_with_a_part_of_an_answer_that_is_not_counted_owes_all_that_was_held_and_nobody_else_does()
    {
        var (left, requests) = Of(CustomRoute.Requests, "len(respBody.rows)", "{\"rows\":[1,", isWhole: false, hasLeft: true);
        Assert.Equal((Most, Most, true), (left.Usage[Meter.Request], requests, left.Estimated));
        var (broken, count) = Of(CustomRoute.Requests, "len(respBody.rows)", "{\"rows\":[1,", isWhole: false);
        Assert.Equal((0, 1, true), (broken.Usage[Meter.Request], count, broken.Estimated));
    }

    [Theory]
    [InlineData("count(sseEvents(allData))", 2), InlineData("len(lines(allData))", 5), InlineData("count(linesNonEmpty(allData))", 2)]
    [InlineData("len(allData)", 30), InlineData("responseBytes + 1", 31)]
    public void What_is_only_counted_is_counted_also_of_a_part(string expression, long units)
    {
        var (reading, _) = Of(CustomRoute.Requests, expression, Begun, isWhole: false, hasLeft: true);
        Assert.Equal((units, false, "aborted"), (reading.Usage[Meter.Request], reading.Estimated, reading.Reason));
    }

    /// <summary>What a crash would settle is never guessed upward.</summary>
    [Theory]
    [InlineData(CustomRoute.Requests, "1", 1), InlineData(CustomRoute.Requests, "len(body.inputs)", 2)]
    [InlineData(CustomRoute.Requests, "responseBytes / 10", 3), InlineData(CustomRoute.Requests, "count(sseEvents(allData))", 2)]
    [InlineData(CustomRoute.Requests, "len(respBody.rows)", 0), InlineData(CustomRoute.Tokens, "responseBytes", 30)]
    public void What_has_come_so_far_is_counted_where_that_can_be_done_and_else_nothing(string unit, string expression, long units)
    {
        using var meter = Metering(unit, expression, Begun, "{\"inputs\":[1,2]}", null);
        Assert.Equal((units, units), (UnitsOf(meter.SoFar()), UnitsOf(meter.SoFar())));
        meter.Push(Encoding.UTF8.GetBytes(Begun));
        var isOfTheAnswer = units != 1 && !expression.Contains("body", StringComparison.OrdinalIgnoreCase);
        Assert.Equal(isOfTheAnswer ? 2 * units : units, UnitsOf(meter.SoFar()));

        long UnitsOf(MeterReading reading) => unit == CustomRoute.Tokens ? Tokens(reading) : reading.Usage[Meter.Request];
    }

    /// <summary>An expression may take half a million steps, and an answer come in a million pieces.</summary>
    [Theory]
    [InlineData("count(filter(1..10000, # > 0)) + responseBytes", true), InlineData("responseBytes", true)]
    [InlineData("len(body.inputs)", true), InlineData("7", false), InlineData(Seed, false)]
    public void What_an_expression_counts_is_asked_again_by_time_and_not_for_each_kilobyte(string expression, bool isByTime)
    {
        foreach (var unit in (string[])[CustomRoute.Requests, CustomRoute.Tokens])
        {
            using var meter = Metering(unit, expression, new string('x', 100_000), "", null);
            Assert.Equal(isByTime, meter.IsWrittenByTime);
            // Our own count asks no expression.
            Assert.Equal(unit == CustomRoute.Tokens && expression == Seed ? 25_000L : 0, meter.DeliveredTokens);
        }
    }

    [Fact]
    public void Of_a_known_wire_its_own_count_is_what_has_come_and_not_its_length()
    {
        using var meter = Metering(CustomRoute.Tokens, Seed, Usage, "", null);
        Assert.InRange(Tokens(meter.SoFar()), 1, 20); // some 60 by its length
    }

    /// <summary>Also of what is absurd: money would not hold it, and a call that cannot be settled is free.</summary>
    [Theory]
    [InlineData(CustomRoute.Requests), InlineData(CustomRoute.Tokens)]
    public void No_answer_is_worth_more_than_money_can_be(string unit)
    {
        var (reading, _) = Of(unit, "999999999999", "x");
        Assert.Equal(CustomRoute.MostUnits, unit == CustomRoute.Tokens ? Tokens(reading) : reading.Usage[Meter.Request]);
        var (dearest, nothing) = (new Rate(long.MaxValue), new Rate(0));
        var prices = unit == CustomRoute.Tokens
            ? new Prices { Input = dearest, Output = dearest, PerRequest = nothing }
            : new Prices { PerRequest = dearest };
        Assert.True(Cost.Of(reading.Usage, prices) > 0);
    }

    /// <summary>Limits count all of it. Where money is sold, sums of anything that an expression may say would not be money.</summary>
    [Theory]
    [InlineData(CustomRoute.Requests), InlineData(CustomRoute.Tokens)]
    public void What_is_beyond_the_bound_is_counted_and_costs_no_more_than_was_held(string unit)
    {
        var route = new CustomRoute("/x", "p") { Unit = unit, Meter = "responseBytes", MaxUnits = 10, Price = new(1_000_000_000_000) };
        using var meter = new RouteMeter(route, Metered.Parse(route.Meter), new Facts(), isStream: false);
        meter.Push(new byte[10]);
        Assert.Equal((null, null), (meter.SoFar().Bound, meter.SoFar().Reason));
        meter.Push(new byte[1]);
        var reading = meter.Settle(isWhole: true);
        Assert.Equal((10 * 1_000L, "capped"), (reading.Bound, reading.Reason));
        Assert.Equal(11, unit == CustomRoute.Tokens ? Tokens(reading) : meter.Requests);
    }

    /// <summary>Its default would be taken for a count.</summary>
    [Theory]
    [InlineData(Seed)]
    [InlineData("get(json(sseLastData(allData)), 'usage.total_tokens') ?? 1")]
    [InlineData("usage?.total_tokens ?? 1")]
    public void A_stream_that_broke_off_is_estimated_and_never_1(string expression)
    {
        var begun = Usage[..(Usage.IndexOf("\n\n", StringComparison.Ordinal) + 2)];
        var (reading, _) = Of(CustomRoute.Tokens, expression, begun, isWhole: false);
        Assert.True(Tokens(reading) > 1 && reading.Estimated, $"{Tokens(reading)} {reading.Reason}");
        Assert.Contains("expression_partial_answer", reading.Reason);
        Assert.EndsWith("aborted", reading.Reason);
    }

    [Fact]
    public void What_depends_on_the_length_alone_is_measured_also_when_an_answer_breaks_off()
    {
        var (reading, requests) = Of(CustomRoute.Requests, "responseBytes / 1000", new string('x', 5000), isWhole: false);
        Assert.Equal((5, 5, false, "aborted"), (reading.Usage[Meter.Request], requests, reading.Estimated, reading.Reason));
    }

    [Theory]
    [InlineData("1", 1L), InlineData("2 + 3", 5L), InlineData("let a = 2; a * 2", null), InlineData("responseBytes", null)]
    [InlineData("now()", null)]
    public void An_expression_without_variables_says_a_number_by_itself(string expression, long? constant) =>
        Assert.Equal(constant, Metered.Parse(expression).Constant);

    static long Tokens(MeterReading reading) => reading.Usage.InputTokens + reading.Usage.OutputTokens;

    static (MeterReading Reading, long Requests) Of(
        string unit, string expression, string answer, string request = "", long? fallback = null, bool isWhole = true,
        bool hasLeft = false)
    {
        using var meter = Metering(unit, expression, answer, request, fallback);
        var reading = meter.Settle(isWhole, isWhole ? null : "aborted", hasLeft);
        return (reading, meter.Requests);
    }

    /// <summary>Of an answer that has come so far.</summary>
    static RouteMeter Metering(string unit, string expression, string answer, string request, long? fallback)
    {
        var route = new CustomRoute("/x", "p") { Unit = unit, Meter = expression, MaxUnits = Most, FallbackUnits = fallback };
        var meter = new RouteMeter(
            route, Metered.Parse(expression), new Facts { RequestBody = Encoding.UTF8.GetBytes(request) },
            isStream: answer.StartsWith("data:", StringComparison.Ordinal));
        foreach (var piece in Encoding.UTF8.GetBytes(answer).Chunk(7))
            meter.Push(piece);
        return meter;
    }
}
