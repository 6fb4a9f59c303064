namespace LlmGateway.Contracts.Expressions;

/// <summary>
/// Reads a source into an expression, by precedence. Takes any source. After the first error it sees nothing but the end, so that every
/// loop ends.
/// </summary>
public sealed class Parser
{
    /// <summary>Binary operators. A higher one binds more tightly; <c>**</c> binds to the right, the others to the left.</summary>
    internal static readonly Dictionary<string, int> Precedences = new()
    {
        ["||"] = 10, ["&&"] = 15,
        ["=="] = 20, ["!="] = 20, ["<"] = 20, [">"] = 20, ["<="] = 20, [">="] = 20,
        ["in"] = 20, ["contains"] = 20, ["startsWith"] = 20, ["endsWith"] = 20, ["matches"] = 20,
        [".."] = 25, ["+"] = 30, ["-"] = 30, ["*"] = 60, ["/"] = 60, ["%"] = 60, ["**"] = 100, ["??"] = 500,
    };

    const int Not = 50, Minus = 90;

    static readonly Dictionary<string, string> Words = new() { ["or"] = "||", ["and"] = "&&", ["not"] = "!", ["^"] = "**" };

    static readonly string[] Comparisons = ["==", "!=", "<", ">", "<=", ">="];
    static readonly string[] Negatable = ["in", "contains", "startsWith", "endsWith", "matches"];

    readonly string _source;
    readonly List<Lexeme> _lexemes;
    int _next, _depth, _predicates, _nodes;
    bool _elementSeen;
    ExpressionError? _error;

    Parser(string source)
    {
        _source = source;
        (_lexemes, _error) = Lexer.Read(source);
        if (_error is not null)
            _next = _lexemes.Count - 1;
    }

    /// <returns>The expression, which nothing has checked yet, or why there is none.</returns>
    public static (Node? Tree, ExpressionError? Error) Parse(string source)
    {
        var parser = new Parser(source);
        var tree = parser.ParseExpression(0);
        if (parser.Next.Kind != LexemeKind.End)
            parser.Fail(parser.Next, $"{Describe(parser.Next)} does not continue the expression.", "An operator or the end is expected.");
        return parser._error is null ? (tree, null) : (null, parser._error);
    }

    Lexeme Next => _lexemes[_next];

    /// <summary>The operator at hand, by its sign; empty when there is none.</summary>
    string Sign => Next.Kind switch
    {
        LexemeKind.Sign or LexemeKind.Word => Words.GetValueOrDefault(Next.Text, Next.Text),
        _ => "",
    };

    bool IsAt(string sign) => Next.Kind == LexemeKind.Sign && Next.Text == sign;

    bool Take(string sign)
    {
        var isIt = IsAt(sign);
        _next += isIt ? 1 : 0;
        return isIt;
    }

    void Expect(string sign, string where)
    {
        if (!Take(sign))
            Fail(Next, $"'{sign}' is expected {where}, not {Describe(Next)}.");
    }

    Literal Fail(Lexeme at, string message, string? hint = null)
    {
        _error ??= ExpressionError.At(_source, at.At, message, hint);
        _next = _lexemes.Count - 1;
        return new(at.At, Value.Null);
    }

    T Made<T>(T node) where T : Node
    {
        if (++_nodes > MeteringExpression.MaxNodes)
            Fail(Next, $"The expression has more than {MeteringExpression.MaxNodes} parts.");
        return node;
    }

    static string Describe(Lexeme lexeme) => lexeme.Kind switch
    {
        LexemeKind.End => "the end",
        LexemeKind.Text => "a text",
        _ => $"'{lexeme.Text}'",
    };

    Node ParseExpression(int precedence)
    {
        if (_depth >= MeteringExpression.MaxDepth)
            return Fail(Next, $"The expression is nested more than {MeteringExpression.MaxDepth} times.");
        _depth++;
        var node = precedence == 0 && Next is { Kind: LexemeKind.Word, Text: "let" } ? ParseLet() : ParseOperators(precedence);
        _depth--;
        return node;
    }

    Let ParseLet()
    {
        _next++;
        var name = Next;
        if (name.Kind != LexemeKind.Word)
            Fail(name, $"A name is expected after 'let', not {Describe(name)}.");
        else
            _next++;
        Expect("=", "after the name");
        var content = ParseExpression(0);
        Expect(";", "after what 'let' keeps");
        return Made(new Let(name.At, name.Text, content, ParseExpression(0)));
    }

