using LlmGateway.Contracts.Expressions;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>What the metering language says, as far as it does not depend on how a response is kept.</summary>
public sealed class ExpressionTests
{
    [Theory]
    [InlineData("1", 1)]
    [InlineData("1_000", 1000)]
    [InlineData("0x2A + 0o52 + 0b101010", 126)]
    [InlineData("1.5e3", 1500)]
    [InlineData(".5 + .25", 0.75)]
    [InlineData("7 / 2", 3.5)]
    [InlineData("7 % 4", 3)]
    [InlineData("0.1 + 0.2", 0.3)]
    [InlineData("10 / 4 * 4", 10)]
    [InlineData("2 ** 10", 1024)]
    [InlineData("2 ^ -2", 0.25)]
    [InlineData("1 // a remark\n + /* another */ 2", 3)]
    [InlineData("let a = 2; let b = a * 3; a + b", 8)]
    [InlineData("' 42 '", 42)]
    [InlineData("3 - 5", 0)]
    public void Gives_a_number(string source, double expected) => Assert.Equal((decimal)expected, Metered.Value(source));

    [Theory]
    [InlineData("2 + 3 * 4 == 14")]
    [InlineData("(2 + 3) * 4 == 20")]
    [InlineData("10 - 4 - 3 == 3")]
    [InlineData("2 ** 3 ** 2 == 512")]
    [InlineData("-2 ** 2 == -4")]
    [InlineData("-2 * -3 == 6")]
    [InlineData("1 + nil ?? 2 == 3")] // '??' binds more tightly than any other
    [InlineData("(nil ?? nil ?? 3) == 3")]
    [InlineData("true || false && false")]
    [InlineData("true or false and false")]
    [InlineData("!false && true")]
    [InlineData("not (1 in [2, 3])")]
    [InlineData("1 not in [2, 3]")]
    [InlineData("'abc' not contains 'd'")]
    [InlineData("1 < 2 < 3")]
    [InlineData("not (1 < 3 < 2)")]
    [InlineData("1..3 == [1, 2, 3]")]
    [InlineData("1..1 + 2 == [1, 2, 3]")]
    [InlineData("(false ? 1 : true ? 2 : 3) == 2")]
    [InlineData("true ?: false")]
    [InlineData("'a,b' | split(',') | last() == 'b'")]
    public void Binds_as_expr_lang_does(string condition) => Metered.Holds(condition);

    [Theory]
    [InlineData("{a: 1, 'b-c': 2, (\"d\"): 3} == {\"b-c\": 2, d: 3, a: 1}")]
    [InlineData("{a: {b: [10, 20]}}.a.b[1] == 20")]
    [InlineData("{a: 1}.b == nil")]
    [InlineData("{a: 1}['a'] == 1")]
    [InlineData("{a: nil}.a?.b?.c == nil")]
    [InlineData("{a: nil}.a?.b.c.d[0][1:2] == nil")] // the first null ends the chain
    [InlineData("{in: 1, not: 2}.in == 1")]
    [InlineData("[1, 2, 3][-1] == 3")]
    [InlineData("[1, 2, 3, 4, 5][1:4] == [2, 3, 4]")]
    [InlineData("[1, 2, 3, 4, 5][1:-1] == [2, 3, 4]")]
    [InlineData("[1, 2, 3][:9] == [1, 2, 3]")]
    [InlineData("[1, 2, 3][2:1] == []")]
    [InlineData("'äbc😀'[1:] == 'bc😀'")]
    [InlineData("'a' in {a: 1} and 'b' not in {a: 1}")]
    [InlineData("\"\\u00e4\\x41\\t\" == `äA` + '\\t'")]
    [InlineData("'abc' matches '^a.c$'")]
    [InlineData("'abc' startsWith 'ab' and 'abc' endsWith 'bc' and 'abc' contains 'b'")]
    public void Takes_values_apart(string condition) => Metered.Holds(condition);

