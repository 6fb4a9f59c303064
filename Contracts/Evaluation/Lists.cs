namespace LlmGateway.Contracts.Expressions;

/// <summary>Functions of arrays and maps, and of any value.</summary>
static class Lists
{
    /// <summary>Empty for what is no array.</summary>
    public static Value[] ItemsOf(Value value) => value.Kind == Kinds.Array ? value.Items : [];

    public static Value NoElement(Evaluation run, Node at) =>
        run.Fail(Failure.NoElement, at, $"'{Evaluation.Shown(at)}' is beyond the array's end.");

    /// <summary>The element at a place; negative places count from the end.</summary>
    public static Value At(Evaluation run, Value[] items, Value key, Member at)
    {
        if (run.Expect(key, Kinds.Number, at.Key, "[]") is null)
            return Value.Null;
        var place = key.Number < 0 ? key.Number + items.Length : key.Number;
        return place >= 0 && place < items.Length && place == decimal.Truncate(place) ? items[(int)place] : NoElement(run, at);
    }

    /// <summary>Ends beyond those of the array or text are theirs.</summary>
    public static Value Slice(Evaluation run, Slice at)
    {
        var of = run.Of(at.Of);
        if (run.ChainEnds || run.Expect(of, Kinds.Array | Kinds.Text, at.Of, "[:]") is null)
            return Value.Null;
        var runes = of.Kind == Kinds.Text && run.Keep(2L * of.StoredLength, at) ? of.Text.EnumerateRunes().ToArray() : [];
        var length = of.Kind == Kinds.Text ? runes.Length : of.Items.Length;
        if (EndOf(run, at.From, 0, length) is not { } from || EndOf(run, at.To, length, length) is not { } to
            || !(of.Kind == Kinds.Text ? run.Keep(to, at) : run.Spend(Math.Max(0, to - from), at)))
            return Value.Null;
        var range = from..Math.Max(from, to);
        return of.Kind == Kinds.Text ? Value.Of(string.Concat(runes[range])) : Value.Of(of.Items[range]);
    }

    static int? EndOf(Evaluation run, Node? end, int absent, int length)
    {
        if (end is null)
            return absent;
        if (run.Expect(run.Of(end), Kinds.Number, end, "[:]") is not { } given)
            return null;
        var place = decimal.Truncate(given.Number);
        return (int)Math.Clamp(place < 0 ? place + length : place, 0, length);
    }

    public static Value Length(Evaluation run, Node at, Value[] given) => Value.Of((decimal)(given[0].Kind switch
    {
        Kinds.Text => given[0].TextLength,
        Kinds.Array => given[0].Items.Length,
        _ => given[0].MemberCount,
    }));

    /// <summary>The member of a member, by a path with points; null where there is none.</summary>
    public static Value Get(Evaluation run, Node at, Value[] given)
    {
        var (value, path) = (given[0], Texts.Of(given[1]));
        if (!run.Keep(path.Length, at) || !run.Spend(path.AsSpan().Count('.'), at))
            return Value.Null;
        foreach (var name in path.Split('.'))
            value = value.Kind == Kinds.Map && run.Spend(1, at) ? value.Member(name) : Value.Null;
        return value;
    }

    public static string TypeOf(Value value) => value.Kind switch
    {
        Kinds.Null => "nil",
        Kinds.Truth => "bool",
        Kinds.Number => value.Number == decimal.Truncate(value.Number) ? "int" : "float",
        Kinds.Text => "string",
        Kinds.Array => "array",
        _ => "map",
    };

    /// <summary>The first argument that is neither null nor an empty text. Of two arguments, the second whatever it is.</summary>
    public static Value Coalesce(Evaluation run, Call call)
    {
        var isDefault = call.Function == "default";
        for (var i = 0; i < call.Arguments.Count; i++)
        {
            var value = run.Of(call.Arguments[i]);
            var isEmpty = value.IsNull || (value.Kind == Kinds.Text && value.StoredLength == 0);
            if (!isEmpty || (isDefault && i == 1))
                return value;
        }
        return Value.Null;
    }

    public static Value Keys(Evaluation run, Node at, Value[] given) => run.Spend(given[0].MemberCount, at)
        ? Value.Of([.. given[0].Members.Select(member => Value.Of(member.Key))])
        : Value.Null;

    public static Value Values(Evaluation run, Node at, Value[] given) => run.Spend(given[0].MemberCount, at)
        ? Value.Of([.. given[0].Members.Select(member => member.Value)])
        : Value.Null;

    public static Value Take(Evaluation run, Node at, Value[] given)
    {
        var count = (int)Math.Clamp(decimal.Truncate(given[1].Number), 0, given[0].Items.Length);
        return run.Spend(count, at) ? Value.Of(given[0].Items[..count]) : Value.Null;
    }

    public static Value Reverse(Evaluation run, Node at, Value[] given) =>
        run.Spend(given[0].Items.Length, at) ? Value.Of([.. given[0].Items.Reverse()]) : Value.Null;

    /// <summary>The number that a value is or says.</summary>
    public static Value NumberOf(Evaluation run, Node at, Value value, Func<decimal, decimal> then) => value.TryGetNumber(out var number)
        ? Value.Of(then(number))
        : run.Fail(Failure.WrongKind, at, $"'{Evaluation.Shown(at)}' is given a text that is no number.");

