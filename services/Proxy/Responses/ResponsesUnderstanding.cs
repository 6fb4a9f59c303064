using System.Text.Json;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.Translation;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Responses;

/// <summary>Turns a Responses request into a <see cref="Conversation"/>.</summary>
sealed class ResponsesUnderstanding
{
    readonly LeftOut _left = new();
    readonly TurnList _turns = new();
    readonly List<Tool> _tools = [];

    public static Conversation Read(ReadOnlySpan<byte> body)
    {
        var root = FieldReading.Parse(body);
        var reader = new ResponsesUnderstanding();
        // Instructions precede the input, wherever the member stands.
        if (root.Find("instructions")?.Text("instructions") is { Length: > 0 } text)
            reader._turns.Instruct([new TextPart(text)], "instructions");
        var conversation = new Conversation { Turns = [], LeftOut = reader._left };
        foreach (var member in root.EnumerateObject())
            if (member.Value.ValueKind != JsonValueKind.Null)
                conversation = reader.Add(conversation, member.Name, member.Value);
        // A search for tools finds some that were offered before.
        var tools = reader._tools.DistinctBy(tool => tool.Name).ToList();
        return OpenAiTools.Restrict(reader._turns.On(conversation with { Tools = tools }));
    }

    Conversation Add(Conversation conversation, string name, JsonElement value)
    {
        switch (name)
        {
            case "input":
                new ResponsesInput(_turns, _left, tools => ResponsesTools.Read(tools, "input", _tools, _left)).Read(value);
                return conversation;
            case "tools":
                ResponsesTools.Read(value, name, _tools, _left);
                return conversation;
            case "tool_choice": return conversation with { ToolChoice = OpenAiTools.ReadChoice(value) };
            case "parallel_tool_calls": return conversation with { ParallelTools = new(value.Flag(name), name) };
            case "temperature": return conversation with { Temperature = value.Decimal(name) };
            case "top_p": return conversation with { TopP = value.Decimal(name) };
            case "text": return ReadText(conversation, value);
            case "reasoning": return conversation with { Effort = ReadEffort(value) };
            // Members that the request's reader took, or found to have no effect. Encrypted thoughts are always returned where the provider
            // has them, and nothing stays with the provider.
            case "model" or "instructions" or "stream" or "max_output_tokens" or "service_tier" or "include" or "store"
                when !AsksForProbabilities(name, value):
            case "truncation" when value.IsText("disabled"):
                return conversation;
            case "include":
                throw Untranslatable(name, "another wire", "the probabilities of tokens are not translated");
            default:
                Unsayable.LeaveOut(name, name, value, _left);
                return conversation;
        }
    }

    static bool AsksForProbabilities(string name, JsonElement value) =>
        name == "include" && value.Elements(name).Any(what => what.Value.IsText("message.output_text.logprobs"));

    Conversation ReadText(Conversation conversation, JsonElement text)
    {
        text.LeaveOutOthers("text", _left, "format", "verbosity");
        if (text.Find("verbosity") is { } verbosity)
            conversation = conversation with { Verbosity = new(verbosity.Text("text.verbosity"), "text.verbosity") };
        return text.Find("format") is { } format
            ? conversation with { Format = OpenAiTools.ReadFormat(format, format, "text.format", "text.format", _left) }
            : conversation;
    }

    Effort? ReadEffort(JsonElement reasoning)
    {
        const string Path = "reasoning";
        reasoning.LeaveOutOthers(Path, _left, "effort", "summary", "generate_summary");
        var isShown = reasoning.Find("summary") is not null || reasoning.Find("generate_summary") is not null;
        if (reasoning.Find("effort") is { } effort)
            return EffortBudgets.Read(effort, $"{Path}.effort", isShown, _left);
        // A request to show thoughts without a level sets no limit.
        return isShown ? new(null, -1, Shown: true, $"{Path}.summary") : null;
    }
}
