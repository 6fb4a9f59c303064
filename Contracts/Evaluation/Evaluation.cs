namespace LlmGateway.Contracts.Expressions;

/// <summary>
/// One evaluation. The first failure stays: what follows it is null, costs nothing more and changes nothing. Nothing is thrown.
/// </summary>
sealed class Evaluation(Facts facts)
{
    /// <summary>Bytes of text that cost one step to read.</summary>
    public const int BytesPerStep = 64;

    readonly List<(string Name, Value Value)> _variables = [];
    readonly Stack<(Value Item, int Index, Value Accumulator)> _elements = [];
    readonly Dictionary<(Reading What, int Number), Value> _readings = [];
    long _steps, _text;
    Value? _requestJson, _requestText, _usage;

    public Facts Facts => facts;

    public Failure? Failure { get; private set; }

    /// <summary>An optional member was null. All that is taken of it up to the end of its chain is null.</summary>
    public bool ChainEnds { get; private set; }

    /// <summary>The request's body; null when it is no JSON.</summary>
    public Value RequestJson => _requestJson ??= JsonOf(facts.RequestBody, new Name(0, "body"));

    /// <summary>The request's body as a text, which is decoded once.</summary>
    public Value RequestText => _requestText ??= Value.OfBytes(facts.RequestBody);

    /// <summary>The provider's counts; null when there are none.</summary>
    public Value Usage => _usage ??= Variables.OfUsage(facts.Usage);

    /// <summary>False when the bound is reached or the evaluation has failed.</summary>
    public bool Spend(long steps, Node at)
    {
        _steps += steps;
        if (_steps > MeteringExpression.MaxSteps)
            Fail(Failure.TooLong, at, $"The expression takes more than {MeteringExpression.MaxSteps} steps.");
        return Failure is null;
    }

    /// <inheritdoc cref="Spend"/>
    /// <param name="text">UTF-16 units or bytes of text that is about to be read: compared, hashed as a name, or decoded.</param>
    public bool SpendText(long text, Node at) => Spend(text / BytesPerStep, at);

    /// <summary>As <see cref="SpendText"/>, for a text of which each place may be compared with all of another one.</summary>
    /// <param name="part">The length of what is looked for.</param>
    public bool SpendSearch(long text, long part, Node at) =>
        Spend((text / BytesPerStep * (1 + (part / BytesPerStep))) + (part / BytesPerStep), at);

    /// <inheritdoc cref="Spend"/>
    /// <param name="text">UTF-16 units of text that is about to be made.</param>
    public bool Keep(long text, Node at)
    {
        _text += text;
        if (_text > MeteringExpression.MaxText)
            Fail(Failure.TooMuch, at, $"The expression makes more than {MeteringExpression.MaxText} characters of text.");
        return SpendText(text, at);
    }

    /// <summary>False when a value is nested too deep to be compared or written, or the evaluation has failed.</summary>
    public bool IsShallow(int depth, Node at)
    {
        if (depth > MeteringExpression.MaxValueDepth)
            Fail(Failure.TooMuch, at, $"The value is nested more than {MeteringExpression.MaxValueDepth} times.");
        return Failure is null;
    }

    /// <returns>Null.</returns>
    public Value Fail(string reason, Node at, string message)
    {
        Failure ??= new(reason, at.At, message);
        return Value.Null;
    }

