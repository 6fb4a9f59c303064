using System.Text.Json;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// What a tool's calls look like in the caller's wire. All but functions are translated to a function, and its calls back: the caller runs
/// them, so that they cost only their text.
/// </summary>
public enum ToolForm
{
    Function,

    /// <summary>Free text (<c>custom</c>). As a function it has one argument, <c>input</c>.</summary>
    Text,

    LocalShell, Shell, ApplyPatch, ToolSearch,
}

/// <summary>The forms of OpenAI's built-in tools, as functions.</summary>
static class ToolForms
{
    public const string Input = "input";

    const string TextSchema =
        """{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}""";

    /// <param name="Item">The type of a call on the Responses wire; results have <c>_output</c> at its end.</param>
    /// <param name="Member">The call's member that holds the arguments.</param>
    public sealed record BuiltInTool(string Type, ToolForm Form, string Item, string Member, string Description, string Schema);

    public static readonly BuiltInTool[] BuiltIn =
    [
        new("local_shell", ToolForm.LocalShell, "local_shell_call", "action", "Runs a command on the user's machine.",
            """
            {"type":"object","properties":{"type":{"type":"string","enum":["exec"]},"command":{"type":"array","items":{"type":"string"}},
            "working_directory":{"type":"string"},"timeout_ms":{"type":"integer"},"env":{"type":"object"}},"required":["type","command"]}
            """),
        new("shell", ToolForm.Shell, "shell_call", "action", "Runs shell commands on the user's machine, one after the other.",
            """
            {"type":"object","properties":{"commands":{"type":"array","items":{"type":"string"}},"timeout_ms":{"type":"integer"},
            "max_output_length":{"type":"integer"}},"required":["commands"]}
            """),
        new("apply_patch", ToolForm.ApplyPatch, "apply_patch_call", "operation",
            "Creates, updates or deletes one file. 'diff' is in the V4A format; a deletion needs none.",
            """
            {"type":"object","properties":{"type":{"type":"string","enum":["create_file","update_file","delete_file"]},
            "path":{"type":"string"},"diff":{"type":"string"}},"required":["type","path"]}
            """),
        new("tool_search", ToolForm.ToolSearch, "tool_search_call", "arguments", "Searches for further tools.",
            """{"type":"object","properties":{"query":{"type":"string"}}}"""),
    ];

    public static BuiltInTool? OfType(string type) => Array.Find(BuiltIn, tool => tool.Type == type);

    public static BuiltInTool? OfItem(string item) => Array.Find(BuiltIn, tool => tool.Item == item);

    public static BuiltInTool Of(ToolForm form) => Array.Find(BuiltIn, tool => tool.Form == form)!;

    /// <summary>A tool that takes free text. Its grammar is told to the model, which no other wire can hold to it.</summary>
    /// <param name="format">The member <c>format</c>; undefined where there is none.</param>
    public static Tool TextTool(string name, string? description, JsonElement? format, string field)
    {
        if (format?.Find("definition") is { ValueKind: JsonValueKind.String } grammar)
        {
            var syntax = format.Value.Find("syntax") is { ValueKind: JsonValueKind.String } given ? given.GetString() : "grammar";
            description = $"{description}\n\nThe input must match this {syntax}:\n{grammar.GetString()}".Trim();
        }
        return new(name, description, TextSchema, false, field) { Form = ToolForm.Text };
    }

    /// <summary>Free text as a function's arguments.</summary>
    public static string ArgumentsOf(string input) => $$"""{"input":{{JsonSerializer.Serialize(input)}}}""";

    /// <summary>The free text in a function's arguments. Arguments without it are the text: the model wrote nothing better.</summary>
    public static string InputOf(string arguments)
    {
        try
        {
            using var json = JsonDocument.Parse(arguments);
            return json.RootElement.Find(Input) is { ValueKind: JsonValueKind.String } input ? input.GetString()! : arguments;
        }
        catch (JsonException)
        {
            return arguments;
        }
    }
}
