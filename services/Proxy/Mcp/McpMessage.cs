using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>What the gateway must know of a client's message to an MCP server (JSON-RPC 2.0). All else passes as it is.</summary>
/// <param name="Method">Null of an answer to the server.</param>
/// <param name="Id">As JSON. Null of what wants no answer.</param>
/// <param name="Tool">The tool that is called. Null of any other message.</param>
public sealed record McpMessage(string? Method, string? Id, string? Tool)
{
    const string CallsTool = "tools/call";

    /// <summary>Longest name of a tool, as the protocol has it.</summary>
    public const int MaxName = 128;

    /// <exception cref="ProblemException">It is none, or two servers could take it for two different ones.</exception>
    public static McpMessage Read(ReadOnlySpan<byte> body)
    {
        try
        {
            return ReadObject(body);
        }
        catch (JsonException e)
        {
            throw new ProblemException(Problems.NotValidJson(e));
        }
    }

    static McpMessage ReadObject(ReadOnlySpan<byte> body)
    {
        var (method, id, tool, isTask) = ((string?)null, (string?)null, (string?)null, false);
        var json = new StrictJson(body);
        json.OpenBody();
        ReadOnlySpan<byte> name = default;
        while (json.NextMember(ref name))
        {
            if (Is(name, "method"u8))
                method = json.TextOrNull() ?? throw Wrong("method", "must be a text");
            else if (Is(name, "id"u8))
                id = json.Token is JsonTokenType.String or JsonTokenType.Number
                    ? Encoding.UTF8.GetString(body[json.Start..json.End])
                    : throw Wrong("id", "must be a text or a number");
            else if (Is(name, "params"u8) && json.Token == JsonTokenType.StartObject)
            {
                ReadOnlySpan<byte> member = default;
                while (json.NextMember(ref member))
                {
                    if (Is(member, "name"u8))
                        tool = json.TextOrNull();
                    isTask |= Is(member, "task"u8);
                    json.Skip();
                }
                continue;
            }
            json.Skip();
        }
        // Nothing is to stand behind it.
        json.Step();
        if (method != CallsTool)
            return new(method, id, null);
        if (tool is not { Length: > 0 and <= MaxName })
            throw Wrong("params.name", $"must be the name of a tool, of at most {MaxName} characters");
        if (id is null)
            throw Wrong("id", "is required of a call: without it nobody learns what came of it");
        return isTask ? throw Wrong("params.task", "is not served: a call is settled with its result") : new(method, id, tool);
    }

    /// <summary>Some servers read names whatever their case.</summary>
    static bool Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> wanted) =>
        name.SequenceEqual(wanted) || (Ascii.EqualsIgnoreCase(name, wanted)
            ? throw Wrong(Encoding.ASCII.GetString(name), $"must be written '{Encoding.ASCII.GetString(wanted)}'")
            : false);

    static ProblemException Wrong(string param, string rule) => new(Problems.Invalid(param, $"'{param}' {rule}."));

    /// <summary>An answer of the server is that to this message.</summary>
    /// <param name="id">Of the answer.</param>
    public bool IsAnsweredBy(JsonElement id) => Id is not null && (id.ValueKind == JsonValueKind.String
        ? Id[0] == '"' && JsonNode.Parse(Id)!.GetValue<string>() == id.GetString()
        : id.GetRawText() == Id);
}
