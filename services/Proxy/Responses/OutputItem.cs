using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Responses;

enum OutputKind
{
    Text, Refusal, Reasoning, Call,

    /// <summary>A call of a tool that takes free text.</summary>
    TextCall,

    /// <summary>A call of one of OpenAI's built-in tools that the caller runs. It comes as a whole.</summary>
    BuiltInCall,

    Image,
}

/// <summary>One item of the output, with its text so far, and the fixed texts of the wire around it.</summary>
sealed class OutputItem
{
    // A JSON string without its closing quote.
    readonly ArrayBufferWriter<byte> _text = new(256);

    readonly string? _callId, _name;
    readonly Tool? _tool;

    public OutputItem(OutputKind kind, string responseId, int index, string? callId, string? name, Tool? tool)
    {
        (Kind, Index, _callId, _name, _tool) = (kind, index, callId, tool?.Member?.Name ?? name, tool);
        var prefix = kind switch
        {
            OutputKind.Reasoning => "rs",
            OutputKind.Call => "fc",
            OutputKind.TextCall => "ctc",
            OutputKind.BuiltInCall => "oc",
            OutputKind.Image => "ig",
            _ => "msg",
        };
        Id = $"{prefix}_{responseId["resp_".Length..]}_{index}";
        _text.Write("\""u8);
        var delta = kind switch
        {
            OutputKind.Text => "response.output_text.delta",
            OutputKind.Refusal => "response.refusal.delta",
            OutputKind.Reasoning => "response.reasoning_summary_text.delta",
            OutputKind.TextCall => "response.custom_tool_call_input.delta",
            _ => "response.function_call_arguments.delta",
        };
        var part = PartIndexMember is { } member ? $"\"{member}\":0," : "";
        BeforeSequence = Encoding.UTF8.GetBytes($"event: {delta}\ndata: {{\"type\":\"{delta}\",\"sequence_number\":");
        BeforeDelta = Encoding.UTF8.GetBytes($",\"item_id\":{JsonSerializer.Serialize(Id)},\"output_index\":{index},{part}\"delta\":");
        AfterDelta = (kind == OutputKind.Text ? ",\"logprobs\":[]}\n\n"u8 : "}\n\n"u8).ToArray();
    }

    public OutputKind Kind { get; }

    /// <summary>Place in the output.</summary>
    public int Index { get; }

    public string Id { get; }

    /// <summary>The provider's signature of thoughts. The caller sends it back unread.</summary>
    public string? Signature { get; set; }

    /// <summary>The answer ended in the middle of the item.</summary>
    public bool IsCut { get; set; }

    /// <summary>What a call has of its arguments.</summary>
    public string ArgumentsSoFar()
    {
        if (Kind != OutputKind.Call)
            return Arguments.ToString();
        var reader = new Utf8JsonReader([.. _text.WrittenSpan, (byte)'"']);
        reader.Read();
        return reader.Text();
    }

    /// <summary>The function's arguments so far, for calls that are no function to the caller.</summary>
    public StringBuilder Arguments { get; } = new();

    bool IsCall => Kind is OutputKind.Call or OutputKind.TextCall or OutputKind.BuiltInCall;

    public bool HasNoText => _text.WrittenCount == 1;

    /// <summary>The texts around a piece: up to the sequence number, from there to the piece, and behind it.</summary>
    public byte[] BeforeSequence { get; }
    public byte[] BeforeDelta { get; }
    public byte[] AfterDelta { get; }

    /// <summary>Null for items whose text stands in no part.</summary>
    public string? PartIndexMember => Kind switch
    {
        _ when IsCall => null,
        OutputKind.Reasoning => "summary_index",
        _ => "content_index",
    };

    public string? PartAdded => Kind switch
    {
        _ when IsCall => null,
        OutputKind.Reasoning => "response.reasoning_summary_part.added",
        _ => "response.content_part.added",
    };
    public string? PartDone => Kind switch
    {
        _ when IsCall => null,
        OutputKind.Reasoning => "response.reasoning_summary_part.done",
        _ => "response.content_part.done",
    };