    /// <summary>The numbers of an array, or of a member of its maps. Null counts 0; elements without the member have none.</summary>
    /// <returns>Null when the evaluation has failed.</returns>
    static List<decimal>? NumbersOf(Evaluation run, Node at, Value[] items, Value? member)
    {
        var numbers = new List<decimal>();
        var name = member is { } given ? Texts.Of(given) : null;
        foreach (var item in items)
        {
            if (!run.Spend(1, at) || !run.SpendText(name?.Length ?? 0, at))
                return null;
            var value = name is null ? item
                : item.Kind == Kinds.Map && item.HasMember(name) ? item.Member(name)
                : (Value?)null;
            if (value is not { } found)
                continue;
            var isNumber = found.TryGetNumber(out var number);
            if (!isNumber && !found.IsNull)
            {
                run.Fail(Failure.WrongKind, at, $"'{Evaluation.Shown(at)}' has {Value.NameOf(found.Kind)} that is no number.");
                return null;
            }
            numbers.Add(number);
        }
        return numbers;
    }

    static Value Total(Evaluation run, Node at, List<decimal>? numbers, int dividedBy)
    {
        try
        {
            return numbers is null ? Value.Null : Value.Of(numbers.Sum() / dividedBy);
        }
        catch (OverflowException)
        {
            return run.Fail(Failure.NoNumber, at, "The result has more than 28 digits.");
        }
    }

    /// <summary>Divided by the number of all elements, also those that lack the member.</summary>
    public static Value Average(Evaluation run, Node at, Value[] given)
    {
        var items = ItemsOf(given[0]);
        return Total(run, at, NumbersOf(run, at, items, given.Length > 1 ? given[1] : null), Math.Max(1, items.Length));
    }

    /// <summary>Of an array, of a member of its maps, or of the arguments; null where there is no number.</summary>
    /// <param name="sign">1 for the largest, -1 for the smallest.</param>
    public static Value Extreme(Evaluation run, Node at, Value[] given, int sign)
    {
        var isList = given[0].Kind is Kinds.Array or Kinds.Null && given.Length <= 2;
        Value? member = isList && given.Length == 2 ? given[1] : null;
        if (member is { Kind: not Kinds.Text })
            (isList, member) = (false, null);
        var numbers = NumbersOf(run, at, isList ? ItemsOf(given[0]) : given, member);
        return numbers is null or [] ? Value.Null : Value.Of(sign > 0 ? numbers.Max() : numbers.Min());
    }

    /// <summary>Of numbers, of a member (<c>sum(rows, "tokens")</c>), or of what a predicate gives (<c>sum(rows, .tokens)</c>).</summary>
    public static Value Sum(Evaluation run, Call call)
    {
        var items = ItemsOf(run.Of(call.Arguments[0]));
        Value? member = null;
        if (call.Arguments.Count > 1)
        {
            if (call.Arguments[1] is Predicate predicate)
                items = MapItems(run, items, predicate);
            else if (run.Expect(run.Of(call.Arguments[1]), Kinds.Scalar, call.Arguments[1], "sum") is { } name)
                member = name;
            else
                return Value.Null;
        }
        return Total(run, call, NumbersOf(run, call, items, member), 1);
    }

    /// <summary>0 for what is no array.</summary>
    public static Value Count(Evaluation run, Call call) => call.Arguments.Count == 1
        ? Value.Of((decimal)ItemsOf(run.Of(call.Arguments[0])).Length)
        : Value.Of((decimal)Chosen(run, ItemsOf(run.Of(call.Arguments[0])), call).Count);

    public static Value Filter(Evaluation run, Call call) => Array(run, call) is { } items
        ? Value.Of([.. Chosen(run, items, call).Select(index => items[index])])
        : Value.Null;

    public static Value Map(Evaluation run, Call call) => Array(run, call) is { } items
        ? Value.Of(MapItems(run, items, (Predicate)call.Arguments[1]))
        : Value.Null;

    /// <param name="holds">Told how many elements were chosen, and how many there are.</param>
    public static Value Counted(Evaluation run, Call call, Func<int, int, bool> holds) => Array(run, call) is { } items
        ? Value.Of(holds(Chosen(run, items, call).Count, items.Length))
        : Value.Null;

    public static Value Find(Evaluation run, Call call, bool isIndex)
    {
        if (Array(run, call) is not { } items)
            return Value.Null;
        var found = Chosen(run, items, call, most: 1);
        if (isIndex)
            return Value.Of(found is [var first, ..] ? first : -1m);
        return found is [var index, ..] ? items[index] : Value.Null;
    }

    public static Value Reduce(Evaluation run, Call call)
    {
        if (Array(run, call) is not { } items)
            return Value.Null;
        var hasInitial = call.Arguments.Count > 2;
        if (!hasInitial && items.Length == 0)
            return Value.Null;
        var accumulator = hasInitial ? run.Of(call.Arguments[2]) : items[0];
        for (var i = hasInitial ? 0 : 1; i < items.Length && run.Failure is null; i++)
            accumulator = run.OfElement((Predicate)call.Arguments[1], items[i], i, accumulator);
        return accumulator;
    }

    static Value[]? Array(Evaluation run, Call call) =>
        run.Expect(run.Of(call.Arguments[0]), Kinds.Array, call.Arguments[0], call.Function)?.Items;

    static Value[] MapItems(Evaluation run, Value[] items, Predicate predicate)
    {
        var mapped = new List<Value>();
        for (var i = 0; i < items.Length && run.Spend(1, predicate); i++)
            mapped.Add(run.OfElement(predicate, items[i], i));
        return [.. mapped];
    }

    /// <summary>The places of the elements for which a predicate is true.</summary>
    static List<int> Chosen(Evaluation run, Value[] items, Call call, int most = int.MaxValue)
    {
        var chosen = new List<int>();
        var predicate = (Predicate)call.Arguments[1];
        for (var i = 0; i < items.Length && chosen.Count < most && run.Failure is null; i++)
            if (run.Expect(run.OfElement(predicate, items[i], i), Kinds.Truth, predicate, call.Function) is { Truth: true })
                chosen.Add(i);
        return chosen;
    }
}
