namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// Anthropic's tools that have a type instead of a definition. Those here are run by the caller: they cost their text, and
/// <see cref="ModelRequest.TokensPerBuiltInTool"/> for the definition that the provider adds. All others are run by the provider.
/// </summary>
static class AnthropicTools
{
    /// <param name="Type">The type's beginning; a date follows.</param>
    public sealed record BuiltInTool(string Type, string Description, string Schema);

    static readonly BuiltInTool[] BuiltIn =
    [
        new("bash_", "Runs a command in a shell that stays open, or restarts the shell.",
            """{"type":"object","properties":{"command":{"type":"string"},"restart":{"type":"boolean"}}}"""),
        new("text_editor_", "Views, creates and edits files.",
            """
            {"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},
            "path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},
            "insert_line":{"type":"integer"},"insert_text":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"}}},
            "required":["command","path"]}
            """),
        new("memory_", "Keeps notes as files below /memories.",
            """
            {"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},
            "path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},
            "insert_line":{"type":"integer"},"insert_text":{"type":"string"},"old_path":{"type":"string"},"new_path":{"type":"string"}},
            "required":["command"]}
            """),
        new("computer_", "Moves the pointer, presses keys and takes pictures of the screen.",
            """
            {"type":"object","properties":{"action":{"type":"string"},"coordinate":{"type":"array","items":{"type":"integer"}},
            "start_coordinate":{"type":"array","items":{"type":"integer"}},"text":{"type":"string"},"duration":{"type":"number"},
            "scroll_direction":{"type":"string"},"scroll_amount":{"type":"integer"}},"required":["action"]}
            """),
    ];

    public static BuiltInTool? Find(string type) => Array.Find(BuiltIn, tool => type.StartsWith(tool.Type, StringComparison.Ordinal));
}