    public Value Of(Node node)
    {
        if (!Spend(1, node))
            return Value.Null;
        switch (node)
        {
            case Literal literal:
                return literal.Value;
            case Kept kept:
                return OfResponse(kept);
            case Name name:
                return OfName(name.Text);
            case Element element:
                return OfElement(element.Text);
            case Member member:
                return OfMember(member);
            case Chain chain:
                var end = Of(chain.Of);
                ChainEnds = false;
                return end;
            case Call call:
                return Functions.ByName[call.Function].Run(this, call);
            case Matching matching:
                return Operators.Match(this, matching, Of(matching.Text));
            case LineCount count:
                return Texts.CountLines(this, count, Of(count.Text));
            case Binary binary:
                return OfBinary(binary);
            case Unary { Sign: "!", Operand: var denied }:
                return Expect(Of(denied), Kinds.Truth, denied, "!") is { } truth ? Value.Of(!truth.Truth) : Value.Null;
            case Unary unary:
                return Expect(Of(unary.Operand), Kinds.Number, unary.Operand, unary.Sign) is { } number
                    ? Value.Of(unary.Sign == "-" ? -number.Number : number.Number)
                    : Value.Null;
            case Choice choice:
                if (Expect(Of(choice.Condition), Kinds.Truth, choice.Condition, "?") is not { } condition)
                    return Value.Null;
                return Of(condition.Truth ? choice.Then : choice.Else);
            case Slice slice:
                return Lists.Slice(this, slice);
            case ArrayOf array:
                return Value.Of(OfAll(array.Items));
            case MapOf map:
                return OfMap(map);
            case Let let:
                _variables.Add((let.Variable, Of(let.Content)));
                var body = Of(let.Body);
                _variables.RemoveAt(_variables.Count - 1);
                return body;
            default:
                throw new InvalidOperationException($"{node.GetType().Name} is no part of a checked expression");
        }
    }

    public Value[] OfAll(IReadOnlyList<Node> nodes)
    {
        var values = new Value[nodes.Count];
        for (var i = 0; i < values.Length; i++)
            values[i] = Of(nodes[i]);
        return values;
    }

    /// <summary>Evaluates a predicate for one element.</summary>
    public Value OfElement(Predicate predicate, Value item, int index, Value accumulator = default)
    {
        _elements.Push((item, index, accumulator));
        var value = Of(predicate.Body);
        _elements.Pop();
        return value;
    }

    /// <summary>The value, if it has one of the kinds. Otherwise null, and the evaluation has failed.</summary>
    public Value? Expect(Value value, Kinds kinds, Node at, string of)
    {
        if (Failure is not null)
            return null;
        if ((value.Kind & kinds) != 0)
            return value;
        Fail(Failure.WrongKind, at, $"'{of}' takes {Value.NameOf(kinds)}; '{Shown(at)}' is {Value.NameOf(value.Kind)}.");
        return null;
    }

    /// <summary>The source of a node, shortened for a message.</summary>
    public static string Shown(Node node)
    {
        var text = node.ToString();
        return text.Length <= 80 ? text : $"{text.AsSpan(0, 77)}...";
    }

    Value OfName(string name)
    {
        for (var i = _variables.Count - 1; i >= 0; i--)
            if (_variables[i].Name == name)
                return _variables[i].Value;
        return Variables.ByName[name].Read(this);
    }

    Value OfElement(string name)
    {
        var (item, index, accumulator) = _elements.Peek();
        return name switch { "#index" => Value.Of((decimal)index), "#acc" => accumulator, _ => item };
    }

    Value OfMember(Member member)
    {
        var of = Of(member.Of);
        if (ChainEnds || Failure is not null)
            return Value.Null;
        if (of.IsNull && member.IsOptional)
        {
            ChainEnds = true;
            return Value.Null;
        }
        var key = Of(member.Key);
        if (of.Kind == Kinds.Map)
            return Expect(key, Kinds.Text, member.Key, "[]") is { } name && SpendText(name.StoredLength, member)
                ? of.Member(name.Text)
                : Value.Null;
        if (of.Kind == Kinds.Array)
            return Lists.At(this, of.Items, key, member);
        return Fail(Failure.WrongKind, member, $"'{Shown(member.Of)}' is {Value.NameOf(of.Kind)}, which has no members.");
    }

    Value OfBinary(Binary binary)
    {
        var left = Of(binary.Left);
        switch (binary.Sign)
        {
            case "??":
                return left.IsNull && Failure is null ? Of(binary.Right) : left;
            case "&&" or "||":
                if (Expect(left, Kinds.Truth, binary.Left, binary.Sign) is not { } first)
                    return Value.Null;
                return first.Truth == (binary.Sign == "||") ? first
                    : Expect(Of(binary.Right), Kinds.Truth, binary.Right, binary.Sign) ?? Value.Null;
            default:
                var right = Of(binary.Right);
                return Failure is null ? Operators.Of(this, binary, left, right) : Value.Null;
        }
    }

