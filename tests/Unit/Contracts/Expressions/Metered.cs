using System.Text;
using LlmGateway.Contracts.Expressions;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>Expressions and what they say of a response.</summary>
static class Metered
{
    public static MeteringExpression Parse(string source)
    {
        Assert.True(MeteringExpression.TryParse(source, out var expression, out var error), $"{source}: {error}");
        return expression;
    }

    public static ExpressionError Refusal(string source)
    {
        Assert.False(MeteringExpression.TryParse(source, out _, out var error), source);
        return error!;
    }

    /// <summary>Measures a response that comes in these pieces, or whole.</summary>
    public static Measurement Of(string source, string response = "", Facts? facts = null, Func<int>? piece = null)
    {
        var expression = Parse(source);
        var collector = new ResponseCollector(expression.Needs);
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(response);
        while (!rest.IsEmpty)
        {
            var length = Math.Min(piece?.Invoke() ?? rest.Length, rest.Length);
            collector.Push(rest[..length]);
            rest = rest[length..];
        }
        return expression.Measure((facts ?? new()) with { Response = collector.End() });
    }

    public static decimal? Value(string source, string response = "", Facts? facts = null)
    {
        var (value, failure) = Of(source, response, facts);
        Assert.True(failure is null, $"{source}: {failure}");
        return value;
    }

    public static string? Reason(string source, string response = "") => Of(source, response).Failure?.Reason;

    /// <summary>What a condition says, as 1 or 0.</summary>
    public static void Holds(string condition, string response = "", Facts? facts = null) =>
        Assert.True(Value($"({condition}) ? 1 : 0", response, facts) == 1, condition);
}
