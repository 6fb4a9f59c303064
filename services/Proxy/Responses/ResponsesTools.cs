using System.Text.Json;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// The kinds of tools on the Responses wire. What the caller runs itself costs only its text, whatever its kind, and is a function to other
/// wires. What the provider runs is billed apart.
/// </summary>
static class ResponsesTools
{
    /// <summary>Between the name of a group and that of a function in it. The tool knows both, so names are never taken apart.</summary>
    const string Separator = "__";

    /// <summary>True for tools that the caller runs.</summary>
    public static bool IsCallersOwn(ReadOnlySpan<byte> type) =>
        type.SequenceEqual("function"u8) || type.SequenceEqual("custom"u8) || type.SequenceEqual("namespace"u8)
            || type.SequenceEqual("local_shell"u8) || type.SequenceEqual("shell"u8) || type.SequenceEqual("apply_patch"u8)
            || type.SequenceEqual("tool_search"u8) || type.StartsWith("computer"u8);

    /// <summary>True for the provider's search of the web, which <c>max_tool_calls</c> bounds.</summary>
    public static bool IsSearch(string type) => type is "web_search" or "web_search_preview";

    /// <summary>True for items of a history that are no larger than their text.</summary>
    public static bool IsText(ReadOnlySpan<byte> item) =>
        item.SequenceEqual("local_shell_call"u8) || item.SequenceEqual("local_shell_call_output"u8)
            || item.SequenceEqual("shell_call"u8) || item.SequenceEqual("shell_call_output"u8)
            || item.SequenceEqual("apply_patch_call"u8) || item.SequenceEqual("apply_patch_call_output"u8)
            || item.SequenceEqual("tool_search_call"u8) || item.SequenceEqual("tool_search_output"u8)
            || item.SequenceEqual("computer_call"u8) || item.SequenceEqual("computer_call_output"u8)
            || item.SequenceEqual("additional_tools"u8) || item.SequenceEqual("web_search_call"u8);

    public static void Read(JsonElement tools, string path, List<Tool> to, LeftOut left)
    {
        foreach (var (tool, at) in tools.Elements(path))
            Read(tool, at, null, to, left);
    }

    static void Read(JsonElement tool, string path, string? group, List<Tool> to, LeftOut left)
    {
        var type = tool.Object(path).Find("type")?.Text($"{path}.type") ?? "function";
        if (type == "namespace")
        {
            tool.LeaveOutOthers(path, left, "type", "name", "description", "tools");
            var name = tool.Text("name", path);
            if (tool.Find("tools") is { } members)
                foreach (var (member, at) in members.Elements($"{path}.tools"))
                    Read(member, at, name, to, left);
            return;
        }
        if (ReadOne(tool, type, path, left) is not { } read)
            left.Add(tool.Find("name")?.Text($"{path}.name") ?? type);
        else
            to.Add(group is null ? read : read with { Name = NameIn(group, read.Name), Member = (group, read.Name) });
    }

    /// <summary>Null for tools that the provider would run, and for those that no other wire can say: others are beside them.</summary>
    static Tool? ReadOne(JsonElement tool, string type, string path, LeftOut left)
    {
        switch (type)
        {
            case "function":
                // Every function is known from the start there, so none is deferred.
                return OpenAiTools.ReadFunction(tool, path, path, left);
            case "custom":
                tool.LeaveOutOthers(path, left, "type", "name", "description", "format");
                return ToolForms.TextTool(
                    tool.Text("name", path), tool.Find("description")?.Text($"{path}.description"), tool.Find("format"), path);
            case var _ when ToolForms.OfType(type) is { } builtIn:
                return new(
                    type, tool.Find("description")?.Text($"{path}.description") ?? builtIn.Description,
                    tool.Find("parameters")?.Object($"{path}.parameters").GetRawText() ?? builtIn.Schema, false, path)
                {
                    Form = builtIn.Form,
                };
            default:
                return null;
        }
    }

    /// <summary>The name of a group's function on wires without groups.</summary>
    public static string NameIn(string group, string name) => group + Separator + name;
}
