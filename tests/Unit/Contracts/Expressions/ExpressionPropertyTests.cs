using System.Runtime.InteropServices;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using LlmGateway.Contracts.Expressions;
using Microsoft.FSharp.Core;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>Whatever an expression is and whatever it reads, nothing is thrown and the bounds hold.</summary>
public sealed class ExpressionPropertyTests
{
    static readonly string[] Signs =
    [
        "||", "&&", "==", "!=", "<", ">", "<=", ">=", "in", "contains", "startsWith", "endsWith", "..", "+", "-", "*", "/", "%", "**", "??",
    ];

    static readonly string[] Names =
    [
        "method", "query", "headers", "body", "rawBody", "status", "respBody", "responseBytes", "allData", "lastChunk", "usage",
    ];

    static readonly string[] OfOne =
    [
        "lower", "upper", "trim", "base64Encode", "base64Decode", "urlEncode", "urlDecode", "sha256", "json", "jsonEncode", "toInt",
        "toFloat", "toString", "int", "float", "abs", "ceil", "floor", "round", "len", "count", "sum", "avg", "min", "max", "first", "last",
        "keys", "values", "reverse", "lines", "linesNonEmpty", "sseEvents", "sseLastData", "sseAllData", "type", "coalesce",
    ];

    static readonly string[] OfTwo =
        ["split", "join", "get", "default", "trimPrefix", "hasSuffix", "take", "max", "coalesce", "hmacSha256"];

    static readonly string[] OfPredicates =
        ["filter", "map", "all", "any", "none", "one", "find", "findIndex", "sum", "count", "reduce"];

    static readonly Gen<Value> Values = Gen.OneOf(
        Gen.Elements(Value.Null, Value.Of(true), Value.Of(false)),
        Gen.Choose(0, 1000).Select(number => Value.Of(number / 4m)),
        Gen.Elements(0m, 1m, 79_228_162_514_264_337_593_543_950_335m, 0.0000000000000000000000000001m).Select(Value.Of),
        Gen.Elements("", "a", "12.5", "usage", "{\"a\": [1, null]}", "data: {\"usage\": 1}\n\n", "ä😀\ud83d\"\\\t\0", "x`'y")
            .Select(Value.Of));

    static readonly Arbitrary<Node> Trees = Arb.From(Gen.Sized(size => Tree(Math.Min(size, 24), predicates: 0)));

    /// <summary>Nodes as the parser makes them, of any kinds.</summary>
    static Gen<Node> Tree(int size, int predicates)
    {
        var leaf = Gen.OneOf(
            Values.Select(value => (Node)new Literal(0, value)),
            Gen.Elements(Names).Select(name => (Node)new Name(0, name)),
            predicates == 0
                ? Gen.Constant<Node>(new Name(0, "body"))
                : Gen.Elements("#", "#index").Select(name => (Node)new Element(0, name)));
        if (size <= 1)
            return leaf;
        var part = Tree(size / 2, predicates);
        var inPredicate = predicates < 2 ? Tree(size / 3, predicates + 1) : leaf;
        return Gen.OneOf(
            leaf,
            Gen.Elements("!", "-", "+").SelectMany(_ => part, (sign, operand) => (Node)new Unary(0, sign, operand)),
            from sign in Gen.Elements(Signs) from left in part from right in part select (Node)new Binary(0, sign, left, right),
            from a in part from b in part from c in part select (Node)new Choice(0, a, b, c),
            from of in part from key in part select (Node)new Member(0, of, key, false),
            from of in part from name in Gen.Elements("a", "in", "b c", "usage") from isOptional in Gen.Elements(true, false)
            select OptionalOrNot(of, name, isOptional),
            from of in part from a in part from b in part from ends in Gen.Choose(0, 3)
            select (Node)new Slice(0, of, ends % 2 == 0 ? null : a, ends > 1 ? null : b),
            part.ArrayOf(3).Select(items => (Node)new ArrayOf(0, items)),
            from key in Gen.OneOf(Values.Where(value => value.Kind == Kinds.Text).Select(value => (Node)new Literal(0, value)), part)
            from value in part
            select (Node)new MapOf(0, [key, value]),
            from function in Gen.Elements(OfOne) from a in part select (Node)new Call(0, function, [a]),
            from function in Gen.Elements(OfTwo) from a in part from b in part select (Node)new Call(0, function, [a, b]),
            from function in Gen.Elements(OfPredicates) from a in part from body in inPredicate
            select (Node)new Call(0, function, [a, new Predicate(0, body)]),
            from content in part from body in part select (Node)new Let(0, $"v{size}", content, body));
    }

