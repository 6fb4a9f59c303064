namespace LlmGateway.Contracts.Expressions;

/// <summary>Whether a function's second argument is evaluated for each element.</summary>
enum PredicateUse { Never, May, Always }

/// <param name="Takes">The kinds of the arguments; the last ones are those of further arguments, too.</param>
/// <param name="Least">Fewest arguments.</param>
/// <param name="Most">Most arguments.</param>
/// <param name="Gives">What the result may be.</param>
sealed record Function(
    string Name, Kinds[] Takes, int Least, int Most, Kinds Gives, PredicateUse Predicate, Func<Evaluation, Call, Value> Run)
{
    public Kinds TakesAt(int place) => Takes[Math.Min(place, Takes.Length - 1)];
}

/// <summary>The functions of the language.</summary>
public static class Functions
{
    public static IEnumerable<string> Names => ByName.Keys;

    /// <summary>Most arguments of a function that takes any number.</summary>
    const int Any = 64;

    const Kinds Number = Kinds.Number, Text = Kinds.Text, Truth = Kinds.Truth, Array = Kinds.Array, Scalar = Kinds.Scalar;

    static readonly Function[] All =
    [
        // Texts. What is no text is written as one.
        Plain("lower", [Scalar], Text, Texts.Lower),
        Plain("upper", [Scalar], Text, Texts.Upper),
        Plain("trim", [Scalar], Text, (_, _, given) => Value.Of(Texts.Of(given[0]).Trim())),
        Plain("trimPrefix", [Scalar, Scalar], Text, (_, _, given) => Value.Of(Texts.WithoutPrefix(Texts.Of(given[0]), Texts.Of(given[1])))),
        Plain("trimSuffix", [Scalar, Scalar], Text, (_, _, given) => Value.Of(Texts.WithoutSuffix(Texts.Of(given[0]), Texts.Of(given[1])))),
        Plain("hasPrefix", [Scalar, Scalar], Truth, (_, _, given) => Value.Of(Texts.StartsWith(given[0], given[1]))),
        Plain("hasSuffix", [Scalar, Scalar], Truth, (_, _, given) => Value.Of(Texts.EndsWith(given[0], given[1]))),
        Plain("replace", [Scalar, Scalar, Scalar], Text, Texts.Replace),
        Plain("split", [Scalar, Scalar], Array, Texts.Split),
        Plain("join", [Array, Scalar], Text, Texts.Join, least: 1),
        Plain("base64Encode", [Scalar], Text, Texts.ToBase64),
        Plain("base64Decode", [Scalar], Text, Texts.FromBase64),
        Plain("urlEncode", [Scalar], Text, Texts.ToUrl),
        Plain("urlDecode", [Scalar], Text, Texts.FromUrl),
        Plain("sha256", [Scalar], Text, Texts.Sha256),
        Plain("hmacSha256", [Scalar, Scalar], Text, Texts.HmacSha256),
        Plain("toString", [Kinds.Any], Text, Texts.ToText),
        Plain("string", [Kinds.Any], Text, Texts.ToText),

        // Numbers.
        Plain("toInt", [Kinds.Any], Number, (_, _, given) => Value.Of(decimal.Truncate(Texts.LeadingNumber(given[0])))),
        Plain("toFloat", [Kinds.Any], Number, (_, _, given) => Value.Of(Texts.LeadingNumber(given[0]))),
        Plain("int", [Number | Text], Number, (run, at, given) => Lists.NumberOf(run, at, given[0], decimal.Truncate)),
        Plain("float", [Number | Text], Number, (run, at, given) => Lists.NumberOf(run, at, given[0], number => number)),
        Plain("abs", [Number], Number, (_, _, given) => Value.Of(Math.Abs(given[0].Number))),
        Plain("ceil", [Number], Number, (_, _, given) => Value.Of(decimal.Ceiling(given[0].Number))),
        Plain("floor", [Number], Number, (_, _, given) => Value.Of(decimal.Floor(given[0].Number))),
        Plain("round", [Number], Number, (_, _, given) => Value.Of(decimal.Round(given[0].Number, MidpointRounding.AwayFromZero))),

        // JSON and what responses are made of.
        Plain("json", [Scalar], Kinds.Any, Texts.FromJson),
        Plain("jsonDecode", [Scalar], Kinds.Any, Texts.FromJson),
        Plain("fromJSON", [Scalar], Kinds.Any, Texts.FromJson),
        Plain("jsonEncode", [Kinds.Any], Text, Texts.ToJson),
        Plain("toJSON", [Kinds.Any], Text, Texts.ToJson),
        Plain("lines", [Scalar], Array, (run, at, given) => Texts.Lines(run, at, given[0], isFilled: false)),
        Plain("linesNonEmpty", [Scalar], Array, (run, at, given) => Texts.Lines(run, at, given[0], isFilled: true)),
        Plain("sseEvents", [Scalar], Array, (run, at, given) => Events.Of(run, Texts.BytesOf(given[0]).Span, at)),
        Plain("sseLastData", [Scalar], Text, (run, at, given) => Events.LastData(run, at, Texts.BytesOf(given[0]).Span)),
        Plain("sseAllData", [Scalar], Text, (run, at, given) => Events.AllData(run, at, Texts.BytesOf(given[0]).Span)),

        // Any value.
        Plain("len", [Text | Array | Kinds.Map], Number, Lists.Length),
        Plain("get", [Kinds.Any, Scalar], Kinds.Any, Lists.Get),
        Plain("type", [Kinds.Any], Text, (_, _, given) => Value.Of(Lists.TypeOf(given[0]))),
        new("coalesce", [Kinds.Any], 1, Any, Kinds.Any, PredicateUse.Never, Lists.Coalesce),
        new("default", [Kinds.Any], 2, 2, Kinds.Any, PredicateUse.Never, Lists.Coalesce),
        Plain("keys", [Kinds.Map], Array, Lists.Keys),
        Plain("values", [Kinds.Map], Array, Lists.Values),

        // Arrays. What is no array is empty for those that apigate defines.
        Plain("first", [Kinds.Any], Kinds.Any, (_, _, given) => Lists.ItemsOf(given[0]) is [var item, ..] ? item : Value.Null),
        Plain("last", [Kinds.Any], Kinds.Any, (_, _, given) => Lists.ItemsOf(given[0]) is [.., var item] ? item : Value.Null),
        Plain("take", [Array, Number], Array, Lists.Take),
        Plain("reverse", [Array], Array, Lists.Reverse),
        Plain("avg", [Kinds.Any, Scalar], Number, Lists.Average, least: 1),
        Plain("mean", [Kinds.Any, Scalar], Number, Lists.Average, least: 1),
        Plain("min", [Kinds.Any], Number | Kinds.Null, (run, at, given) => Lists.Extreme(run, at, given, -1), most: Any),
        Plain("max", [Kinds.Any], Number | Kinds.Null, (run, at, given) => Lists.Extreme(run, at, given, 1), most: Any),
        new("sum", [Kinds.Any, Kinds.Any], 1, 2, Number, PredicateUse.May, Lists.Sum),
        new("count", [Kinds.Any, Truth], 1, 2, Number, PredicateUse.May, Lists.Count),
        new("filter", [Array, Truth], 2, 2, Array, PredicateUse.Always, Lists.Filter),
        new("map", [Array, Kinds.Any], 2, 2, Array, PredicateUse.Always, Lists.Map),
        new("all", [Array, Truth], 2, 2, Truth, PredicateUse.Always, (run, call) => Lists.Counted(run, call, (found, of) => found == of)),
        new("none", [Array, Truth], 2, 2, Truth, PredicateUse.Always, (run, call) => Lists.Counted(run, call, (found, _) => found == 0)),
        new("any", [Array, Truth], 2, 2, Truth, PredicateUse.Always, (run, call) => Lists.Counted(run, call, (found, _) => found > 0)),
        new("one", [Array, Truth], 2, 2, Truth, PredicateUse.Always, (run, call) => Lists.Counted(run, call, (found, _) => found == 1)),
        new("find", [Array, Truth], 2, 2, Kinds.Any, PredicateUse.Always, (run, call) => Lists.Find(run, call, isIndex: false)),
        new("findIndex", [Array, Truth], 2, 2, Number, PredicateUse.Always, (run, call) => Lists.Find(run, call, isIndex: true)),
        new("reduce", [Array, Kinds.Any, Kinds.Any], 2, 3, Kinds.Any, PredicateUse.Always, Lists.Reduce),

        // The time of the request, so that an expression says the same whenever it is evaluated.
        Plain("now", [], Number, (run, _, _) => Value.Of((decimal)run.Facts.Now.ToUnixTimeSeconds())),
        Plain("nowRFC3339", [], Text, (run, _, _) => Value.Of(Texts.Rfc3339(run.Facts.Now))),
    ];