    Node ParseOperators(int precedence)
    {
        var left = ParsePrimary();
        var wasCoalesce = false;
        while (true)
        {
            var (at, sign) = (Next, Sign);
            var isNegated = at is { Kind: LexemeKind.Word, Text: "not" }
                && _lexemes[_next + 1] is { Kind: LexemeKind.Word } after && Negatable.Contains(after.Text);
            if (isNegated)
                sign = _lexemes[_next + 1].Text;
            if (sign == "|" && precedence == 0)
            {
                _next++;
                left = ParsePiped(left);
                wasCoalesce = false;
                continue;
            }
            if (!Precedences.TryGetValue(sign, out var found) || found < precedence)
                break;
            if (wasCoalesce && sign != "??")
                return Fail(at, $"'??' and '{sign}' stand beside each other.", "Put parentheses around 'a ?? b', or around the rest.");
            wasCoalesce = sign == "??";
            _next += isNegated ? 2 : 1;
            left = Comparisons.Contains(sign)
                ? ParseComparisons(left, at.At, sign)
                : Made(new Binary(at.At, sign, left, ParseExpression(sign == "**" ? found : found + 1)));
            if (isNegated)
                left = Made(new Unary(at.At, "!", left));
        }
        return precedence == 0 ? ParseChoice(left) : left;
    }

    /// <summary><c>1 &lt; a &lt; 5</c> is <c>1 &lt; a &amp;&amp; a &lt; 5</c>.</summary>
    Binary ParseComparisons(Node left, int at, string sign)
    {
        Binary? all = null;
        while (true)
        {
            var right = ParseExpression(Precedences[sign] + 1);
            var one = Made(new Binary(at, sign, left, right));
            all = all is null ? one : Made(new Binary(at, "&&", all, one));
            if (!Comparisons.Contains(Sign))
                return all;
            (left, at, sign) = (right, Next.At, Sign);
            _next++;
        }
    }

    Node ParseChoice(Node node)
    {
        while (IsAt("?"))
        {
            var at = _lexemes[_next++].At;
            var then = IsAt(":") ? node : ParseExpression(0);
            Expect(":", "between the two results of '?'");
            node = Made(new Choice(at, node, then, ParseExpression(0)));
        }
        return node;
    }

    Node ParsePiped(Node left)
    {
        var function = Next;
        if (function.Kind != LexemeKind.Word)
            return Fail(function, $"A function is expected after '|', not {Describe(function)}.", "Either of two is said by ||.");
        _next++;
        return ParseMembers(ParseCall(function, [left]));
    }

    Node ParsePrimary()
    {
        var at = Next;
        if (Sign is "!" or "-" or "+")
        {
            var sign = Sign;
            _next++;
            return Made(new Unary(at.At, sign, ParseExpression(sign == "!" ? Not : Minus)));
        }
        switch (at.Kind)
        {
            case LexemeKind.Number:
                _next++;
                return Made(new Literal(at.At, Value.Of(at.Number)));
            case LexemeKind.Text:
                _next++;
                return ParseMembers(Made(new Literal(at.At, Value.Of(at.Text))));
            case LexemeKind.Word:
                return ParseWord();
            case LexemeKind.End:
                return Fail(at, "The expression ends where a value is expected.");
        }
        if (Take("("))
        {
            var inner = ParseExpression(0);
            Expect(")", "to close '('");
            return ParseMembers(inner);
        }
        if (Take("["))
            return ParseMembers(Made(new ArrayOf(at.At, ParseList("]"))));
        if (Take("{"))
            return ParseMembers(ParseMap(at.At));
        if (at.Text is "#" or ".")
            return ParseElement();
        return Fail(at, $"{Describe(at)} is no value.", "A number, a text, a variable or a function is expected.");
    }

    Node ParseWord()
    {
        var word = _lexemes[_next++];
        Value? constant = word.Text switch
        {
            "true" => Value.Of(true),
            "false" => Value.Of(false),
            "nil" or "null" => Value.Null,
            _ => null,
        };
        if (constant is { } value)
            return Made(new Literal(word.At, value));
        if (Precedences.ContainsKey(word.Text) || word.Text is "let" or "and" or "or")
            return Fail(word, $"'{word.Text}' stands where a value is expected.");
        return ParseMembers(IsAt("(") ? ParseCall(word, []) : Made(new Name(word.At, word.Text)));
    }

    Node ParseElement()
    {
        var at = Next;
        if (_predicates == 0)
            return Fail(at, $"'{at.Text}' stands for an element; there is none here.", "Use it inside of filter, map, sum and the like.");
        _elementSeen = true;
        var name = "#";
        if (Take("#") && Next is { Kind: LexemeKind.Word, Text: "acc" or "index" } && Next.At == at.At + 1)
            name += _lexemes[_next++].Text;
        return ParseMembers(Made(new Element(at.At, name)));
    }

