using LlmGateway.Contracts.Expressions;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>A source that can never be evaluated is refused when it is saved, with the place and what to write instead.</summary>
public sealed class ExpressionErrorTests
{
    [Theory]
    [InlineData("", 0, "ends where a value is expected", "")]
    [InlineData("1 +", 3, "ends where a value is expected", "")]
    [InlineData("1 2", 2, "'2' does not continue", "An operator")]
    [InlineData("(1", 2, "')' is expected", "")]
    [InlineData("[1, 2", 5, "']' is expected", "")]
    [InlineData("{a 1}.a", 3, "':' is expected", "")]
    [InlineData("len('a'", 7, "')' is expected to close 'len('", "")]
    [InlineData("'abc", 0, "The text has no end", "Close it with '")]
    [InlineData("\"a\nb\"", 0, "The text has no end", "`")]
    [InlineData("`abc", 0, "The text has no end", "`")]
    [InlineData("'\\q'", 1, "This is no escape", "\\\\")]
    [InlineData("'\\u12'", 1, "This is no escape", "\\\\")]
    [InlineData("1 /* x", 2, "The comment has no end", "*/")]
    [InlineData("1 @ 2", 2, "'@' is no sign", "")]
    [InlineData("1 & 2", 2, "'&' is no sign", "&&")]
    [InlineData("12ab", 0, "'12a' is no number", "")]
    [InlineData("0xfg", 0, "is no number", "")]
    [InlineData("99999999999999999999999999999999", 0, "at most 28 digits", "")]
    [InlineData("respBody.a ?? 0 + respBody.b", 16, "'??' and '+' stand beside each other", "parentheses")]
    [InlineData("#", 0, "stands for an element", "filter")]
    [InlineData("sum([1]) + .a", 11, "stands for an element", "filter")]
    [InlineData("respBody.f()", 9, "called as a method", "f(value)")]
    [InlineData("respBody.'a'", 9, "A member's name is expected", "brackets")]
    [InlineData("1 | 2", 4, "A function is expected after '|'", "||")]
    [InlineData("let 1 = 2; 3", 4, "A name is expected after 'let'", "")]
    [InlineData("let a 2; a", 6, "'=' is expected", "")]
    [InlineData("in 1", 0, "'in' stands where a value is expected", "")]
    [InlineData("nil.a", 3, "'.' does not continue", "")]
    public void What_cannot_be_read_is_refused_with_its_place(string source, int offset, string message, string hint)
    {
        var error = Metered.Refusal(source);

        Assert.Equal((offset, true, true), (
            error.Offset, error.Message.Contains(message, StringComparison.Ordinal),
            (error.Hint ?? "").Contains(hint, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("respbody.a", 0, "There is no variable 'respbody'", "'respBody'")]
    [InlineData("len", 0, "There is no variable 'len'", "called as len(")]
    [InlineData("$env", 0, "There is no variable '$env'", "")]
    [InlineData("sseLastDate(allData)", 0, "There is no function 'sseLastDate'", "'sseLastData'")]
    [InlineData("len(env('KEY'))", 4, "There is no function 'env'", "Write the value itself")]
    [InlineData("usage.total_token", 6, "'usage' has no member 'total_token'", "'total_tokens'")]
    [InlineData("len()", 0, "'len' takes 1 arguments; there are 0", "")]
    [InlineData("split('a')", 0, "'split' takes 2 arguments", "")]
    [InlineData("1 + 'a'", 4, "'+' takes a number; this is a text", "")]
    [InlineData("true + 1", 0, "'+' takes a number or a text; this is a boolean", "")]
    [InlineData("-'a'", 1, "'-' takes a number; this is a text", "")]
    [InlineData("!1 ? 1 : 2", 1, "'!' takes a boolean; this is a number", "")]
    [InlineData("1 ? 2 : 3", 0, "The condition of '?' takes a boolean; this is a number", "")]
    [InlineData("status && true ? 1 : 2", 0, "'&&' takes a boolean; this is a number", "")]
    [InlineData("len(1)", 4, "'len' takes a text or an array or a map; this is a number", "")]
    [InlineData("len([1], 2)", 0, "'len' takes 1 arguments", "")]
    [InlineData("count([1], 'a')", 11, "'count' takes a predicate", ".done")]
    [InlineData("len(filter([1], 5))", 16, "'filter' takes a boolean; this is a number", "")]
    [InlineData("(5).a", 1, "A member takes an array or a map; this is a number", "")]
    [InlineData("[1]['a']", 4, "elements of arrays have places", "")]
    [InlineData("headers[0]", 8, "Members of maps have names", "")]
    [InlineData("[1]", 0, "A metering expression takes a number or a text; this is an array", "")]
    [InlineData("nil", 0, "this is null", "")]
    [InlineData("'a' matches path ? 1 : 2", 12, "must be written as a text", "")]
    [InlineData("path matches '(' ? 1 : 2", 13, "This is no pattern", "")]
    [InlineData("path matches '(a)\\\\1' ? 1 : 2", 13, "without references", "")]
    [InlineData("path matches '(a{20}){20}' ? 1 : 2", 13, "multiply to at most 100", "")]
    [InlineData("len(map([1], #acc))", 13, "'#acc' is what 'reduce' has", "")]
    [InlineData("let status = 1; status", 4, "'status' has a meaning already", "another name")]
    [InlineData("len(map([1], len(map([1], len(map([1], len(map([1], #))))))))", 52, "Predicates are nested more than 3 times", "")]
    public void What_can_have_no_value_is_refused_with_its_place(string source, int offset, string message, string hint)
    {
        var error = Metered.Refusal(source);

        Assert.True(error.Message.Contains(message, StringComparison.Ordinal), error.ToString());
        Assert.True((error.Hint ?? "").Contains(hint, StringComparison.Ordinal), error.ToString());
        Assert.Equal(offset, error.Offset);
    }

    [Fact]
    public void The_place_is_told_as_line_and_column_too()
    {
        var error = Metered.Refusal("let a = 1;\nlet b = 2;\n  a + c");

        Assert.Equal((3, 7, "line 3, column 7: There is no variable 'c'."), (error.Line, error.Column, error.ToString()));
    }

    [Fact]
    public void Length_parts_and_depth_are_bounded()
    {
        Assert.Contains("longer than 4096", Metered.Refusal(new string(' ', MeteringExpression.MaxLength) + "1").Message);
        Assert.Contains("more than 500 parts", Metered.Refusal(string.Join('+', Enumerable.Repeat("1", 251))).Message);
        Assert.Equal(250, Metered.Value(string.Join('+', Enumerable.Repeat("1", 250))));
        (string, string)[] nesting = [("(", ")"), ("[", "]"), ("-", ""), ("!", ""), ("{a:", "}"), ("len(", ")"), ("1?", ":1")];
        foreach (var (open, close) in nesting)
        {
            var nested = string.Concat(Enumerable.Repeat(open, 200)) + "1" + string.Concat(Enumerable.Repeat(close, 200));
            Assert.Contains("nested more than 64 times", Metered.Refusal(nested).Message);
        }
    }
}
