using System.Text.Json;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.Anthropic.AnthropicParameters;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// The one pass over the body of a Messages request. Throws what <see cref="StrictJson"/> throws; the message names the field.
/// </summary>
ref struct AnthropicRequestReader
{
    StrictJson _json;
    readonly AnthropicRequest _request;
    bool _hasMessages;

    // Where the content that is being read stands, for messages. The inner path is that of a tool's result.
    int _block, _inner;

    enum Source { None, Base64, Url, Text, Other }

    AnthropicRequestReader(ReadOnlySpan<byte> body)
    {
        _json = new StrictJson(body);
        _request = new AnthropicRequest { BodyBytes = body.Length };
    }

    /// <param name="counting">The request only counts tokens and needs no output limit.</param>
    public static AnthropicRequest Read(ReadOnlySpan<byte> body, bool counting)
    {
        var reader = new AnthropicRequestReader(body);
        reader.ReadBody(counting);
        return reader._request;
    }

    void ReadBody(bool counting)
    {
        _json.OpenBody();
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            ReadMember(name);
            _json.Skip();
        }
        _json.Step();

        if (_request.Model.Length == 0)
            throw new ProblemException(Problems.Missing("model"));
        if (!_hasMessages)
            throw new ProblemException(Problems.Missing("messages"));
        if (_request.MaxTokens is null && !counting)
            throw new ProblemException(Problems.Missing("max_tokens"));
    }

    void ReadMember(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("messages"u8))
            ReadMessages();
        else if (name.SequenceEqual("model"u8))
            (_request.Model, _request.ModelValue) = (_json.ReadModel("model"), Here);
        else if (name.SequenceEqual("max_tokens"u8))
            _request.MaxTokensMember = new(Here, _json.ReadCount("max_tokens", int.MaxValue));
        else if (name.SequenceEqual("stream"u8))
            _request.Stream = _json.ReadBool("stream");
        else if (name.SequenceEqual("system"u8))
            ReadSystem();
        else if (name.SequenceEqual("tools"u8))
            ReadTools();
        else if (name.SequenceEqual("thinking"u8))
            ReadThinking();
        else if (name.SequenceEqual("service_tier"u8))
            CheckPlain(ref _json, "service_tier", "only the tiers 'auto' and 'standard_only' have a price", "auto"u8, "standard_only"u8);
        else if (name.SequenceEqual("speed"u8))
            CheckPlain(ref _json, "speed", "only the speed 'standard' has a price", "standard"u8, "standard"u8);
        else if (name.SequenceEqual("inference_geo"u8))
            CheckPlain(ref _json, "inference_geo", "regions have prices of their own", "global"u8, "global"u8);
        else if (name.SequenceEqual("context_management"u8))
            CheckContextManagement(ref _json);
        else
            CheckTop(name, ref _json);
    }

    readonly ModelRequest.Place Here => new(_json.Start, _json.End - _json.Start);

    void ReadThinking()
    {
        if (_json.Token == JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid("thinking", "must be an object");
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("budget_tokens"u8))
                _request.ThinkingBudget = new(Here, _json.ReadCount("thinking.budget_tokens", int.MaxValue));
            _json.Skip();
        }
    }

    /// <summary>
    /// Tools that the caller runs are text of known size. Tools that the provider runs are refused: they are billed by call, and the
    /// provider's definitions of them are input that the body does not contain.
    /// </summary>
    void ReadTools()
    {
        if (_json.Token == JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid("tools", "must be an array");
        for (var index = 0; _json.NextElement(); index++)
        {
            if (_json.Token != JsonTokenType.StartObject)
                throw Invalid($"tools[{index}]", "must be an object");
            _request.HasTools = true;
            ReadOnlySpan<byte> name = default;
            while (_json.NextMember(ref name))
            {
                if (name.SequenceEqual("type"u8) && _json.Token != JsonTokenType.Null && !_json.IsString("custom"u8))
                    throw Unpriceable($"tools[{index}].type", "only tools of type 'custom' cost nothing beyond their tokens");
                _json.Skip();
            }
        }
    }

    void ReadSystem()
    {
        if (_json.Token is JsonTokenType.String or JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid("system", "must be a string or an array of text blocks");
        ReadOnlySpan<byte> name = default;
        for (var index = 0; _json.NextElement(); index++)
        {
            if (_json.Token != JsonTokenType.StartObject)
                throw Invalid($"system[{index}]", "must be an object");
            while (_json.NextMember(ref name))
            {
                if (name.SequenceEqual("type"u8) && !_json.IsString("text"u8))
                    throw Unpriceable($"system[{index}].type", "only blocks of type 'text' have a price here");
                _json.Skip();
            }
        }
    }

    void ReadMessages()
    {
        _hasMessages = true;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid("messages", "must be an array");
        ReadOnlySpan<byte> name = default;
        for (; _json.NextElement(); _request.Messages++)
        {
            (_block, _inner) = (-1, -1);
            if (_json.Token != JsonTokenType.StartObject)
                throw Invalid(Path(), "must be an object");
            while (_json.NextMember(ref name))
            {
                if (name.SequenceEqual("content"u8))
                    ReadContent(isResult: false);
                _json.Skip();
            }
        }
        if (_request.Messages == 0)
            throw Invalid("messages", "must have at least one message");
    }

    void ReadContent(bool isResult)
    {
        if (_json.Token is JsonTokenType.String or JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid($"{Path()}.content", "must be a string or an array of blocks");
        for (var index = 0; _json.NextElement(); index++)
        {
            (_block, _inner) = isResult ? (_block, index) : (index, -1);
            ReadBlock();
        }
        (_block, _inner) = isResult ? (_block, -1) : (-1, -1);
    }

    /// <summary>A block of an unknown type is refused: it could stand for input of any size.</summary>
    void ReadBlock()
    {
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid(Path(), "must be an object");
        var (isImage, isDocument, source) = (false, false, Source.None);
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("type"u8))
                (isImage, isDocument) = ReadType();
            else if (name.SequenceEqual("source"u8))
                source = ReadSource();
            else if (name.SequenceEqual("content"u8) && _inner < 0)
                ReadContent(isResult: true);
            else if (name.SequenceEqual("citations"u8) && _json.Token == JsonTokenType.StartObject)
                throw Unpriceable($"{Path()}.citations", "a document that can be cited has more input than its text");
            _json.Skip();
        }
        if (isDocument && source != Source.Text)
            throw Unpriceable($"{Path()}.source", "only documents of type 'text' have a known size");
        if (isImage && source is not (Source.Base64 or Source.Url))
            throw Unpriceable($"{Path()}.source", "only images of type 'base64' and 'url' have a price");
        _request.Images += isImage ? 1 : 0;
    }

    readonly (bool IsImage, bool IsDocument) ReadType()
    {
        if (_json.IsString("image"u8))
            return (true, false);
        if (_json.IsString("document"u8))
            return (false, true);
        if (_json.IsString("text"u8))
            return default;
        if (_inner < 0 && (_json.IsString("tool_use"u8) || _json.IsString("tool_result"u8)
            || _json.IsString("thinking"u8) || _json.IsString("redacted_thinking"u8)))
            return default;
        throw Unpriceable($"{Path()}.type", _inner < 0
            ? "only blocks of type 'text', 'image', 'document', 'tool_use', 'tool_result', 'thinking' and 'redacted_thinking' have a price"
            : "only blocks of type 'text', 'image' and 'document' have a price here");
    }

    Source ReadSource()
    {
        if (_json.Token != JsonTokenType.StartObject)
            return Source.Other;
        var source = Source.Other;
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("type"u8))
                source = _json.IsString("base64"u8) ? Source.Base64
                    : _json.IsString("url"u8) ? Source.Url
                    : _json.IsString("text"u8) ? Source.Text
                    : Source.Other;
            _json.Skip();
        }
        return source;
    }

    readonly string Path() =>
        $"messages[{_request.Messages}]{(_block < 0 ? "" : $".content[{_block}]")}{(_inner < 0 ? "" : $".content[{_inner}]")}";
}