    [Theory]
    [InlineData("lower('AbC') == 'abc' && upper('é') == 'É' && trim('  a ') == 'a'")]
    [InlineData("trimPrefix('/v1/x', '/v1') == '/x' && trimSuffix('a.json', '.json') == 'a'")]
    [InlineData("replace('a-b-c', '-', '+') == 'a+b+c' && replace('ab', '', 'x') == 'ab'")]
    [InlineData("split('a,b', ',') == ['a', 'b'] && join(['a', 1], '-') == 'a-1' && split('ab', '') == ['a', 'b']")]
    [InlineData("base64Encode('hi') == 'aGk=' && base64Decode('aGk=') == 'hi'")]
    [InlineData("urlEncode('a b&c/ä') == 'a+b%26c%2F%C3%A4' && urlDecode('a+b%26c') == 'a b&c'")]
    [InlineData("sha256('abc') == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'")]
    [InlineData("hmacSha256('data', 'key') == '5031fe3d989c6d1537a013fa6e739da23463fdaec3b70137d828e36ace221bd0'")]
    [InlineData("json('') == nil && json('[1, {\"a\": 2.50}]') == [1, {a: 2.5}] && jsonDecode('null') == nil")]
    [InlineData("jsonEncode({a: [1, 2.50, nil, true, 'x\"']}) == '{\"a\":[1,2.5,null,true,\"x\\\\\"\"]}'")]
    [InlineData("get({a: {b: 3}}, 'a.b') == 3 && get({a: 1}, 'a.b.c') == nil && get(nil, 'a') == nil")]
    [InlineData("first([1, 2]) == 1 && last([1, 2]) == 2 && first([]) == nil && last(nil) == nil")]
    [InlineData("sum([1, 2, '3', nil]) == 6 && sum([{n: 1}, {n: 2}, {}], 'n') == 3 && sum(nil) == 0")]
    [InlineData("sum([{n: 1}, {n: 2}], .n) == 3 && sum([1, 2], # * 10) == 30 && sum([1, 2], {1}) == 2")]
    [InlineData("avg([1, 2, 3]) == 2 && avg([{n: 4}, {}], 'n') == 2 && avg([]) == 0")]
    [InlineData("max([1, 3, 2]) == 3 && min([{n: 4}, {n: 2}], 'n') == 2 && max([]) == nil && max(nil) == nil")]
    [InlineData("max(1, 5, 3) == 5 && min(2, 1) == 1 && max('2', 1) == 2")]
    [InlineData("count([1, 2]) == 2 && count('abc') == 0 && count(nil) == 0 && count([1, 2, 3], # > 1) == 2")]
    [InlineData("len('äb') == 2 && len([1]) == 1 && len({a: 1}) == 1 && len('😀') == 1")]
    [InlineData("filter([1, 2, 3], # > 1) == [2, 3] && filter([{a: true}, {a: false}], .a) == [{a: true}]")]
    [InlineData("map([{a: 1}, {a: 2}], {.a + #index}) == [1, 3]")]
    [InlineData("all([1, 2], # > 0) && any([1, 2], # > 1) && none([1], # > 1) && one([1, 2], # > 1) && all([], false)")]
    [InlineData("find([1, 2, 3], # > 1) == 2 && find([1], # > 1) == nil && findIndex([1, 2], # == 2) == 1 && findIndex([], true) == -1")]
    [InlineData("reduce([1, 2, 3], #acc + #) == 6 && reduce([1, 2], #acc + #, 10) == 13 && reduce([], #acc) == nil")]
    [InlineData("map([[1, 2], [3]], sum(#)) == [3, 3] && map([[1], [2, 3]], count(#, # > 1)) == [0, 2]")]
    [InlineData("coalesce(nil, '', 3) == 3 && coalesce(nil) == nil && default('', 2) == 2 && default(1, 2) == 1 && default(nil, '') == ''")]
    [InlineData("toString(1.50) == '1.5' && toString(nil) == '' && toString([1]) == '[1]' && string(true) == 'true'")]
    [InlineData("toInt('12px') == 12 && toInt('3.9') == 3 && toInt(3.9) == 3 && toInt(-3.9) == -3 && toInt('x') == 0 && toInt(nil) == 0")]
    [InlineData("toFloat('3.5kg') == 3.5 && toFloat(2) == 2 && toFloat(true) == 0 && int('7') == 7 && float('7.5') == 7.5")]
    [InlineData("abs(-2) == 2 && ceil(1.2) == 2 && floor(-1.2) == -2 && round(2.5) == 3 && round(-2.5) == -3")]
    [InlineData("lines('a\\r\\nb\\rc\\n') == ['a', 'b', 'c', ''] && lines('') == [] && linesNonEmpty('a\\n\\nb') == ['a', 'b']")]
    [InlineData("keys({a: 1, b: 2}) == ['a', 'b'] && values({a: 1}) == [1] && take([1, 2], 1) == [1] && reverse([1, 2]) == [2, 1]")]
    [InlineData("hasPrefix('abc', 'a') && hasSuffix('abc', 'c') && type([]) == 'array' && type(1.5) == 'float'")]
    public void Functions_do_what_their_names_say(string condition) => Metered.Holds(condition);

