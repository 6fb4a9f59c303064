using System.Text.RegularExpressions;

namespace LlmGateway.Contracts.Expressions;

/// <summary>Binary operators that evaluate both sides.</summary>
static class Operators
{
    /// <summary>Largest power, and most elements of a range.</summary>
    public const int MaxPower = 64, MaxRange = 10_000;

    public static Value Of(Evaluation run, Binary at, Value left, Value right)
    {
        switch (at.Sign)
        {
            case "==":
                return Value.Of(Equal(run, at, left, right));
            case "!=":
                return Value.Of(!Equal(run, at, left, right));
            case "in":
                return In(run, at, left, right);
            case "+" when left.Kind == Kinds.Text && right.Kind == Kinds.Text:
                return run.Keep((long)left.StoredLength + right.StoredLength, at) ? Value.Of(left.Text + right.Text) : Value.Null;
            case "<" or ">" or "<=" or ">=" when left.Kind == Kinds.Text && right.Kind == Kinds.Text:
                return run.SpendText((long)left.StoredLength + right.StoredLength, at)
                    ? Value.Of(Compares(at.Sign, string.CompareOrdinal(left.Text, right.Text)))
                    : Value.Null;
            case "contains" or "startsWith" or "endsWith":
                return run.Expect(left, Kinds.Text, at.Left, at.Sign) is { } text
                    && run.Expect(right, Kinds.Text, at.Right, at.Sign) is { } part
                    && (at.Sign == "contains"
                        ? run.SpendSearch(text.StoredLength, part.StoredLength, at)
                        : run.SpendText((long)text.StoredLength + part.StoredLength, at))
                    ? Value.Of(OfTexts(at.Sign, text.Text, part.Text))
                    : Value.Null;
        }
        var takes = at.Sign is "+" or "<" or ">" or "<=" or ">=" && left.Kind == Kinds.Text ? Kinds.Text : Kinds.Number;
        if (run.Expect(left, takes, at.Left, at.Sign) is null || run.Expect(right, takes, at.Right, at.Sign) is null)
            return Value.Null;
        return OfNumbers(run, at, left.Number, right.Number);
    }

    static bool OfTexts(string sign, string text, string part) => sign switch
    {
        "contains" => text.Contains(part, StringComparison.Ordinal),
        "startsWith" => text.StartsWith(part, StringComparison.Ordinal),
        _ => text.EndsWith(part, StringComparison.Ordinal),
    };

    public static Value Match(Evaluation run, Matching at, Value value)
    {
        if (run.Expect(value, Kinds.Text, at.Text, "matches") is not { } text)
            return Value.Null;
        if (text.StoredLength > Patterns.MaxMatched)
            return run.Fail(Failure.TooMuch, at, $"'matches' looks into at most {Patterns.MaxMatched} characters.");
        if (!run.Spend(text.StoredLength, at))
            return Value.Null;
        try
        {
            return Value.Of(at.Pattern.IsMatch(text.Text));
        }
        catch (RegexMatchTimeoutException)
        {
            return run.Fail(Failure.TooLong, at, "The pattern takes too long.");
        }
    }

    static Value OfNumbers(Evaluation run, Binary at, decimal left, decimal right)
    {
        try
        {
            return at.Sign switch
            {
                "+" => Value.Of(left + right),
                "-" => Value.Of(left - right),
                "*" => Value.Of(left * right),
                "/" => Value.Of(left / right),
                "%" => Value.Of(left % right),
                "**" => Power(run, at, left, right),
                ".." => Range(run, at, left, right),
                _ => Value.Of(Compares(at.Sign, left.CompareTo(right))),
            };
        }
        catch (DivideByZeroException)
        {
            return run.Fail(Failure.NoNumber, at, "The right side is zero.");
        }
        catch (OverflowException)
        {
            return run.Fail(Failure.NoNumber, at, "The result has more than 28 digits.");
        }
    }

    static bool Compares(string sign, int order) => sign switch
    {
        "<" => order < 0,
        ">" => order > 0,
        "<=" => order <= 0,
        _ => order >= 0,
    };

    static Value Power(Evaluation run, Binary at, decimal left, decimal right)
    {
        if (right != decimal.Truncate(right) || Math.Abs(right) > MaxPower)
            return run.Fail(Failure.NoNumber, at, $"A power is a whole number of at most {MaxPower}.");
        if (!run.Spend((long)Math.Abs(right), at))
            return Value.Null;
        var product = 1m;
        for (var i = 0; i < Math.Abs(right); i++)
            product *= left;
        return Value.Of(right < 0 ? 1 / product : product);
    }

    static Value Range(Evaluation run, Binary at, decimal from, decimal to)
    {
        if (from != decimal.Truncate(from) || to != decimal.Truncate(to) || to - from >= MaxRange)
            return run.Fail(Failure.NoNumber, at, $"A range has whole ends, and at most {MaxRange} elements.");
        var count = to < from ? 0 : (int)(to - from) + 1;
        return run.Spend(count, at) ? Value.Of([.. Enumerable.Range(0, count).Select(i => Value.Of(from + i))]) : Value.Null;
    }

    static Value In(Evaluation run, Binary at, Value left, Value right)
    {
        if (run.Expect(right, Kinds.Array | Kinds.Map | Kinds.Null, at.Right, "in") is null)
            return Value.Null;
        if (right.Kind == Kinds.Map)
            return Value.Of(left.Kind == Kinds.Text && run.SpendText(left.StoredLength, at) && right.HasMember(left.Text));
        if (right.Kind == Kinds.Array)
            foreach (var item in right.Items)
                if (Equal(run, at, left, item))
                    return Value.Of(true);
        return Value.Of(false);
    }

    /// <summary>False when the evaluation fails on the way.</summary>
    public static bool Equal(Evaluation run, Node at, Value left, Value right, int depth = 0)
    {
        if (left.Kind != right.Kind || !run.Spend(1, at) || !run.IsShallow(depth, at))
            return false;
        switch (left.Kind)
        {
            case Kinds.Null:
                return true;
            case Kinds.Truth or Kinds.Number:
                return left.Number == right.Number;
            case Kinds.Text:
                return run.SpendText((long)left.StoredLength + right.StoredLength, at) && left.Text == right.Text;
            case Kinds.Array:
                var (items, others) = (left.Items, right.Items);
                if (items.Length != others.Length)
                    return false;
                for (var i = 0; i < items.Length; i++)
                    if (!Equal(run, at, items[i], others[i], depth + 1))
                        return false;
                return true;
            default:
                return left.MemberCount == right.MemberCount && left.Members.All(member =>
                    run.SpendText(member.Key.Length, at) && right.HasMember(member.Key)
                    && Equal(run, at, member.Value, right.Member(member.Key), depth + 1));
        }
    }
}
