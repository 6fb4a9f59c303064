using System.Runtime.InteropServices;

namespace LlmGateway.Proxy.Translation;

/// <summary>The tools of a request by the names that the provider was told, to turn its calls back into the caller's.</summary>
public sealed class ToolNames
{
    readonly Dictionary<string, Tool> _tools = new(StringComparer.Ordinal);

    ToolNames()
    {
    }

    /// <summary>Null when every tool is a function that has the same name there.</summary>
    public static ToolNames? Of(Conversation said, NameRules rules)
    {
        ToolNames? names = null;
        foreach (var tool in said.Tools)
            if (tool.Form != ToolForm.Function || tool.Member is not null || rules.ToolName(tool.Name) != tool.Name)
                (names ??= new())._tools.TryAdd(rules.ToolName(tool.Name), tool);
        return names;
    }

    public void Restore(List<AnswerEvent> events)
    {
        foreach (ref var e in CollectionsMarshal.AsSpan(events))
            if (e.Kind == AnswerEventKind.ToolCall && e.Text is { } name && _tools.TryGetValue(name, out var tool))
                e = e with { Text = tool.Name, Tool = tool };
    }
}
