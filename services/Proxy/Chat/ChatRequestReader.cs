using System.Text;
using System.Text.Json;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.Chat.ChatParameters;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Chat;

/// <summary>The one pass over a chat request's body. Throws what <see cref="StrictJson"/> throws; the message names the field.</summary>
ref struct ChatRequestReader
{
    StrictJson _json;
    readonly ChatRequest _request;
    bool _hasMessages;

    ChatRequestReader(ReadOnlySpan<byte> body)
    {
        _json = new StrictJson(body);
        _request = new ChatRequest { BodyBytes = body.Length };
    }

    public static ChatRequest Read(ReadOnlySpan<byte> body)
    {
        var reader = new ChatRequestReader(body);
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
        if (!_hasMessages)
            throw new ProblemException(Problems.Missing("messages"));
    }

    void ReadMember(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("messages"u8))
            ReadMessages();
        else if (name.SequenceEqual("model"u8))
            ReadModel();
        else if (name.SequenceEqual("stream"u8))
            _request.Stream = _json.ReadBool("stream");
        else if (name.SequenceEqual("stream_options"u8))
            _request.StreamOptions = StreamOptions.Read(ref _json);
        else if (name.SequenceEqual("max_tokens"u8))
            _request.MaxTokensMember = new(Here, _json.ReadCount("max_tokens", int.MaxValue));
        else if (name.SequenceEqual("max_completion_tokens"u8))
            _request.MaxCompletionTokensMember = new(Here, _json.ReadCount("max_completion_tokens", int.MaxValue));
        else if (name.SequenceEqual("n"u8))
            _request.Choices = _json.ReadCount("n", ModelRequest.MaxChoices) ?? 1;
        else if (name.SequenceEqual("tools"u8))
            ReadTools();
        else if (name.SequenceEqual("functions"u8))
            _request.HasTools |= _json.Token != JsonTokenType.Null;
        else if (name.SequenceEqual("user"u8))
            _request.User = _json.ReadText("user");
        else if (name.SequenceEqual("metadata"u8))
            ReadMetadata();
        else if (name.SequenceEqual("service_tier"u8))
        {
            ServiceTier.Check(ref _json);
            _request.ServiceTierValue = Here;
        }
        else if (name.SequenceEqual("modalities"u8))
            CheckModalities(ref _json);
        else
            CheckTop(name, _json.Token);
    }

    readonly ModelRequest.Place Here => new(_json.Start, _json.End - _json.Start);

    void ReadModel()
    {
        _request.Model = _json.ReadModel("model");
        _request.ModelValue = Here;
    }

    void ReadMetadata()
    {
        if (_json.Token != JsonTokenType.StartObject)
            return;
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("session_id"u8))
                _request.SessionId = _json.ReadText("metadata.session_id");
            _json.Skip();
        }
    }

    /// <summary>Tools of other types than these two are run by the provider, see <see cref="HostedTools"/>.</summary>
    void ReadTools()
    {
        _request.HasTools |= _json.Token != JsonTokenType.Null;
        if (_json.Token != JsonTokenType.StartArray)
            return;
        var (start, own) = (_json.Start, 0);
        for (var index = 0; _json.NextElement(); index++)
        {
            if (_json.Token != JsonTokenType.StartObject)
                throw Invalid($"tools[{index}]", "must be an object");
            string? hosted = null;
            ReadOnlySpan<byte> name = default;
            while (_json.NextMember(ref name))
            {
                if (name.SequenceEqual("type"u8) && !_json.IsString("function"u8) && !_json.IsString("custom"u8))
                    hosted = _json.ReadText($"tools[{index}].type") ?? "";
                _json.Skip();
            }
            if (hosted is null)
                own++;
            else
                (_request.Hosted ??= new($"tools[{index}].type")).Add(index, hosted);
        }
        HostedTools.End(_request.Hosted, new(start, _json.End - start), own);
    }

    void ReadMessages()
    {
        _hasMessages = true;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid("messages", "must be an array");
        ReadOnlySpan<byte> name = default;
        for (; _json.NextElement(); _request.Messages++)
        {
            if (_json.Token != JsonTokenType.StartObject)
                throw Invalid(Path(), "must be an object");
            while (_json.NextMember(ref name))
            {
                if (name.SequenceEqual("content"u8))
                    ReadContent();
                else if (ReasonAgainstContent(name, _json.Token) is { } reason)
                    throw Unpriceable($"{Path()}.{Encoding.UTF8.GetString(name)}", reason);
                _json.Skip();
            }
        }
        if (_request.Messages == 0)
            throw Invalid("messages", "must have at least one message");
    }

    void ReadContent()
    {
        if (_json.Token is JsonTokenType.String or JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Invalid($"{Path()}.content", "must be a string or an array of parts");
        for (var index = 0; _json.NextElement(); index++)
            ReadPart(index);
    }

    /// <summary>A part of an unknown type may be larger than its text. The model's context bounds it.</summary>
    void ReadPart(int index)
    {
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid($"{Path()}.content[{index}]", "must be an object");
        var isImage = false;
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            // Servers differ in which of the two members they use, so both are counted.
            isImage |= name.SequenceEqual("image_url"u8) || (name.SequenceEqual("type"u8) && _json.IsString("image_url"u8));
            if (name.SequenceEqual("type"u8) && !_json.IsString("text"u8) && !_json.IsString("image_url"u8) && !_json.IsString("refusal"u8)
                && !_json.IsString("thinking"u8))
                _request.BeyondText ??= $"{Path()}.content[{index}].type";
            if (ReasonAgainstContent(name, _json.Token) is { } reason)
                throw Unpriceable($"{Path()}.content[{index}].{Encoding.UTF8.GetString(name)}", reason);
            if (name.SequenceEqual("file"u8) && _json.Token == JsonTokenType.StartObject)
                ReadFile($"{Path()}.content[{index}].file");
            else
                _json.Skip();
        }
        _request.Images += isImage ? 1 : 0;
    }

    /// <summary>A file in the body is bounded by the context. One that the provider stores may be another customer's.</summary>
    void ReadFile(string path)
    {
        ReadOnlySpan<byte> name = default;
        while (_json.NextMember(ref name))
        {
            if (name.SequenceEqual("file_id"u8) && _json.Token != JsonTokenType.Null)
                throw Unpriceable($"{path}.file_id", "files that the provider stores belong to the project; send 'file_data'");
            _json.Skip();
        }
    }

    readonly string Path() => $"messages[{_request.Messages}]";
}
