namespace LlmGateway.Proxy.Translation;

/// <summary>
/// A chat request in neutral terms. The reader of one wire produces it, and the composer of another wire writes it. What has no place here
/// or in the other wire is refused by name where it changes the meaning of the answer (<see cref="Unsayable"/>), and else left out and
/// noted in <see cref="LeftOut"/>. Another provider's thoughts are left out without a note.
/// </summary>
public sealed record Conversation
{
    /// <summary>The developer's instructions, in order. They precede everything else.</summary>
    public IReadOnlyList<TextPart> System { get; init; } = [];

    /// <summary>
    /// The turns, oldest first. Neighbours of one speaker are allowed; composers join them where their wire demands alternating turns.
    /// </summary>
    public required IReadOnlyList<Turn> Turns { get; init; }

    public IReadOnlyList<Tool> Tools { get; init; } = [];
    public ToolChoice? ToolChoice { get; init; }

    /// <summary>False allows at most one tool call in the answer.</summary>
    public Given<bool>? ParallelTools { get; init; }

    public Given<decimal>? Temperature { get; init; }
    public Given<decimal>? TopP { get; init; }
    public Given<int>? TopK { get; init; }
    public Given<decimal>? FrequencyPenalty { get; init; }
    public Given<decimal>? PresencePenalty { get; init; }
    public Given<long>? Seed { get; init; }
    public Given<IReadOnlyList<string>>? Stop { get; init; }

    /// <summary>The JSON that the answer must be. Null means free text.</summary>
    public OutputFormat? Format { get; init; }

    public Effort? Effort { get; init; }

    /// <summary><c>low</c>, <c>medium</c> or <c>high</c>, on OpenAI's wires.</summary>
    public Given<string>? Verbosity { get; init; }

    /// <summary>OpenAI's members for caches and records, as JSON, for its other wire: <c>prompt_cache_key</c> and the like.</summary>
    public IReadOnlyList<Given<string>> Records { get; init; } = [];

    /// <summary>A mark for the whole request, see <see cref="Part.Cache"/>.</summary>
    public string? Cache { get; init; }

    /// <summary>Readers and composers add to it.</summary>
    public LeftOut LeftOut { get; init; } = new();
}

/// <summary>A value and the field of the caller's body that it came from, for messages.</summary>
public readonly record struct Given<T>(T Value, string Field);

public enum Speaker { User, Assistant }

/// <summary>One turn. Results of tools belong to the user's turns.</summary>
/// <param name="Field">The turn's place in the caller's body: <c>messages[3]</c>.</param>
public sealed record Turn(Speaker Speaker, IReadOnlyList<Part> Parts, string Field);

public abstract record Part
{
    /// <summary>Anthropic's mark of the end of a prefix to cache (<c>cache_control</c>), as JSON; null for none.</summary>
    public string? Cache { get; init; }
}

public sealed record TextPart(string Text) : Part;

/// <summary>An image, inlined or at an address that the provider fetches. Exactly one of the two is set.</summary>
/// <param name="MediaType"><c>image/png</c> and so on. Null when an address does not say.</param>
/// <param name="Base64">The encoded file.</param>
public sealed record ImagePart(string? MediaType, string? Base64, string? Url, string Field) : Part;

/// <summary>A tool call by the model.</summary>
/// <param name="Id">Ties a result to its call. For wires without ids, the same ids are made up on every pass.</param>
/// <param name="Arguments">JSON object as text.</param>
/// <param name="Signature">What the provider wants back unchanged with this call, such as Gemini's <c>thoughtSignature</c>. Null when it
/// has none.</param>
public sealed record ToolCallPart(string Id, string Name, string Arguments, string? Signature = null) : Part;

/// <param name="Name">The tool's name, for wires that go by name. Null when the caller's wire goes by id and the conversation has no such
/// call.</param>
/// <param name="Content">Texts and images.</param>
public sealed record ToolResultPart(string CallId, string? Name, IReadOnlyList<Part> Content, bool IsError, string Field) : Part;

/// <summary>The model's thoughts in an earlier turn.</summary>
/// <param name="Signature">The provider's signature, which only the same provider accepts. Composers of other wires leave such a part
/// out.</param>
public sealed record ReasoningPart(string Text, string? Signature) : Part;

/// <param name="Schema">JSON Schema of the arguments as text; null for none.</param>
/// <param name="Strict">The arguments must obey the schema.</param>
public sealed record Tool(string Name, string? Description, string? Schema, bool Strict, string Field)
{
    /// <summary>What calls of the tool look like in the caller's wire. Other wires know it as a function.</summary>
    public ToolForm Form { get; init; }

    /// <summary>The group of functions that it belongs to on the Responses wire, and its name there.</summary>
    public (string Group, string Name)? Member { get; init; }

    /// <inheritdoc cref="Part.Cache"/>
    public string? Cache { get; init; }
}

public enum ToolMode { Auto, None, Required, One }

/// <param name="Name">The tool that must be called, with <see cref="ToolMode.One"/>.</param>
public sealed record ToolChoice(ToolMode Mode, string? Name, string Field)
{
    /// <summary>The tools that may be called, while a request is read. Null for all; see <see cref="Chat.OpenAiTools.Restrict"/>.</summary>
    public IReadOnlyList<string>? Only { get; init; }
}

/// <param name="Schema">JSON Schema as text. Null allows any JSON object.</param>
public sealed record OutputFormat(string? Name, string? Schema, bool Strict, string Field)
{
    public string? Description { get; init; }
}

/// <summary>
/// How much the model should think before it answers, as a level or as tokens. Exactly one is set, as in the caller's wire.
/// </summary>
/// <param name="Level">One of <see cref="EffortBudgets.Levels"/>.</param>
/// <param name="BudgetTokens">0 means none, -1 no limit.</param>
/// <param name="Shown">The caller wants to see the thoughts.</param>
public sealed record Effort(string? Level, int? BudgetTokens, bool Shown, string Field);
