namespace LlmGateway.Contracts.Expressions;

/// <summary>
/// Finds what can never be evaluated: unknown names, kinds that do not fit, patterns that are none, predicates that are nested too deep. It
/// runs when an expression is saved, and says the first thing that it finds.
/// </summary>
sealed class Check
{
    readonly string _source;
    readonly List<(string Name, Kinds Kinds)> _variables = [];
    readonly Stack<string> _predicates = [];
    ExpressionError? _error;

    Check(string source) => _source = source;

    public static ExpressionError? Of(string source, Node tree)
    {
        var check = new Check(source);
        check.Expect(tree, Kinds.Number | Kinds.Text, "A metering expression");
        return check._error;
    }

    void Fail(Node at, string message, string? hint = null) => _error ??= ExpressionError.At(_source, at.At, message, hint);

    /// <summary>Fails when the node can have none of the kinds.</summary>
    Kinds Expect(Node node, Kinds kinds, string of)
    {
        var found = Of(node);
        if ((found & kinds) == 0 && found != Kinds.None)
            Fail(node, $"{of} takes {Value.NameOf(kinds)}; this is {Value.NameOf(found)}.");
        return found;
    }

    /// <summary>The kinds that a node may have; none when it is wrong.</summary>
    Kinds Of(Node node)
    {
        switch (node)
        {
            case Literal literal:
                return literal.Value.Kind;
            case Name name:
                return OfName(name);
            case Element element:
                if (element.Text == "#acc" && !_predicates.Contains("reduce"))
                    Fail(element, "'#acc' is what 'reduce' has so far; there is none here.");
                return element.Text == "#index" ? Kinds.Number : Kinds.Any;
            case Unary unary:
                var takes = unary.Sign == "!" ? Kinds.Truth : Kinds.Number;
                Expect(unary.Operand, takes, $"'{unary.Sign}'");
                return takes;
            case Binary binary:
                return OfBinary(binary);
            case Choice choice:
                Expect(choice.Condition, Kinds.Truth, "The condition of '?'");
                return Of(choice.Then) | Of(choice.Else);
            case Chain chain:
                return Of(chain.Of) | Kinds.Null;
            case Member member:
                return OfMember(member);
            case Slice slice:
                foreach (var end in (ReadOnlySpan<Node?>)[slice.From, slice.To])
                    if (end is not null)
                        Expect(end, Kinds.Number, "An end of a slice");
                return Expect(slice.Of, Kinds.Array | Kinds.Text, "A slice") & (Kinds.Array | Kinds.Text);
            case Let let:
                return OfLet(let);
            case Call call:
                return OfCall(call);
            case Predicate predicate:
                return Of(predicate.Body);
            default:
                foreach (var part in node.Parts)
                    Of(part);
                return node is ArrayOf ? Kinds.Array : Kinds.Map;
        }
    }

    Kinds OfName(Name name)
    {
        foreach (var (known, kinds) in _variables)
            if (known == name.Text)
                return kinds;
        if (Variables.ByName.TryGetValue(name.Text, out var variable))
            return variable.Kinds;
        var names = Variables.ByName.Keys.Concat(_variables.Select(known => known.Name));
        Fail(name, $"There is no variable '{name.Text}'.", Functions.ByName.ContainsKey(name.Text)
            ? $"The function is called as {name.Text}(…)."
            : ExpressionError.Nearest(name.Text, names));
        return Kinds.None;
    }

    Kinds OfLet(Let let)
    {
        if (Variables.ByName.ContainsKey(let.Variable) || _variables.Exists(known => known.Name == let.Variable))
            Fail(let, $"'{let.Variable}' has a meaning already.", "Choose another name.");
        _variables.Add((let.Variable, Of(let.Content)));
        var kinds = Of(let.Body);
        _variables.RemoveAt(_variables.Count - 1);
        return kinds;
    }