    static Node OptionalOrNot(Node of, string name, bool isOptional)
    {
        var member = new Member(0, of, new Literal(0, Value.Of(name)), isOptional);
        return isOptional ? new Chain(0, member) : member;
    }

    /// <summary>The tree without places, so that two can be compared.</summary>
    static string Shape(Node node) => node switch
    {
        Literal { Value: { Kind: Kinds.Text } text } => Convert.ToHexString(MemoryMarshal.AsBytes(text.Text.AsSpan())),
        Literal { Value: var value } => $"{value.Kind}:{Value.TextOf(value.Number)}",
        Name name => name.Text,
        Element element => element.Text,
        _ => $"({Kind(node)} {string.Join(' ', node.Parts.Select(Shape))})",
    };

    static string Kind(Node node) => node switch
    {
        Unary unary => unary.Sign,
        Binary binary => binary.Sign,
        Member { IsOptional: true } => "?.",
        Slice slice => $"slice {slice.From is null} {slice.To is null}",
        Call call => call.Function,
        Let let => $"let {let.Variable}",
        _ => node.GetType().Name,
    };

    [Fact]
    public void What_is_printed_is_read_as_the_same_expression() => Check.One(Of(5_000), Prop.ForAll(Trees, tree =>
    {
        var source = tree.ToString();
        var (read, error) = Parser.Parse(source);
        if (error is { Message: var message } && (message.Contains("more than") || message.Contains("called as")))
            return;
        Assert.True(error is null, $"{source}: {error}");
        Assert.Equal(Shape(tree), Shape(read!));
        Assert.Equal(source, read!.ToString());
    }));

    [Fact]
    public void Evaluation_never_throws_and_stays_within_its_memory()
    {
        var (measured, succeeded) = (0, 0);
        Check.One(Of(20_000), Prop.ForAll(Trees, tree =>
        {
            if (!MeteringExpression.TryParse($"len(jsonEncode({tree}))", out var expression, out _))
                return;
            var collector = new ResponseCollector(expression.Needs);
            collector.Push(Response);
            var before = GC.GetAllocatedBytesForCurrentThread();
            var measurement = expression.Measure(Request with { Response = collector.End() });
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

            Assert.True((measurement.Value is null) != (measurement.Failure is null));
            Assert.True(allocated < MostBytes, $"{expression.Source} takes {allocated}");
            measured++;
            succeeded += measurement.Value is null ? 0 : 1;
        }));
        Assert.True(measured > 2_000 && succeeded > 500, $"{measured} were measured, {succeeded} succeeded");
    }

    /// <summary>Steps and texts are bounded, and so is what they take.</summary>
    const long MostBytes = 200_000_000;

