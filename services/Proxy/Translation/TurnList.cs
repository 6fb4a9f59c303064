using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// The turns of a request while a wire's reader finds them, with the rules that hold on every wire: instructions in the middle move to the
/// front, the only place that the other wires have for them, and results of tools learn the name of their tool from its call.
/// </summary>
sealed class TurnList
{
    readonly List<TextPart> _system = [];
    readonly List<Turn> _turns = [];

    // Names of tools by the ids of their calls so far.
    readonly Dictionary<string, string> _called = new(StringComparer.Ordinal);

    public bool EndsWithAnswer => _turns is [.., { Speaker: Speaker.Assistant }];

    /// <param name="path">The place of the instructions in the caller's body.</param>
    public void Instruct(IEnumerable<Part> parts, string path)
    {
        foreach (var part in parts)
            _system.Add(part as TextPart ?? throw Untranslatable(path, "another wire", "instructions are texts there"));
    }

    public void Say(Speaker speaker, IReadOnlyList<Part> parts, string field)
    {
        foreach (var call in parts.OfType<ToolCallPart>())
            _called[call.Id] = call.Name;
        if (parts.Any(part => part is ToolResultPart { Name: null }))
            parts = [.. parts.Select(part => part is ToolResultPart { Name: null } result
                ? result with { Name = _called.GetValueOrDefault(result.CallId) }
                : part)];
        _turns.Add(new(speaker, parts, field));
    }

    public Conversation On(Conversation conversation) => conversation with { System = _system, Turns = _turns };
}