    [Fact]
    public void Texts_of_several_lines_stand_between_backticks() => Metered.Holds("\"a\\nb\\\\\" == `a\nb\\`");

    [Fact]
    public void The_variables_of_a_request_and_its_response_have_their_values()
    {
        var facts = new Facts
        {
            Method = "POST", Path = "/v1/x", Query = new Dictionary<string, string> { ["units"] = "2" },
            Headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase) { ["X-Tier"] = "gold" },
            RequestBody = """{"rows": [1, 2]}"""u8.ToArray(), UserId = "u", PlanId = "p", KeyId = "k",
            Now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000), Status = 201,
            ResponseHeaders = new Dictionary<string, string> { ["X-Cost"] = "3.5" },
        };
        foreach (var condition in (string[])
        [
            "method == 'POST' && path == '/v1/x' && query.units == '2' && query.none == nil",
            "headers['x-tier'] == 'gold' && 'X-Tier' in headers && len(headers) == 1 && keys(query) == ['units']",
            "body.rows == [1, 2] && len(rawBody) == 16 && requestBytes == 16 && json(rawBody) == body",
            "userID + planID + keyID == 'upk'",
            "status == 201 && responseBytes == 11 && respBody.n == 7 && trim(allData) == '{\"n\": 7}' && len(allData) == 11",
            "now() == 1800000000 && nowRFC3339() == '2027-01-15T08:00:00Z'",
            "usage == nil",
        ])
            Metered.Holds(condition, """{"n": 7}   """, facts);
        Assert.Equal(3.5m, Metered.Value("respHeaders['X-Cost']", facts: facts));
    }

    /// <summary>Kinds that fit no operator fail when they are seen, and cost nothing but the failure.</summary>
    [Theory]
    [InlineData("+", "nn,tt")]
    [InlineData("-", "nn")]
    [InlineData("*", "nn")]
    [InlineData("/", "nn")]
    [InlineData("%", "nn")]
    [InlineData("**", "nn")]
    [InlineData("..", "nn")]
    [InlineData("<", "nn,tt")]
    [InlineData(">", "nn,tt")]
    [InlineData("<=", "nn,tt")]
    [InlineData(">=", "nn,tt")]
    [InlineData("contains", "tt")]
    [InlineData("startsWith", "tt")]
    [InlineData("endsWith", "tt")]
    [InlineData("&&", "bb")]
    [InlineData("||", "bb")]
    [InlineData("in", "*0,*a,*m")]
    [InlineData("==", "**")]
    [InlineData("!=", "**")]
    [InlineData("??", "**")]
    public void An_operator_takes_these_kinds_and_fails_on_all_others(string sign, string takes)
    {
        var values = new Dictionary<char, string>
        {
            ['0'] = "null", ['b'] = sign == "||" ? "false" : "true", ['n'] = "2", ['t'] = "\"x\"", ['a'] = "[1]", ['m'] = "{\"x\": 1}",
        };
        foreach (var (left, leftJson) in values)
            foreach (var (right, rightJson) in values)
            {
                var fits = takes.Split(',').Any(pair => (pair[0] == left || pair[0] == '*') && (pair[1] == right || pair[1] == '*'));
                var response = $$"""{"l": {{leftJson}}, "r": {{rightJson}}}""";
                var (_, failure) = Metered.Of($"[respBody.l {sign} respBody.r] == nil ? 0 : 1", response);

                Assert.True(fits == failure is null, $"{leftJson} {sign} {rightJson}: {failure}");
                Assert.True(failure is null || failure.Reason == Failure.WrongKind, $"{failure}");
            }
    }

    [Theory]
    [InlineData("respBody.a.b", Failure.WrongKind)] // a member of null, as expr-lang has it
    [InlineData("respBody.a.b ?? 1", Failure.WrongKind)] // and '??' does not hide it
    [InlineData("respBody.missing", Failure.WrongKind)] // null is no number
    [InlineData("respBody.none", Failure.WrongKind)]
    [InlineData("respBody.text", Failure.WrongKind)]
    [InlineData("respBody.list", Failure.WrongKind)]
    [InlineData("respBody.list[5]", Failure.NoElement)]
    [InlineData("respBody.list[0.5]", Failure.NoElement)]
    [InlineData("json(respBody.text)", Failure.NotJson)]
    [InlineData("json('1e400')", Failure.NotJson)]
    [InlineData("1 / respBody.zero", Failure.NoNumber)]
    [InlineData("1 % respBody.zero", Failure.NoNumber)]
    [InlineData("10 ** 28 * 10 ** 28", Failure.NoNumber)]
    [InlineData("2 ** 0.5", Failure.NoNumber)]
    [InlineData("2 ** 65", Failure.NoNumber)]
    [InlineData("sum(map(1..40, 10 ** 28))", Failure.NoNumber)]
    [InlineData("len(1..10001)", Failure.NoNumber)]
    [InlineData("1000000000001", Failure.NoNumber)]
    [InlineData("base64Decode('*')", Failure.WrongKind)]
    [InlineData("sum(['x'])", Failure.WrongKind)]
    [InlineData("join([[1]], ',')", Failure.WrongKind)]
    [InlineData("len(filter([1], respBody.text))", Failure.WrongKind)]
    public void What_has_no_number_fails_with_a_reason_and_never_is_1(string source, string reason)
    {
        var response = """{"a": null, "none": null, "text": "abc", "list": [1], "zero": 0}""";

        Assert.Equal(reason, Metered.Reason(source, response));
        Assert.Null(Metered.Of(source, response).Value);
        Assert.Null(Metered.Of(source, response).Units);
    }

    [Theory]
    [InlineData("1.000000000000000000000000001", 2)]
    [InlineData("1.5", 2)]
    [InlineData("2", 2)]
    [InlineData("0.000001", 1)]
    [InlineData("0", 0)]
    [InlineData("1000000000000", Measurement.MaxUnits)]
    public void Units_are_whole_and_rounded_up_once(string source, long units) => Assert.Equal(units, Metered.Of(source).Units);

    [Fact]
    public void What_fails_says_where_and_what_and_nothing_of_the_response()
    {
        var failure = Metered.Of("1 + respBody.usage.total", """{"usage": null, "secret": "hush"}""").Failure!;

        Assert.Equal(
            (Failure.WrongKind, 18, "'respBody.usage' is null, which has no members."),
            (failure.Reason, failure.At, failure.Message));
    }

    [Fact]
    public void What_is_not_reached_does_not_fail()
    {
        Metered.Holds("true || respBody.a.b");
        Metered.Holds("!(false && respBody.a.b)");
        Metered.Holds("(1 ?? respBody.a.b) == 1");
        Metered.Holds("(true ? 1 : respBody.a.b) == 1");
        Metered.Holds("coalesce(1, respBody.a.b) == 1");
    }
}
