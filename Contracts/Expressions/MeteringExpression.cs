using System.Diagnostics.CodeAnalysis;

namespace LlmGateway.Contracts.Expressions;

/// <summary>
/// A metering expression that has passed the check: it says how many units a response is worth. It is made once, when its route is read,
/// and used for every response, by any number of threads.
/// </summary>
public sealed class MeteringExpression
{
    /// <summary>Longest source, in UTF-16 units.</summary>
    public const int MaxLength = 4096;

    /// <summary>Most parts, and how deep they may be nested.</summary>
    public const int MaxNodes = 500, MaxDepth = 64;

    /// <summary>How deep predicates may be nested. Each level multiplies the steps by the number of elements.</summary>
    public const int MaxPredicates = 3;

    /// <summary>Parts that are evaluated, elements that are seen and values that are made; a step takes at most some 100 bytes.</summary>
    public const int MaxSteps = 500_000;

    /// <summary>UTF-16 units of all texts that one evaluation makes.</summary>
    public const int MaxText = 16 * 1024 * 1024;

    /// <summary>How deep a value may be nested that is compared or written: what JSON and a source can be together.</summary>
    public const int MaxValueDepth = 64 + MaxDepth;

    readonly Node _readings;

    MeteringExpression(string source, Node tree)
    {
        (Source, Tree) = (source, tree);
        (_readings, Needs) = Readings.Find(tree);
    }

    public string Source { get; }

    public Node Tree { get; }

    /// <summary>What must be kept of the response.</summary>
    public Needs Needs { get; }

    /// <summary>Reads and checks a source. Takes any text, and never throws.</summary>
    public static bool TryParse(
        string source,
        [NotNullWhen(true)] out MeteringExpression? expression,
        [NotNullWhen(false)] out ExpressionError? error)
    {
        expression = null;
        if (source.Length > MaxLength)
        {
            error = ExpressionError.At(source, MaxLength, $"The expression is longer than {MaxLength} characters.");
            return false;
        }
        (var tree, error) = Parser.Parse(source);
        error ??= Check.Of(source, tree!);
        if (error is not null)
            return false;
        expression = new(source, tree!);
        return true;
    }

    /// <summary>Says how many units the response is worth, in bounded time and memory. Never throws.</summary>
    /// <param name="facts">Their response is what a collector has kept for <see cref="Needs"/>.</param>
    public Measurement Measure(Facts facts)
    {
        var run = new Evaluation(facts);
        var value = run.Of(_readings);
        if (run.Failure is null && !value.TryGetNumber(out _))
            run.Fail(Failure.WrongKind, Tree, $"The result is {Value.NameOf(value.Kind)}; a number is needed.");
        value.TryGetNumber(out var number);
        if (run.Failure is null && number > Measurement.MaxUnits)
            run.Fail(Failure.NoNumber, Tree, $"The result is more than {Measurement.MaxUnits}.");
        return run.Failure is { } failure ? new(null, failure) : new(Math.Max(0, number), null);
    }
}
