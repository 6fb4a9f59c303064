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
    readonly HashSet<string> _words = new(StringComparer.Ordinal);

    MeteringExpression(string source, Node tree)
    {
        (Source, Tree) = (source, tree);
        (_readings, Needs) = Readings.Find(tree);
        Collect(tree);
        ReadsAnswer = Needs.Content || Reads(Variables.Usage);
        if (_words.Count == 0)
            Constant = Measure(new()).Units;
    }

    /// <summary>The variables and functions of the tree.</summary>
    void Collect(Node node)
    {
        if (node is Name or Call)
            _words.Add(node is Name name ? name.Text : ((Call)node).Function);
        foreach (var part in node.Parts)
            Collect(part);
    }

    public string Source { get; }

    public Node Tree { get; }

    /// <summary>What must be kept of the response.</summary>
    public Needs Needs { get; }

    /// <summary>It depends on what the response says, and not only on how many bytes, lines and events it has.</summary>
    public bool ReadsAnswer { get; }

    /// <summary>It depends on the request's body.</summary>
    public bool ReadsRequestBody => Reads("body") || Reads("rawBody") || Reads("requestBytes");

    /// <summary>What it says of every response. Null where that depends on something, or where it fails.</summary>
    public long? Constant { get; }

    /// <summary>It has this variable or function.</summary>
    public bool Reads(string word) => _words.Contains(word);

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
