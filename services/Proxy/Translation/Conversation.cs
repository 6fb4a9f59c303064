namespace LlmGateway.Proxy.Translation;

/// <summary>
/// A chat request in no wire's words: what one wire's reader understood and another wire's composer says again. A member that has no place here is refused
/// by the reader, a value that a wire cannot say by its composer; either way the message names the field as the caller wrote it, and nothing is dropped in silence.
/// </summary>
public sealed record Conversation
{
    /// <summary>Instructions of the developer, in order; they stand before everything else.</summary>
    public IReadOnlyList<string> System { get; init; } = [];

    /// <summary>What was said, oldest first. Neighbours of the same speaker are allowed; composers join them where their wire wants turns to alternate.</summary>
    public required IReadOnlyList<Turn> Turns { get; init; }

    public IReadOnlyList<Tool> Tools { get; init; } = [];
    public ToolChoice? ToolChoice { get; init; }

    /// <summary>False: at most one tool call in the answer.</summary>
    public Given<bool>? ParallelTools { get; init; }

    public Given<decimal>? Temperature { get; init; }
    public Given<decimal>? TopP { get; init; }
    public Given<int>? TopK { get; init; }
    public Given<decimal>? FrequencyPenalty { get; init; }
    public Given<decimal>? PresencePenalty { get; init; }
    public Given<long>? Seed { get; init; }
    public Given<IReadOnlyList<string>>? Stop { get; init; }

    /// <summary>The answer must be JSON; null is free text.</summary>
    public OutputFormat? Format { get; init; }

    public Effort? Effort { get; init; }
}

/// <summary>A value and the field that it came from, in the caller's wire, for messages.</summary>
public readonly record struct Given<T>(T Value, string Field);

public enum Speaker { User, Assistant }

/// <summary>What one side said in one go. Results of tools are said by the user.</summary>
/// <param name="Field">Where it stands in the caller's body: <c>messages[3]</c>.</param>
public sealed record Turn(Speaker Speaker, IReadOnlyList<Part> Parts, string Field);

public abstract record Part;

public sealed record TextPart(string Text) : Part;

/// <summary>An image, inlined or at an address that the provider fetches itself; exactly one of the two is set.</summary>
/// <param name="MediaType"><c>image/png</c> and so on; null when an address does not say.</param>
/// <param name="Base64">The file, not decoded.</param>
public sealed record ImagePart(string? MediaType, string? Base64, string? Url, string Field) : Part;

/// <summary>A tool that the model wants to be called.</summary>
/// <param name="Id">Ties a result to its call. Wires without ids get made-up ones, the same on every pass.</param>
/// <param name="Arguments">JSON object as text.</param>
/// <param name="Signature">What the provider wants back unread with this call (Gemini's <c>thoughtSignature</c>); null when it has none.</param>
public sealed record ToolCallPart(string Id, string Name, string Arguments, string? Signature = null) : Part;

/// <param name="Name">The tool's, for wires that go by name; null when the caller's wire goes by id and no call with it was found.</param>
/// <param name="Content">Texts and images.</param>
public sealed record ToolResultPart(string CallId, string? Name, IReadOnlyList<Part> Content, bool IsError, string Field) : Part;

/// <summary>What the model thought aloud in an earlier turn.</summary>
/// <param name="Signature">The provider's seal, which only the same provider accepts; composers of other wires leave such a part out, as those providers would.</param>
public sealed record ReasoningPart(string Text, string? Signature) : Part;

/// <param name="Schema">JSON Schema of the arguments as text; null for none.</param>
/// <param name="Strict">The arguments must obey the schema.</param>
public sealed record Tool(string Name, string? Description, string? Schema, bool Strict, string Field);

public enum ToolMode { Auto, None, Required, One }

/// <param name="Name">The tool that must be called, with <see cref="ToolMode.One"/>.</param>
public sealed record ToolChoice(ToolMode Mode, string? Name, string Field);

/// <param name="Schema">JSON Schema as text; null: any JSON object.</param>
public sealed record OutputFormat(string? Name, string? Schema, bool Strict, string Field);

/// <summary>How much the model should think before it answers, as a level or as tokens, whichever the caller's wire has; exactly one is set.</summary>
/// <param name="Level"><c>none</c>, <c>minimal</c>, <c>low</c>, <c>medium</c>, <c>high</c>.</param>
/// <param name="BudgetTokens">0 means none, -1 as much as the model likes.</param>
/// <param name="Shown">The caller wants to see the thoughts.</param>
public sealed record Effort(string? Level, int? BudgetTokens, bool Shown, string Field);