    Kinds OfMember(Member member)
    {
        var of = Expect(member.Of, Kinds.Map | Kinds.Array | (member.IsOptional ? Kinds.Null : Kinds.None), "A member");
        var key = Expect(member.Key, Kinds.Text | Kinds.Number, "A place in brackets");
        var fits = ((of & Kinds.Map) != 0 && (key & Kinds.Text) != 0) || ((of & Kinds.Array) != 0 && (key & Kinds.Number) != 0);
        if (!fits && of != Kinds.None && key != Kinds.None && of != Kinds.Null)
            Fail(member.Key, "Members of maps have names, and elements of arrays have places.");
        if (member.Of is Name { Text: Variables.Usage } && member.Key is Literal { Value: { Kind: Kinds.Text } name }
            && !Variables.UsageMembers.Any(known => known.Name == name.Text))
            Fail(member.Key, $"'usage' has no member '{name.Text}'.",
                ExpressionError.Nearest(name.Text, Variables.UsageMembers.Select(known => known.Name)));
        return Kinds.Any;
    }

    Kinds OfBinary(Binary binary)
    {
        const Kinds both = Kinds.Number | Kinds.Text;
        var sign = $"'{binary.Sign}'";
        switch (binary.Sign)
        {
            case "??":
                var first = Of(binary.Left);
                return (first & ~Kinds.Null) | Of(binary.Right);
            case "==" or "!=":
                Of(binary.Left);
                Of(binary.Right);
                return Kinds.Truth;
            case "in":
                Of(binary.Left);
                Expect(binary.Right, Kinds.Array | Kinds.Map, sign);
                return Kinds.Truth;
            case "&&" or "||":
                Expect(binary.Left, Kinds.Truth, sign);
                Expect(binary.Right, Kinds.Truth, sign);
                return Kinds.Truth;
            case "contains" or "startsWith" or "endsWith" or "matches":
                Expect(binary.Left, Kinds.Text, sign);
                Expect(binary.Right, Kinds.Text, sign);
                if (binary.Sign == "matches")
                    CheckPattern(binary.Right);
                return Kinds.Truth;
            case "+" or "<" or ">" or "<=" or ">=":
                var left = Expect(binary.Left, both, sign) & both;
                var right = Expect(binary.Right, left == Kinds.None ? both : left, sign) & both;
                return binary.Sign == "+" ? left & right : Kinds.Truth;
            default:
                Expect(binary.Left, Kinds.Number, sign);
                Expect(binary.Right, Kinds.Number, sign);
                return binary.Sign == ".." ? Kinds.Array : Kinds.Number;
        }
    }

    void CheckPattern(Node pattern)
    {
        if (pattern is not Literal { Value: { Kind: Kinds.Text } text })
            Fail(pattern, "The pattern of 'matches' must be written as a text.");
        else if (Patterns.Read(text.Text) is null)
            Fail(pattern, $"This is no pattern of at most {Patterns.MaxLength} characters without references and looking around, whose"
                + $" numbers in braces multiply to at most {Patterns.MaxRepeats}.");
    }

    Kinds OfCall(Call call)
    {
        if (!Functions.ByName.TryGetValue(call.Function, out var function))
        {
            Fail(call, $"There is no function '{call.Function}'.", Functions.Missing.GetValueOrDefault(call.Function)
                ?? ExpressionError.Nearest(call.Function, Functions.ByName.Keys));
            return Kinds.None;
        }
        if (call.Arguments.Count < function.Least || call.Arguments.Count > function.Most)
        {
            var most = function.Most == function.Least ? "" : $" to {function.Most}";
            Fail(call, $"'{call.Function}' takes {function.Least}{most} arguments; there are {call.Arguments.Count}.");
            return Kinds.None;
        }
        for (var i = 0; i < call.Arguments.Count; i++)
            CheckArgument(call, function, i);
        return function.Gives;
    }

    void CheckArgument(Call call, Function function, int place)
    {
        var argument = call.Arguments[place];
        if (argument is Predicate)
        {
            _predicates.Push(call.Function);
            if (_predicates.Count > MeteringExpression.MaxPredicates)
                Fail(argument, $"Predicates are nested more than {MeteringExpression.MaxPredicates} times.");
        }
        var isMember = argument is not Predicate && place == 1 && function.Predicate == PredicateUse.May;
        Expect(argument, isMember ? Kinds.Text : function.TakesAt(place), $"'{call.Function}'");
        if (argument is Predicate)
            _predicates.Pop();
        else if (isMember && call.Function == "count")
            Fail(argument, "'count' takes a predicate here.", "Say something of the element: count(rows, .done).");
    }
}
