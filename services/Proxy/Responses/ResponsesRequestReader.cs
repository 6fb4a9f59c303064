using System.Text;
using System.Text.Json;
using LlmGateway.Proxy.Chat;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;
using static LlmGateway.Proxy.Responses.ResponsesParameters;

namespace LlmGateway.Proxy.Responses;

/// <summary>
/// The one pass over a Responses request's body. Throws what <see cref="StrictJson"/> throws; the message names the field.
/// </summary>
ref struct ResponsesRequestReader
{
    StrictJson _json;
    readonly ResponsesRequest _request;
    bool _hasInput, _demandsSearch;
    int? _mostCalls;

    ResponsesRequestReader(ReadOnlySpan<byte> body)
    {
        _json = new StrictJson(body);
        _request = new ResponsesRequest { BodyBytes = body.Length };
    }

    public static ResponsesRequest Read(ReadOnlySpan<byte> body)
    {
        var reader = new ResponsesRequestReader(body);
        reader.ReadBody();
        return reader._request;
    }

    void ReadBody()
    {
        _json.OpenBody();
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            ReadMember(name);
            _json.Skip();
        }
        _request.Closing = _json.Start;
        _json.Step();

        if (_request.Model.Length == 0)
            throw new ProblemException(Problems.Missing("model"));
        if (!_hasInput)
            throw new ProblemException(Problems.Missing("input"));
        EndSearch();
    }

    /// <summary>The bound and the demand may stand on either side of the tools.</summary>
    readonly void EndSearch()
    {
        if (_request.Hosted is { HasSearch: true } hosted)
        {
            hosted.Bound("max_tool_calls", _mostCalls);
            if (_demandsSearch)
                hosted.Demand(Choice);
        }
        else if (_demandsSearch)
            throw Unpriceable(Choice, BilledApart);
    }

    const string Choice = "tool_choice.type", BilledApart = "the provider runs this tool and bills it apart";

    void ReadMember(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("input"u8))
            ReadInput();
        else if (name.SequenceEqual("model"u8))
        {
            _request.Model = _json.ReadModel("model");
            _request.ModelValue = Here;
        }
        else if (name.SequenceEqual("stream"u8))
            _request.Stream = _json.ReadBool("stream");
        else if (name.SequenceEqual("max_output_tokens"u8))
            _request.MaxOutputTokens = new(Here, _json.ReadCount("max_output_tokens", int.MaxValue));
        else if (name.SequenceEqual("tools"u8))
            ReadTools();
        else if (name.SequenceEqual("include"u8))
            ReadInclude();
        else if (name.SequenceEqual("store"u8))
        {
            _json.ReadBool("store");
            _request.Store = Here;
        }
        else if (name.SequenceEqual("tool_choice"u8))
            ReadChoice();
        else if (name.SequenceEqual("max_tool_calls"u8))
            _mostCalls = _json.ReadBound();
        else if (name.SequenceEqual("user"u8))
            _request.User = _json.TextOrNull();
        else if (name.SequenceEqual("metadata"u8))
            _request.SessionId = _json.MemberText("session_id"u8);
        else if (name.SequenceEqual("service_tier"u8))
        {
            ServiceTier.Check(ref _json);
            _request.ServiceTierValue = Here;
        }
        else
            CheckTop(name, _json.Token);
    }

    readonly ModelRequest.Place Here => new(_json.Start, _json.End - _json.Start);

    void ReadInclude()
    {
        var start = _json.Start;
        if (_json.Token == JsonTokenType.StartArray)
            while (_json.NextElement())
            {
                _request.IncludesThoughts |= _json.IsString("reasoning.encrypted_content"u8);
                _json.Skip();
            }
        _request.Include = new(start, _json.End - start);
    }

    /// <summary>Tools of any kind that the caller runs cost their text. For the others see <see cref="HostedTools"/>.</summary>
    void ReadTools()
    {
        if (_json.Token == JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid("tools", "must be an array");
        _request.HasTools = true;
        var (start, own) = (_json.Start, 0);
        for (var index = 0; _json.NextElement(); index++)
        {
            if (ReadTool($"tools[{index}]") is not { } type)
            {
                own++;
                continue;
            }
            var hosted = _request.Hosted ??= new($"tools[{index}].type");
            if (ResponsesTools.IsSearch(type))
                hosted.AddSearch(index, type);
            else if (type.StartsWith("web_search_", StringComparison.Ordinal))
                hosted.AddOtherSearch(index, type, "web_search");
            else
                hosted.Add(index, type);
        }
        HostedTools.End(_request.Hosted, new(start, _json.End - start), own);
    }

    /// <summary>The type of a tool that the provider would run; null for one that the caller runs.</summary>
    string? ReadTool(string path)
    {
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid(path, "must be an object");
        var (type, isOwn, isPlain, inContainer) = ((string?)null, false, false, false);
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("type"u8))
            {
                isPlain = _json.IsString("function"u8) || _json.IsString("custom"u8) || _json.IsString("namespace"u8);
                isOwn = isPlain || (_json.Token == JsonTokenType.String && ResponsesTools.IsCallersOwn(_json.Raw));
                type = isPlain ? null : _json.ReadText($"{path}.type");
            }
            else if (name.SequenceEqual("environment"u8))
                inContainer = IsContainer();
            else if (name.SequenceEqual("tools"u8))
                ReadMembers($"{path}.tools");
            _json.Skip();
        }
        _request.BuiltInTools += isOwn && !isPlain ? 1 : 0;
        return isOwn && !inContainer ? null : type ?? "";
    }

    /// <summary>A shell without an environment is the caller's. All but 'local' are the provider's.</summary>
    bool IsContainer()
    {
        if (_json.Token != JsonTokenType.StartObject)
            return false;
        var isLocal = false;
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            isLocal |= name.SequenceEqual("type"u8) && _json.IsString("local"u8);
            _json.Skip();
        }
        return !isLocal;
    }

    /// <summary>The tools of a group or of an item. Both are for what the caller runs.</summary>
    void ReadMembers(string path)
    {
        if (_json.Token != JsonTokenType.StartArray)
            return;
        for (var index = 0; _json.NextElement(); index++)
            if (ReadTool($"{path}[{index}]") is not null)
                throw Unpriceable($"{path}[{index}].type", "only tools that the caller runs cost nothing beyond their tokens");
    }

    /// <summary>A tool that is left out cannot be demanded. Of a search that is known only later.</summary>
    void ReadChoice()
    {
        if (_json.Token != JsonTokenType.StartObject)
            return;
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("type"u8) && _json.Token == JsonTokenType.String && !ResponsesTools.IsCallersOwn(_json.Raw)
                && !_json.IsString("allowed_tools"u8))
                _demandsSearch = ResponsesTools.IsSearch(_json.GetString()) ? true : throw Unpriceable(Choice, BilledApart);
            _json.Skip();
        }
    }

    void ReadInput()
    {
        var start = _json.Start;
        ReadItems();
        _request.Input = new(start, _json.End - start);
    }

    void ReadItems()
    {
        _hasInput = _json.Token != JsonTokenType.Null;
        if (_json.Token == JsonTokenType.String)
            _request.Messages = 1;
        if (_json.Token is JsonTokenType.String or JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid("input", "must be a string or an array of items");
        for (; _json.NextElement(); _request.Messages++)
            ReadItem();
        if (_request.Messages == 0)
            throw Invalid("input", "must have at least one item");
    }

    /// <summary>
    /// An item without a type is a message. An item without content refers to something that the provider stores. An item of an unknown
    /// kind may be larger than its text; the model's context bounds it.
    /// </summary>
    void ReadItem()
    {
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid(Path(), "must be an object");
        var kind = ItemKind.Message;
        var (hasContent, hasMore, isSealed) = (false, false, false);
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("type"u8))
                kind = ReadKind();
            else if (name.SequenceEqual("content"u8) || name.SequenceEqual("output"u8))
            {
                hasContent |= _json.Token != JsonTokenType.Null;
                ReadParts(Encoding.UTF8.GetString(name));
            }
            else if (name.SequenceEqual("arguments"u8) || name.SequenceEqual("input"u8))
                hasContent |= _json.Token != JsonTokenType.Null;
            else if (name.SequenceEqual("encrypted_content"u8))
                isSealed = _json.ReadText($"{Path()}.encrypted_content") is { Length: > 0 };
            else if (name.SequenceEqual("result"u8))
            {
                hasContent |= _json.Token != JsonTokenType.Null;
                _request.Images++; // a picture that the model made
            }
            else if (name.SequenceEqual("tools"u8))
                ReadMembers($"{Path()}.tools");
            else if (ReasonAgainstContent(name, _json.Token) is { } reason)
                throw Unpriceable($"{Path()}.{Encoding.UTF8.GetString(name)}", reason);
            hasMore |= _json.Token != JsonTokenType.Null && !name.SequenceEqual("type"u8) && !name.SequenceEqual("id"u8)
                && !name.SequenceEqual("status"u8);
            _json.Skip();
        }
        var isThere = kind switch
        {
            ItemKind.Reasoning => hasContent || isSealed,
            ItemKind.Message or ItemKind.Call => hasContent,
            _ => hasMore,
        };
        if (!isThere)
            throw Unpriceable(Path(), "an item without content stands for one that is kept elsewhere, whose size is unknown");
        if (kind == ItemKind.Other)
            _request.BeyondText ??= $"{Path()}.type";
    }

    enum ItemKind { Message, Call, Reasoning, Text, Other }

    readonly ItemKind ReadKind()
    {
        if (_json.Token == JsonTokenType.Null || _json.IsString("message"u8))
            return ItemKind.Message;
        if (_json.IsString("function_call"u8) || _json.IsString("function_call_output"u8) || _json.IsString("custom_tool_call"u8)
            || _json.IsString("custom_tool_call_output"u8) || _json.IsString("image_generation_call"u8))
            return ItemKind.Call;
        if (_json.IsString("reasoning"u8))
            return ItemKind.Reasoning;
        if (_json.IsString("compaction_trigger"u8))
            throw Unpriceable($"{Path()}.type", "the provider would compact the conversation, which has no price; let the client do it");
        if (_json.IsString("item_reference"u8))
            throw Unpriceable(
                $"{Path()}.type", "lines of a batch refer to no other item; send the item itself (clients do with 'store': false)");
        return _json.Token == JsonTokenType.String && ResponsesTools.IsText(_json.Raw) ? ItemKind.Text : ItemKind.Other;
    }

    void ReadParts(string member)
    {
        // A picture of the screen is a part without brackets.
        if (_json.Token == JsonTokenType.StartObject)
        {
            ReadPart($"{Path()}.{member}");
            return;
        }
        if (_json.Token is JsonTokenType.String or JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid($"{Path()}.{member}", "must be a string or an array of parts");
        for (var index = 0; _json.NextElement(); index++)
            ReadPart($"{Path()}.{member}[{index}]");
    }

    /// <summary>A part of an unknown type may be larger than its text. The model's context bounds it.</summary>
    void ReadPart(string path)
    {
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid(path, "must be an object");
        var isImage = false;
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            // Servers differ in which of the two members they use, so both are counted.
            isImage |= name.SequenceEqual("image_url"u8) || (name.SequenceEqual("type"u8) && _json.IsString("input_image"u8));
            if (name.SequenceEqual("type"u8) && !IsText() && !_json.IsString("input_image"u8) && !_json.IsString("computer_screenshot"u8))
                _request.BeyondText ??= $"{path}.type";
            if (ReasonAgainstContent(name, _json.Token) is { } reason)
                throw Unpriceable($"{path}.{Encoding.UTF8.GetString(name)}", reason);
            _json.Skip();
        }
        _request.Images += isImage ? 1 : 0;
    }

    readonly bool IsText() =>
        _json.IsString("input_text"u8) || _json.IsString("output_text"u8) || _json.IsString("text"u8)
            || _json.IsString("refusal"u8) || _json.IsString("reasoning_text"u8) || _json.IsString("summary_text"u8);

    readonly string Path() => $"input[{_request.Messages}]";
}
