namespace LlmGateway.Contracts.Expressions;

/// <summary>What an expression can have of a response.</summary>
public enum Reading
{
    /// <summary>Its bytes as one text.</summary>
    Whole,

    /// <summary>What its bytes are as JSON; null when they are none.</summary>
    Json,
    Events,

    /// <summary>The last data that is neither empty nor <c>[DONE]</c>.</summary>
    LastData,

    /// <summary>The last event with such data, or the last line that is not empty where there are no events.</summary>
    LastChunk,

    /// <summary>The event at a place, counted from the end where the place is negative.</summary>
    Event,

    /// <summary>
    /// The event at a place that is the number of events less some. Where there are fewer, that place is negative and counts from the end.
    /// </summary>
    EventBefore,

    /// <summary>Null where there is none; so is the last one.</summary>
    FirstEvent,
    LastEvent, EventCount, LineCount, FilledLineCount, LastFilledLine, ByteCount,
}

/// <summary>What a <see cref="ResponseCollector"/> must keep for one expression.</summary>
public sealed record Needs
{
    public bool Whole { get; init; }
    public bool LastData { get; init; }
    public bool EventCount { get; init; }

    /// <summary>Events at the beginning and at the end.</summary>
    public int FirstEvents { get; init; }

    /// <inheritdoc cref="FirstEvents"/>
    public int LastEvents { get; init; }

    /// <summary>Counts of lines, and the last one.</summary>
    public bool Lines { get; init; }

    /// <summary>Something of what it says. Without that it is only counted, and what has come of it can be counted, too.</summary>
    public bool Content { get; init; }

    public bool AnyEvents => LastData || EventCount || FirstEvents + LastEvents > 0;

    /// <summary>Most events that are kept at either end; further ones need the whole response.</summary>
    public const int MaxEvents = 16;

    internal Needs With(Kept kept) => WithPart(kept) with
    {
        Content = Content
            || kept.What is not (Reading.EventCount or Reading.LineCount or Reading.FilledLineCount or Reading.ByteCount),
    };

    Needs WithPart(Kept kept) => kept.What switch
    {
        Reading.Whole or Reading.Json or Reading.Events => this with { Whole = true },
        Reading.LastData => this with { LastData = true },
        Reading.LastChunk => this with { LastData = true, Lines = true },
        Reading.Event when kept.Number >= 0 => this with { FirstEvents = Math.Max(FirstEvents, kept.Number + 1) },
        Reading.Event or Reading.EventBefore => this with { LastEvents = Math.Max(LastEvents, -kept.Number) },
        Reading.FirstEvent => this with { FirstEvents = Math.Max(FirstEvents, 1) },
        Reading.LastEvent => this with { LastEvents = Math.Max(LastEvents, 1) },
        Reading.EventCount => this with { EventCount = true },
        Reading.ByteCount => this,
        _ => this with { Lines = true },
    };
}

/// <summary>
/// Finds what an expression needs of the response, so that a stream is not kept for the sake of its last event, and what of a text is only
/// counted. Writing the same thing in another way may need more, never less.
/// </summary>
static class Readings
{
    /// <returns>The expression with <see cref="Kept"/> in the place of what reads the response.</returns>
    public static (Node Tree, Needs Needs) Find(Node tree)
    {
        var needs = new Needs();
        return (Replace(tree), needs);

        Node Replace(Node node)
        {
            if (node is Binary { Sign: "matches", Right: Literal { Value: var pattern } } matches)
                return new Matching(node.At, Replace(matches.Left), Patterns.Read(pattern.Text)!, node);
            if (Of(node) is { } kept)
            {
                needs = needs.With(kept);
                return kept;
            }
            return node is Call { Function: "len" or "count", Arguments: [Call { Arguments: [var text] } lines] }
                && (lines.Function is Lines or FilledLines)
                    ? new LineCount(node.At, lines.Function == FilledLines, Replace(text), node)
                    : node.Over(Replace);
        }
    }

    static Kept? Of(Node node)
    {
        (Reading What, int Number)? found = node switch
        {
            Name { Text: Variables.ResponseBody } => (Reading.Json, 0),
            Name { Text: Variables.LastChunk } => (Reading.LastChunk, 0),
            Name { Text: Variables.AllData } => (Reading.Whole, 0),
            Call { Arguments: [Name { Text: Variables.AllData }] } call => OfAllData(call.Function),
            Call { Arguments: [Call { Arguments: [Name { Text: Variables.AllData }] } inner] } outer => Of(outer.Function, inner.Function),
            Member { Of: Call { Function: Events, Arguments: [Name { Text: Variables.AllData }] }, Key: var key, IsOptional: false }
                => PlaceOf(key),
            _ => null,
        };
        return found is { } reading ? new(node.At, reading.What, reading.Number, node) : null;
    }

    const string Events = "sseEvents", Lines = "lines", FilledLines = "linesNonEmpty";

    static (Reading, int)? OfAllData(string function) => function switch
    {
        "sseLastData" => (Reading.LastData, 0),
        Events => (Reading.Events, 0),
        "len" => (Reading.ByteCount, 0),
        _ => null,
    };

    static (Reading, int)? Of(string outer, string inner) => (outer, inner) switch
    {
        ("len" or "count", Events) => (Reading.EventCount, 0),
        ("first", Events) => (Reading.FirstEvent, 0),
        ("last", Events) => (Reading.LastEvent, 0),
        ("len" or "count", Lines) => (Reading.LineCount, 0),
        ("len" or "count", FilledLines) => (Reading.FilledLineCount, 0),
        ("last", FilledLines) => (Reading.LastFilledLine, 0),
        _ => null,
    };

    /// <summary>The place of one event near an end: <c>3</c>, <c>-1</c>, or <c>count(sseEvents(allData)) - 1</c>.</summary>
    static (Reading, int)? PlaceOf(Node key) => key switch
    {
        Literal { Value.Kind: Kinds.Number } ahead when IsPlace(ahead.Value.Number, 0) => (Reading.Event, (int)ahead.Value.Number),
        Unary { Sign: "-", Operand: Literal { Value.Kind: Kinds.Number } back } when IsPlace(back.Value.Number, 1) =>
            (Reading.Event, -(int)back.Value.Number),
        Binary { Sign: "-", Left: var count, Right: Literal { Value.Kind: Kinds.Number } back }
            when Of(count)?.What == Reading.EventCount && IsPlace(back.Value.Number, 1) => (Reading.EventBefore, -(int)back.Value.Number),
        _ => null,
    };

    static bool IsPlace(decimal number, int first) =>
        number >= first && number < Needs.MaxEvents + first && number == decimal.Truncate(number);
}