    [Theory]
    [InlineData("len(map(1..10000, map(1..10000, #)))", Failure.TooLong)]
    [InlineData("sum(map(1..10000, sum(map(1..10000, sum(1..10000)))))", Failure.TooLong)]
    [InlineData("reduce(1..10000, #acc + #acc, 'ab') == '' ? 1 : 0", Failure.TooMuch)]
    [InlineData("len(reduce(1..10000, [#acc, #acc], 1))", null)] // shared, so that it takes no more than its steps
    [InlineData("len(jsonEncode(reduce(1..60, [#acc, #acc], 1)))", Failure.TooLong)]
    [InlineData("reduce(1..60, [#acc, #acc], 1) == reduce(1..60, [#acc, #acc], 1) ? 1 : 0", Failure.TooLong)]
    [InlineData("len(reduce(1..30, replace(#acc, 'a', 'aa'), 'a'))", Failure.TooLong)]
    [InlineData("len(reduce(1..100, join([#acc, #acc]), 'a'))", Failure.TooMuch)]
    [InlineData("sum(map(1..10000, len(sseEvents(lower(allData)))))", Failure.TooLong)]
    [InlineData("sum(map(1..10000, len(json(allData))))", Failure.TooLong)]
    [InlineData("sum(map(1..10000, len(lines(lower(allData)))))", Failure.TooLong)]
    [InlineData("sum(map(1..10000, len(sha256(allData))))", Failure.TooLong)]
    [InlineData("reduce(1..10000, #acc + allData, '') == '' ? 1 : 0", Failure.TooMuch)]
    [InlineData("let named = {(lower(allData)): 1}; len(toJSON(map(1..5000, named)))", Failure.TooMuch)]
    [InlineData("len(filter(1..10000, lastChunk == nil))", null)] // decoded once
    public void What_would_take_too_long_or_too_much_fails(string source, string? reason)
    {
        var response = "[" + string.Join(",", Enumerable.Repeat("\"some text of a response\"", 40_000)) + "]";
        var before = GC.GetAllocatedBytesForCurrentThread();
        var found = Metered.Reason(source, response);

        Assert.Equal(reason, found);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostBytes);
    }

    /// <summary>Values that are deeper than a stack.</summary>
    [Fact]
    public void A_value_of_any_depth_ends_no_process()
    {
        Assert.Equal(Failure.TooMuch, Metered.Reason("len(jsonEncode(reduce(1..10000, [#acc], 1)))"));
        Assert.Equal(Failure.TooMuch, Metered.Reason("reduce(1..10000, [#acc], 1) == reduce(1..10000, [#acc], 1) ? 1 : 0"));
    }

    [Fact]
    public void Any_characters_are_an_expression_or_an_error_with_a_place_in_them() => Seeds.ForEach(20_000, random =>
    {
        string[] pieces =
        [
            "json(", "sseEvents(", "allData", ")", "(", "[", "]", "{", "}", ".", "?.", "??", "?", ":", ",", ";", "let ", "x", "=", "#",
            "#acc", "'", "\"", "`", "\\", "1", "0x", "1e", "..", "not ", "in ", "matches ", "-", "**", "|", "filter(", " ", "\n", "//",
            "/*", "é", "😀", "\ud83d", "\0", "\u2028", "nil", "usage",
        ];
        var source = string.Concat(Enumerable.Range(0, random.Next(1, 30)).Select(_ =>
            random.Next(10) == 0 ? ((char)random.Next(0x10000)).ToString() : pieces[random.Next(pieces.Length)]));

        var isExpression = MeteringExpression.TryParse(source, out var expression, out var error);

        Assert.True(isExpression == error is null && isExpression != expression is null);
        if (error is not null)
            Assert.True(error.Offset >= 0 && error.Offset <= source.Length && error.Line >= 1 && error.Column >= 1, error.ToString());
        expression?.Measure(Request);
    });

    [Fact]
    public void Any_response_is_measured_or_fails() => Seeds.ForEach(3_000, random =>
    {
        var bytes = new byte[random.Next(200)];
        random.NextBytes(bytes);
        var part = Response.AsSpan(random.Next(Response.Length / 2), random.Next(Response.Length / 2));
        foreach (var source in (string[])
        [
            "json(sseLastData(allData)).usage.total_tokens ?? 1", "len(sseEvents(allData)) + count(lines(allData))",
            "len(jsonEncode(respBody)) + len(lastChunk)", "len(sseAllData(allData)) + len(upper(allData))",
        ])
        {
            var expression = Metered.Parse(source);
            var collector = new ResponseCollector(expression.Needs);
            collector.Push(random.Next(2) == 0 ? bytes : part);
            collector.Push(bytes);
            var measurement = expression.Measure(new() { Response = collector.End() });
            Assert.True((measurement.Value is null) != (measurement.Failure is null));
        }
    });

    static readonly byte[] Response = Encoding.UTF8.GetBytes(
        """
        event: message_start
        data: {"usage": {"total_tokens": 12, "a": [1, 2, {"b": "c"}]}, "in": "😀"}

        : comment
        id: 7
        data: [DONE]


        """);

    static readonly Facts Request = new() { Method = "POST", RequestBody = """{"a": {"in": [1, "x", null]}}"""u8.ToArray(), Status = 200 };

    /// <summary>The same expressions in every run, so that only a change of the code can make a test fail.</summary>
    static Config Of(int tests) => Config.QuickThrowOnFailure.WithMaxTest(tests)
        .WithReplay(FSharpOption<Replay>.Some(new(new(20_261_127, 1), FSharpOption<int>.None)));
}