    public string TextDone => Kind switch
    {
        OutputKind.Text => "response.output_text.done",
        OutputKind.Refusal => "response.refusal.done",
        OutputKind.Reasoning => "response.reasoning_summary_text.done",
        OutputKind.TextCall => "response.custom_tool_call_input.done",
        _ => "response.function_call_arguments.done",
    };

    public string TextMember => Kind switch
    {
        OutputKind.Refusal => "refusal",
        OutputKind.Call => "arguments",
        OutputKind.TextCall => ToolForms.Input,
        _ => "text",
    };

    /// <param name="escaped">The text as it stands between the quotes of a JSON string.</param>
    public void Add(ReadOnlySpan<byte> escaped) => _text.Write(escaped);

    /// <summary>The text so far as a JSON string.</summary>
    public void WriteText(Utf8JsonWriter json)
    {
        var quoted = _text.WrittenSpan;
        var whole = ArrayPool<byte>.Shared.Rent(quoted.Length + 1);
        quoted.CopyTo(whole);
        whole[quoted.Length] = (byte)'"';
        json.WriteRawValue(whole.AsSpan(0, quoted.Length + 1), skipInputValidation: true);
        ArrayPool<byte>.Shared.Return(whole);
    }

    public void WritePart(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString(
            "type", Kind switch { OutputKind.Refusal => "refusal", OutputKind.Reasoning => "summary_text", _ => "output_text" });
        if (Kind == OutputKind.Text)
        {
            json.WriteStartArray("annotations");
            json.WriteEndArray();
            json.WriteStartArray("logprobs");
            json.WriteEndArray();
        }
        json.WritePropertyName(TextMember);
        WriteText(json);
        json.WriteEndObject();
    }

    /// <param name="isDone">The item includes its text. Before its end an item is an empty frame.</param>
    public void Write(Utf8JsonWriter json, bool isDone)
    {
        json.WriteStartObject();
        json.WriteString("id", Id);
        json.WriteString("type", Kind switch
        {
            OutputKind.Reasoning => "reasoning",
            OutputKind.Call => "function_call",
            OutputKind.TextCall => "custom_tool_call",
            OutputKind.BuiltInCall => ToolForms.Of(_tool!.Form).Item,
            OutputKind.Image => "image_generation_call",
            _ => "message",
        });
        if (Kind != OutputKind.Reasoning)
            json.WriteString("status", !isDone ? "in_progress" : IsCut ? "incomplete" : "completed");
        switch (Kind)
        {
            case OutputKind.Call or OutputKind.TextCall:
                json.WritePropertyName(TextMember);
                WriteText(json);
                json.WriteString("call_id", _callId);
                json.WriteString("name", _name);
                if (_tool?.Member?.Group is { } group)
                    json.WriteString("namespace", group);
                break;
            case OutputKind.BuiltInCall:
                json.WriteString("call_id", _callId);
                if (_tool!.Form == ToolForm.ToolSearch)
                    json.WriteString("execution", "client");
                json.WritePropertyName(ToolForms.Of(_tool.Form).Member);
                CallArguments.Write(json, Arguments.ToString());
                break;
            case OutputKind.Image:
                json.WritePropertyName("result");
                if (isDone)
                    WriteText(json);
                else
                    json.WriteNullValue();
                break;
            case OutputKind.Reasoning:
                WriteParts(json, "summary", isDone);
                if (isDone && Signature is { } signature)
                    json.WriteString("encrypted_content", signature);
                break;
            default:
                WriteParts(json, "content", isDone);
                json.WriteString("role", "assistant");
                break;
        }
        json.WriteEndObject();
    }

    void WriteParts(Utf8JsonWriter json, string member, bool isDone)
    {
        json.WriteStartArray(member);
        if (isDone && !HasNoText)
            WritePart(json);
        json.WriteEndArray();
    }
}
