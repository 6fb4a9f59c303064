using System.Text;
using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>The content of a whole answer, gathered from its events into blocks of this wire.</summary>
sealed class AnthropicBlocks
{
    readonly List<Block> _blocks = [];

    public string? Id { get; private set; }
    public IReadOnlyList<Block> Blocks => _blocks;
    public bool HasCalls { get; private set; }
    public bool IsRefused { get; private set; }
    public AnswerEvent Stop { get; private set; } = AnswerEvent.Finished(StopReason.End);

    public static AnthropicBlocks Of(IReadOnlyList<AnswerEvent> events)
    {
        var answer = new AnthropicBlocks();
        foreach (var e in events)
            answer.Add(e);
        return answer;
    }

    void Add(in AnswerEvent e)
    {
        switch (e.Kind)
        {
            case AnswerEventKind.Start:
                Id ??= e.Id;
                break;
            case AnswerEventKind.Text or AnswerEventKind.Refusal:
                IsRefused |= e.Kind == AnswerEventKind.Refusal;
                Last(AnswerEventKind.Text).Text.Append(e.Text);
                break;
            case AnswerEventKind.Reasoning:
                Last(AnswerEventKind.Reasoning).Text.Append(e.Text);
                break;
            case AnswerEventKind.Signature:
                Last(AnswerEventKind.Reasoning).Signature += e.Text;
                break;
            case AnswerEventKind.ToolCall:
                HasCalls = true;
                _blocks.Add(new(AnswerEventKind.ToolCall) { Call = e.Index, Id = e.Id, Name = e.Text });
                break;
            case AnswerEventKind.ToolArguments:
                var index = e.Index;
                _blocks.FindLast(block => block.Kind == AnswerEventKind.ToolCall && block.Call == index)?.Text.Append(e.Text);
                break;
            case AnswerEventKind.Finish:
                Stop = e;
                break;
        }
    }

    Block Last(AnswerEventKind kind)
    {
        // A signature belongs to the thoughts before it and ends them.
        if (_blocks is not [.., { Signature: null } last] || last.Kind != kind)
            _blocks.Add(last = new(kind));
        return last;
    }

    internal sealed class Block(AnswerEventKind kind)
    {
        public readonly AnswerEventKind Kind = kind;
        public readonly StringBuilder Text = new();
        public int Call;
        public string? Id, Name, Signature;

        public void Write(Utf8JsonWriter json)
        {
            json.WriteStartObject();
            if (Kind == AnswerEventKind.ToolCall)
            {
                json.WriteString("type", "tool_use");
                json.WriteString("id", Id);
                json.WriteString("name", Name);
                json.WritePropertyName("input");
                CallArguments.Write(json, Text.ToString());
            }
            else
            {
                var name = Kind == AnswerEventKind.Text ? "text" : "thinking";
                json.WriteString("type", name);
                json.WriteString(name, Text.ToString());
                if (Kind == AnswerEventKind.Reasoning)
                    json.WriteString("signature", Signature ?? "");
            }
            json.WriteEndObject();
        }
    }
}