    Call ParseCall(Lexeme function, List<Node> arguments)
    {
        Expect("(", $"after '{function.Text}'");
        var given = arguments.Count;
        while (!IsAt(")") && Next.Kind != LexemeKind.End)
        {
            if (arguments.Count > given)
            {
                Expect(",", $"between arguments of '{function.Text}'");
                if (IsAt(")"))
                    break;
            }
            var use = arguments.Count == 1 ? Functions.PredicateOf(function.Text) : PredicateUse.Never;
            arguments.Add(use == PredicateUse.Never ? ParseExpression(0) : ParsePredicate(use));
        }
        Expect(")", $"to close '{function.Text}('");
        return Made(new Call(function.At, function.Text, arguments));
    }

    /// <summary>An argument that may be a predicate is one when it has braces or says something of the element.</summary>
    Node ParsePredicate(PredicateUse use)
    {
        var (at, seenOutside) = (Next.At, _elementSeen);
        _elementSeen = false;
        _predicates++;
        var hasBraces = Take("{");
        var body = ParseExpression(0);
        if (hasBraces)
            Expect("}", "to close the predicate");
        _predicates--;
        var isPredicate = use == PredicateUse.Always || hasBraces || _elementSeen;
        _elementSeen = seenOutside;
        return isPredicate ? Made(new Predicate(at, body)) : body;
    }

    List<Node> ParseList(string close)
    {
        var items = new List<Node>();
        while (!IsAt(close) && Next.Kind != LexemeKind.End)
        {
            if (items.Count > 0)
            {
                Expect(",", "between elements");
                if (IsAt(close))
                    break;
            }
            items.Add(ParseExpression(0));
        }
        Expect(close, "after the elements");
        return items;
    }

    MapOf ParseMap(int at)
    {
        var pairs = new List<Node>();
        while (!IsAt("}") && Next.Kind != LexemeKind.End)
        {
            if (pairs.Count > 0)
            {
                Expect(",", "between members");
                if (IsAt("}"))
                    break;
            }
            pairs.Add(ParseKey());
            Expect(":", "after a member's name");
            pairs.Add(ParseExpression(0));
        }
        Expect("}", "after the members");
        return Made(new MapOf(at, pairs));
    }

    Node ParseKey()
    {
        var key = Next;
        if (key.Kind is LexemeKind.Number or LexemeKind.Text or LexemeKind.Word)
        {
            _next++;
            return Made(new Literal(key.At, Value.Of(key.Text)));
        }
        if (!Take("("))
            return Fail(key, $"A member's name is expected, not {Describe(key)}.", "An expression as a name stands in parentheses.");
        var made = ParseExpression(0);
        Expect(")", "to close '('");
        return made;
    }

    /// <summary>What follows a value: <c>.name</c>, <c>?.name</c>, <c>[key]</c>, <c>?.[key]</c>, <c>[from:to]</c>.</summary>
    Node ParseMembers(Node node)
    {
        var hasOptional = false;
        while (IsAt(".") || IsAt("?.") || IsAt("["))
        {
            var at = Next.At;
            var isOptional = Take("?.");
            hasOptional |= isOptional;
            if (Take("["))
                node = ParseBrackets(node, at, isOptional);
            else
            {
                if (!isOptional)
                    Take(".");
                node = ParseName(node, at, isOptional);
            }
        }
        return hasOptional ? Made(new Chain(node.At, node)) : node;
    }

    Node ParseName(Node of, int at, bool isOptional)
    {
        var name = Next;
        if (name.Kind != LexemeKind.Word)
            return Fail(name, $"A member's name is expected, not {Describe(name)}.", "Other names stand in brackets: a[\"b-c\"].");
        _next++;
        if (IsAt("("))
            return Fail(name, $"'{name.Text}' is called as a method; values have none.", $"Functions stand before: {name.Text}(value).");
        return Made(new Member(at, of, Made(new Literal(name.At, Value.Of(name.Text))), isOptional));
    }

    Node ParseBrackets(Node of, int at, bool isOptional)
    {
        var from = IsAt(":") ? null : ParseExpression(0);
        if (from is not null && Take("]"))
            return Made(new Member(at, of, from, isOptional));
        Expect(":", "or ']' after a place");
        var to = IsAt("]") ? null : ParseExpression(0);
        Expect("]", "to close '['");
        return Made(new Slice(at, of, from, to));
    }
}