    internal static readonly Dictionary<string, Function> ByName = All.ToDictionary(function => function.Name);

    /// <summary>What a function that is not here is refused with, where others have it.</summary>
    internal static readonly Dictionary<string, string> Missing = new()
    {
        ["env"] = "Expressions cannot read the gateway's environment. Write the value itself.",
        ["uuid"] = "A random value is of no use here.",
        ["date"] = "'now()' is the time of the request, in seconds since 1970.",
        ["duration"] = "'now()' is the time of the request, in seconds since 1970.",
    };

    internal static PredicateUse PredicateOf(string function) =>
        ByName.TryGetValue(function, out var found) ? found.Predicate : PredicateUse.Never;

    /// <summary>A function of values, whose kinds are seen to before it runs.</summary>
    static Function Plain(
        string name, Kinds[] takes, Kinds gives, Func<Evaluation, Call, Value[], Value> body, int? least = null, int? most = null)
    {
        return new(name, takes, least ?? takes.Length, most ?? takes.Length, gives, PredicateUse.Never, Run);

        Value Run(Evaluation run, Call call)
        {
            var given = run.OfAll(call.Arguments);
            for (var i = 0; i < given.Length; i++)
            {
                var kinds = takes[Math.Min(i, takes.Length - 1)];
                if (run.Expect(given[i], kinds, call.Arguments[i], name) is null)
                    return Value.Null;
                // Each argument is read and perhaps copied once.
                if (given[i].Kind == Kinds.Text && !run.SpendText(given[i].StoredLength, call))
                    return Value.Null;
            }
            return run.Spend(1, call) ? body(run, call, given) : Value.Null;
        }
    }
}
