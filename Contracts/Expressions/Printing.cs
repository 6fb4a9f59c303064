using System.Globalization;
using System.Text;

namespace LlmGateway.Contracts.Expressions;

/// <summary>Writes an expression's source. Reading it gives the same expression again.</summary>
static class Printing
{
    public static string Print(Node node)
    {
        var to = new StringBuilder();
        Print(to, node);
        return to.ToString();
    }

    static void Print(StringBuilder to, Node node)
    {
        switch (node)
        {
            case Literal literal:
                Print(to, literal.Value);
                break;
            case Name name:
                to.Append(name.Text);
                break;
            case Element element:
                to.Append(element.Text);
                break;
            case Unary unary:
                to.Append(unary.Sign);
                PrintOperand(to, unary.Operand);
                break;
            case Binary binary:
                PrintOperand(to, binary.Left);
                to.Append(CultureInfo.InvariantCulture, $" {binary.Sign} ");
                PrintOperand(to, binary.Right);
                break;
            case Choice choice:
                PrintOperand(to, choice.Condition);
                to.Append(" ? ");
                PrintOperand(to, choice.Then);
                to.Append(" : ");
                PrintOperand(to, choice.Else);
                break;
            case Chain chain:
                Print(to, chain.Of);
                break;
            case Member member:
                PrintMember(to, member);
                break;
            case Slice slice:
                PrintOwner(to, slice.Of);
                PrintBetween(to, "[", [slice.From, slice.To], ":", "]");
                break;
            case ArrayOf array:
                PrintBetween(to, "[", array.Items, ", ", "]");
                break;
            case MapOf map:
                PrintMap(to, map.Pairs);
                break;
            case Call call:
                PrintBetween(to, call.Function + "(", call.Arguments, ", ", ")");
                break;
            case Predicate predicate:
                PrintBetween(to, "{", [predicate.Body], "", "}");
                break;
            case Let let:
                to.Append(CultureInfo.InvariantCulture, $"let {let.Variable} = ");
                PrintOperand(to, let.Content);
                to.Append("; ");
                Print(to, let.Body);
                break;
            case Kept kept:
                Print(to, kept.Source);
                break;
            case Matching matching:
                PrintOperand(to, matching.Source);
                break;
            case LineCount count:
                Print(to, count.Source);
                break;
        }
    }

    static void PrintOperand(StringBuilder to, Node node)
    {
        if (node is Unary or Binary or Choice or Let)
            PrintBetween(to, "(", [node], "", ")");
        else
            Print(to, node);
    }

    /// <summary>What members, elements or a slice are taken of. Numbers and words have none of their own.</summary>
    static void PrintOwner(StringBuilder to, Node node)
    {
        var isBare = node is not Chain && node is not Literal { Value.Kind: not Kinds.Text };
        if (isBare)
            PrintOperand(to, node);
        else
            PrintBetween(to, "(", [node], "", ")");
    }

    static void PrintMember(StringBuilder to, Member member)
    {
        PrintOwner(to, member.Of);
        if (member.Key is Literal { Value.Kind: Kinds.Text } key && Lexer.IsName(key.Value.Text))
            to.Append(member.IsOptional ? "?." : ".").Append(key.Value.Text);
        else
            PrintBetween(to, member.IsOptional ? "?.[" : "[", [member.Key], "", "]");
    }

    static void PrintMap(StringBuilder to, IReadOnlyList<Node> pairs)
    {
        to.Append('{');
        for (var i = 0; i < pairs.Count; i += 2)
        {
            to.Append(i == 0 ? "" : ", ");
            if (pairs[i] is Literal { Value.Kind: Kinds.Text } key)
                Print(to, key.Value);
            else
                PrintBetween(to, "(", [pairs[i]], "", ")");
            to.Append(": ");
            PrintOperand(to, pairs[i + 1]);
        }
        to.Append('}');
    }

    static void PrintBetween(StringBuilder to, string open, IReadOnlyList<Node?> nodes, string separator, string close)
    {
        to.Append(open);
        for (var i = 0; i < nodes.Count; i++)
        {
            to.Append(i == 0 ? "" : separator);
            if (nodes[i] is { } node)
                Print(to, node);
        }
        to.Append(close);
    }

    static void Print(StringBuilder to, Value value)
    {
        switch (value.Kind)
        {
            case Kinds.Number:
                to.Append(Value.TextOf(value.Number));
                break;
            case Kinds.Truth:
                to.Append(value.Truth ? "true" : "false");
                break;
            case Kinds.Text:
                PrintText(to, value.Text);
                break;
            default:
                to.Append("nil");
                break;
        }
    }

    static void PrintText(StringBuilder to, string text)
    {
        to.Append('"');
        foreach (var character in text)
        {
            if (character is '"' or '\\')
                to.Append('\\').Append(character);
            else if (char.IsControl(character) || char.IsSurrogate(character))
                to.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}");
            else
                to.Append(character);
        }
        to.Append('"');
    }
}
