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
    bool _hasInput;

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
    }

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
        else if (name.SequenceEqual("service_tier"u8))
            ChatParameters.CheckServiceTier(ref _json);
        else
            CheckTop(name, _json.Token);
    }

    readonly ModelRequest.Place Here => new(_json.Start, _json.End - _json.Start);

    void ReadInclude()
    {
        var start = _json.Start;
        _request.IncludesThoughts = CheckInclude(ref _json);
        _request.Include = new(start, _json.End - start);
    }

    /// <summary>
    /// Functions are text of known size. Tools that the provider runs are refused: they are billed by call, and what they find becomes
    /// input.
    /// </summary>
    void ReadTools()
    {
        if (_json.Token == JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid("tools", "must be an array");
        _request.HasTools = true;
        for (var index = 0; _json.NextElement(); index++)
        {
            if (_json.Token != JsonTokenType.StartObject)
                throw Invalid($"tools[{index}]", "must be an object");
            var isFunction = false;
            ReadOnlySpan<byte> name = default;
            while (_json.NextMember(ref name))
            {
                isFunction |= name.SequenceEqual("type"u8) && _json.IsString("function"u8);
                _json.Skip();
            }
            if (!isFunction)
                throw Unpriceable($"tools[{index}].type", "only tools of type 'function' cost nothing beyond their tokens");
        }
    }

    void ReadInput()
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

    /// <summary>An item without a type is a message. An item without content refers to something that the provider stores.</summary>
    void ReadItem()
    {
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid(Path(), "must be an object");
        var kind = ItemKind.Message;
        var (hasContent, isSealed) = (false, false);
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("type"u8))
                kind = ReadKind();
            else if (name.SequenceEqual("content"u8))
            {
                hasContent = _json.Token != JsonTokenType.Null;
                ReadParts("content");
            }
            else if (name.SequenceEqual("output"u8))
            {
                hasContent = _json.Token != JsonTokenType.Null;
                ReadParts("output");
            }
            else if (name.SequenceEqual("arguments"u8))
                hasContent = _json.Token != JsonTokenType.Null;
            else if (name.SequenceEqual("encrypted_content"u8))
                isSealed = _json.ReadText($"{Path()}.encrypted_content") is { Length: > 0 };
            else if (ReasonAgainstContent(name, _json.Token) is { } reason)
                throw Unpriceable($"{Path()}.{Encoding.UTF8.GetString(name)}", reason);
            _json.Skip();
        }
        if (!hasContent && !(kind == ItemKind.Reasoning && isSealed))
            throw Unpriceable(Path(), "an item without content stands for one that is kept elsewhere, whose size is unknown");
    }

    enum ItemKind { Message, Call, Reasoning }

    readonly ItemKind ReadKind()
    {
        if (_json.Token == JsonTokenType.Null || _json.IsString("message"u8))
            return ItemKind.Message;
        if (_json.IsString("function_call"u8) || _json.IsString("function_call_output"u8))
            return ItemKind.Call;
        if (_json.IsString("reasoning"u8))
            return ItemKind.Reasoning;
        throw Unpriceable($"{Path()}.type", _json.IsString("item_reference"u8)
            ? "what the provider keeps is of unknown size; send the item itself (clients do with 'store': false)"
            : "only items of type 'message', 'function_call', 'function_call_output' and 'reasoning' have a price");
    }

    void ReadParts(string member)
    {
        if (_json.Token is JsonTokenType.String or JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid($"{Path()}.{member}", "must be a string or an array of parts");
        for (var index = 0; _json.NextElement(); index++)
            ReadPart($"{Path()}.{member}[{index}]");
    }

    /// <summary>A part of an unknown type is refused: it could stand for input of any size.</summary>
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
            if (name.SequenceEqual("type"u8) && !IsPriced())
                throw Unpriceable(
                    $"{path}.type",
                    "only parts of type 'input_text', 'input_image', 'output_text', 'refusal' and 'reasoning_text' have a price");
            if (ReasonAgainstContent(name, _json.Token) is { } reason)
                throw Unpriceable($"{path}.{Encoding.UTF8.GetString(name)}", reason);
            _json.Skip();
        }
        _request.Images += isImage ? 1 : 0;
    }

    readonly bool IsPriced() =>
        _json.IsString("input_text"u8) || _json.IsString("output_text"u8) || _json.IsString("input_image"u8)
            || _json.IsString("refusal"u8) || _json.IsString("reasoning_text"u8);

    readonly string Path() => $"input[{_request.Messages}]";
}
