using System.Text.RegularExpressions;

namespace LlmGateway.Contracts.Expressions;

/// <summary>A part of an expression.</summary>
/// <param name="At">The number of characters before it in the source.</param>
public abstract record Node(int At)
{
    /// <summary>The same node over what <paramref name="each"/> makes of its parts, in the order of the source.</summary>
    public virtual Node Over(Func<Node, Node> each) => this;

    public IReadOnlyList<Node> Parts
    {
        get
        {
            var parts = new List<Node>();
            Over(part =>
            {
                parts.Add(part);
                return part;
            });
            return parts;
        }
    }

    /// <summary>The source of an equal node.</summary>
    public sealed override string ToString() => Printing.Print(this);
}

/// <summary>A number, a text, a boolean or null.</summary>
public sealed record Literal(int At, Value Value) : Node(At);

/// <summary>A variable: one of <see cref="Variables"/>, or one of a <see cref="Let"/>.</summary>
public sealed record Name(int At, string Text) : Node(At);

/// <summary>What a predicate sees.</summary>
/// <param name="Text"><c>#</c> is the element, <c>#index</c> its place, <c>#acc</c> what <c>reduce</c> has so far.</param>
public sealed record Element(int At, string Text) : Node(At);

/// <param name="Sign"><c>!</c>, <c>-</c> or <c>+</c>; <c>not</c> is <c>!</c>.</param>
public sealed record Unary(int At, string Sign, Node Operand) : Node(At)
{
    public override Node Over(Func<Node, Node> each) => this with { Operand = each(Operand) };
}

/// <param name="Sign">One of <see cref="Parser.Precedences"/>, of two words for one operator the sign.</param>
public sealed record Binary(int At, string Sign, Node Left, Node Right) : Node(At)
{
    public override Node Over(Func<Node, Node> each) => this with { Left = each(Left), Right = each(Right) };
}

/// <summary><c>a ? b : c</c></summary>
public sealed record Choice(int At, Node Condition, Node Then, Node Else) : Node(At)
{
    public override Node Over(Func<Node, Node> each) =>
        this with { Condition = each(Condition), Then = each(Then), Else = each(Else) };
}

/// <summary><c>a.b</c>, which is <c>a["b"]</c>, or <c>a[1]</c>.</summary>
/// <param name="IsOptional"><c>a?.b</c>: null has it, and ends the <see cref="Chain"/> around it.</param>
public sealed record Member(int At, Node Of, Node Key, bool IsOptional) : Node(At)
{
    public override Node Over(Func<Node, Node> each) => this with { Of = each(Of), Key = each(Key) };
}

/// <summary>Members of members, at least one of which is optional.</summary>
public sealed record Chain(int At, Node Of) : Node(At)
{
    public override Node Over(Func<Node, Node> each) => this with { Of = each(Of) };
}

/// <summary><c>a[1:2]</c></summary>
public sealed record Slice(int At, Node Of, Node? From, Node? To) : Node(At)
{
    public override Node Over(Func<Node, Node> each) =>
        this with { Of = each(Of), From = From is null ? null : each(From), To = To is null ? null : each(To) };
}

public sealed record ArrayOf(int At, IReadOnlyList<Node> Items) : Node(At)
{
    public override Node Over(Func<Node, Node> each) => this with { Items = [.. Items.Select(each)] };
}

/// <param name="Pairs">Keys and values in turn.</param>
public sealed record MapOf(int At, IReadOnlyList<Node> Pairs) : Node(At)
{
    public override Node Over(Func<Node, Node> each) => this with { Pairs = [.. Pairs.Select(each)] };
}

public sealed record Call(int At, string Function, IReadOnlyList<Node> Arguments) : Node(At)
{
    public override Node Over(Func<Node, Node> each) => this with { Arguments = [.. Arguments.Select(each)] };
}

/// <summary>An argument that is evaluated for each element.</summary>
public sealed record Predicate(int At, Node Body) : Node(At)
{
    public override Node Over(Func<Node, Node> each) => this with { Body = each(Body) };
}

/// <summary><c>let a = b; c</c></summary>
public sealed record Let(int At, string Variable, Node Content, Node Body) : Node(At)
{
    public override Node Over(Func<Node, Node> each) => this with { Content = each(Content), Body = each(Body) };
}

/// <summary>A <c>matches</c>, whose pattern is read once.</summary>
/// <param name="Source">What it stands for.</param>
public sealed record Matching(int At, Node Text, Regex Pattern, Node Source) : Node(At);

/// <summary>The number of a text's lines, which need not be made for that. <see cref="Readings"/> puts it in the place of the functions.
/// </summary>
/// <param name="IsFilled">Only of those that are not empty.</param>
/// <param name="Source">What it stands for.</param>
public sealed record LineCount(int At, bool IsFilled, Node Text, Node Source) : Node(At);

/// <summary>
/// Something of the response that <see cref="ResponseCollector"/> keeps. <see cref="Readings"/> puts it in the place of what says so in
/// the source; no source has it.
/// </summary>
/// <param name="Number">Of <see cref="Reading.Event"/>: its place, negative from the end.</param>
/// <param name="Source">What it stands for.</param>
public sealed record Kept(int At, Reading What, int Number, Node Source) : Node(At);