    Value OfMap(MapOf map)
    {
        var members = new Dictionary<string, Value>();
        for (var i = 0; i < map.Pairs.Count; i += 2)
        {
            if (Expect(Of(map.Pairs[i]), Kinds.Scalar, map.Pairs[i], "{}") is not { } name)
                break;
            var text = Texts.Of(name);
            if (!SpendText(text.Length, map.Pairs[i]))
                break;
            members[text] = Of(map.Pairs[i + 1]);
        }
        return Value.Of(members);
    }

    /// <summary>What a predicate reads for each element is decoded and paid for once.</summary>
    Value OfResponse(Kept kept)
    {
        if (!_readings.TryGetValue((kept.What, kept.Number), out var value))
            _readings[(kept.What, kept.Number)] = value = Read(kept);
        return value;
    }

    Value Read(Kept kept)
    {
        var response = facts.Response;
        return kept.What switch
        {
            Reading.ByteCount => Value.Of((decimal)response.Bytes),
            Reading.EventCount => Value.Of((decimal)response.EventCount),
            Reading.LineCount => Value.Of((decimal)response.Lines),
            Reading.FilledLineCount => Value.Of((decimal)response.FilledLines),
            Reading.LastFilledLine => LastLine(kept),
            Reading.LastData => response.LastData is null ? Value.Of("")
                : Whole(response.LastData, kept) is { } last ? Events.Plain(Value.OfBytes(last.Data))
                : Value.Null,
            Reading.LastChunk => LastChunk(kept),
            Reading.Event or Reading.EventBefore or Reading.FirstEvent or Reading.LastEvent => EventAt(kept),
            Reading.Events => EventsOfWhole(kept),
            Reading.Json => response.Whole is { } whole ? JsonOf(whole, kept) : OfWhole(null, kept),
            _ => OfWhole(response.Whole, kept),
        };
    }

    Value OfWhole(ReadOnlyMemory<byte>? kept, Node at) =>
        kept is { } bytes ? Value.OfBytes(bytes) : Fail(Failure.TooLarge, at, $"'{Shown(at)}' is larger than what is kept of a response.");

    /// <summary>The event, whose texts are about to be made.</summary>
    KeptEvent? Whole(KeptEvent e, Node at)
    {
        if (e.IsOversize)
            OfWhole(null, at);
        return Keep(e.Length, at) ? e : null;
    }

    Value EventAt(Kept kept)
    {
        var response = facts.Response;
        var (events, place) = kept switch
        {
            { What: Reading.FirstEvent } => (response.First, 0),
            { What: Reading.LastEvent } => (response.Last, 0),
            { Number: >= 0 } => (response.First, kept.Number),
            // There are no more events than these, so their number is that of all.
            { What: Reading.EventBefore } when response.Last.Count < -kept.Number =>
                (response.Last, -kept.Number - response.Last.Count - 1),
            _ => (response.Last, -kept.Number - 1),
        };
        if (place < events.Count)
            return Whole(events[place], kept) is { } e ? Events.Of(e) : Value.Null;
        return kept.What is Reading.Event or Reading.EventBefore ? Lists.NoElement(this, kept) : Value.Null;
    }

    Value EventsOfWhole(Kept kept) => OfWhole(facts.Response.Whole, kept) is { IsNull: false } whole
        ? Events.Of(this, whole.Utf8.Span, kept)
        : Value.Null;

    Value LastChunk(Kept kept) => facts.Response.LastData is not { } last
        ? LastLine(kept)
        : Whole(last, kept) is { } e ? Value.Of(Events.Write(e))
        : Value.Null;

    Value LastLine(Node at) => OfWhole(facts.Response.LastFilledLine, at) is { IsNull: false } line && Keep(line.StoredLength, at)
        ? Events.Plain(line)
        : Value.Null;

    Value JsonOf(ReadOnlyMemory<byte> utf8, Node at) => JsonValues.TryRead(utf8.Span, this, at, out var value) ? value : Value.Null;
}
