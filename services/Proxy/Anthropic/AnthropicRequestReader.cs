using System.Text;
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
    string? _chosen;

    // Where the content that is being read stands, for messages. The inner path is that of a tool's result.
    int _block, _inner;

    enum Source { None, Base64, Url, Text, File, Other }

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
        if (_chosen is not null && _request.Hosted is { } hosted)
        {
            if (hosted.Has(_chosen, isSearch: false))
                throw hosted.Refusal;
            if (hosted.Has(_chosen, isSearch: true))
                hosted.Demand(hosted.PathOfSearch);
        }
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
        else if (name.SequenceEqual("tool_choice"u8))
            ReadChoice();
        else if (name.SequenceEqual("thinking"u8))
            ReadThinking();
        else if (name.SequenceEqual("metadata"u8))
            _request.User = _json.MemberText("user_id"u8);
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

    /// <summary>Tools that the caller runs cost their text. For the others see <see cref="HostedTools"/>.</summary>
    void ReadTools()
    {
        if (_json.Token == JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid("tools", "must be an array");
        var (start, own) = (_json.Start, 0);
        for (var index = 0; _json.NextElement(); index++)
        {
            if (_json.Token != JsonTokenType.StartObject)
                throw Invalid($"tools[{index}]", "must be an object");
            _request.HasTools = true;
            string? type = null;
            int? uses = null;
            var hasUses = false;
            ReadOnlySpan<byte> name = default, called = default;
            while (_json.NextMember(ref name))
            {
                if (name.SequenceEqual("type"u8) && _json.Token != JsonTokenType.Null && !_json.IsString("custom"u8))
                    type = _json.ReadText($"tools[{index}].type");
                else if (name.SequenceEqual("name"u8) && _json.Token == JsonTokenType.String)
                    called = _json.Raw;
                else if (Ascii.EqualsIgnoreCase(name, "max_uses"u8))
                    // Two spellings bound nothing: servers differ in which of them they read.
                    (uses, hasUses) = (hasUses || !name.SequenceEqual("max_uses"u8) ? null : _json.ReadBound(), true);
                _json.Skip();
            }
            Count(type, called, uses, index, ref own);
        }
        HostedTools.End(_request.Hosted, new(start, _json.End - start), own);
    }

    /// <param name="type">Null for a tool that the request defines.</param>
    /// <param name="uses">How often the provider may run it.</param>
    readonly void Count(string? type, ReadOnlySpan<byte> called, int? uses, int index, ref int own)
    {
        // A search among the tools of the body runs at the provider, but what it finds is in the body.
        var isSearch = type?.StartsWith("tool_search_tool_", StringComparison.Ordinal) == true;
        if (isSearch)
            _request.BeyondText ??= $"tools[{index}].type";
        if (type is null || isSearch || AnthropicTools.Find(type) is not null)
            own++;
        else
            AddHosted(type, called.IsEmpty ? type : Encoding.UTF8.GetString(called), uses, index);
        _request.BuiltInTools += type is null ? 0 : 1;
    }

    const string Search = "web_search_20250305";

    readonly void AddHosted(string type, string called, int? uses, int index)
    {
        var hosted = _request.Hosted ??= new($"tools[{index}].type");
        // Later ones filter what they found by running code, and nothing bounds how often the model reads its context then.
        if (type != Search)
        {
            if (type.StartsWith("web_search_", StringComparison.Ordinal))
                hosted.AddOtherSearch(index, called, Search);
            else
                hosted.Add(index, called);
            return;
        }
        hosted.AddSearch(index, called);
        hosted.Bound($"tools[{index}].max_uses", uses);
    }

    /// <summary>A tool that is left out cannot be demanded.</summary>
    void ReadChoice()
    {
        if (_json.Token != JsonTokenType.StartObject)
            return;
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("name"u8))
                _chosen = _json.ReadText("tool_choice.name");
            _json.Skip();
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
                    _request.BeyondText ??= $"system[{index}].type";
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

    /// <summary>A block of an unknown type may be larger than its text. The model's context bounds it.</summary>
    void ReadBlock()
    {
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid(Path(), "must be an object");
        var (isImage, isKnown, isBeyond, source) = (false, true, false, Source.None);
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("type"u8))
                (isImage, isKnown) = (_json.IsString("image"u8), IsText() || _json.IsString("image"u8));
            else if (name.SequenceEqual("source"u8))
                source = ReadSource();
            else if (name.SequenceEqual("content"u8) && _inner < 0 && _json.Token == JsonTokenType.StartArray)
                ReadContent(isResult: true);
            // A document that can be cited has more input than its text.
            isBeyond |= name.SequenceEqual("citations"u8) && _json.Token == JsonTokenType.StartObject;
            if (name.SequenceEqual("file_id"u8) && _json.Token != JsonTokenType.Null)
                throw Unpriceable($"{Path()}.file_id", Foreign);
            _json.Skip();
        }
        isBeyond |= !isKnown;
        isBeyond |= source is Source.Base64 or Source.Url && !isImage;
        if (source == Source.File)
            throw Unpriceable($"{Path()}.source", Foreign);
        isBeyond |= source == Source.Other;
        if (isBeyond)
            _request.BeyondText ??= $"{Path()}.type";
        _request.Images += isImage ? 1 : 0;
    }

    const string Foreign = "files that the provider stores belong to the project; send the content itself";

    readonly bool IsText() =>
        _json.IsString("text"u8) || _json.IsString("document"u8) || _json.IsString("tool_use"u8) || _json.IsString("tool_result"u8)
            || _json.IsString("thinking"u8) || _json.IsString("redacted_thinking"u8) || _json.IsString("search_result"u8)
            || _json.IsString("tool_reference"u8);

    Source ReadSource()
    {
        // The source of a search's result is its address.
        if (_json.Token != JsonTokenType.StartObject)
            return _json.Token == JsonTokenType.String ? Source.None : Source.Other;
        var source = Source.Other;
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("type"u8))
                source = _json.IsString("base64"u8) ? Source.Base64
                    : _json.IsString("url"u8) ? Source.Url
                    : _json.IsString("text"u8) ? Source.Text
                    : _json.IsString("file"u8) ? Source.File
                    : Source.Other;
            _json.Skip();
        }
        return source;
    }

    readonly string Path() =>
        $"messages[{_request.Messages}]{(_block < 0 ? "" : $".content[{_block}]")}{(_inner < 0 ? "" : $".content[{_inner}]")}";
}
