using LlmGateway.Proxy.Chat;
using System.Text.Json;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.OneShots;

/// <summary>
/// The one pass over a completion request's body. Throws what <see cref="StrictJson"/> throws; the message names the field.
/// </summary>
ref struct CompletionRequestReader
{
    /// <summary>Members that decide the cost and are read. Any other spelling of their names is refused.</summary>
    static readonly byte[][] Decisive =
    [
        "model"u8.ToArray(), "prompt"u8.ToArray(), "suffix"u8.ToArray(), "n"u8.ToArray(), "best_of"u8.ToArray(), "max_tokens"u8.ToArray(),
        "echo"u8.ToArray(), "stream"u8.ToArray(),
        "stream_options"u8.ToArray(), "service_tier"u8.ToArray(),
    ];

    StrictJson _json;
    readonly CompletionRequest _request;
    int? _bestOf;
    int _each = 1;
    bool _echoes;

    CompletionRequestReader(ReadOnlySpan<byte> body)
    {
        _json = new StrictJson(body);
        _request = new CompletionRequest { BodyBytes = body.Length };
    }

    public static CompletionRequest Read(ReadOnlySpan<byte> body)
    {
        var reader = new CompletionRequestReader(body);
        reader.ReadBody();
        if (reader._echoes)
            reader._request.EchoedTokens = reader._each * TokenEstimate.OfRequest(body);
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
        if (_request.Messages == 0)
            throw new ProblemException(Problems.Missing("prompt"));
        if (_bestOf > _each)
            throw Unpriceable("best_of", "answers that are thrown away are billed too; use 'n'");
        if ((long)_each * _request.Messages > ModelRequest.MaxChoices)
            throw Invalid("prompt", $"must not ask for more than {ModelRequest.MaxChoices} answers, 'n' for each prompt");
        _request.Choices = _each * _request.Messages;
    }

    void ReadMember(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("prompt"u8))
            ReadPrompt();
        else if (name.SequenceEqual("suffix"u8))
            _json.ReadText("suffix");
        else if (name.SequenceEqual("model"u8))
            (_request.Model, _request.ModelValue) = (_json.ReadModel("model"), Here);
        else if (name.SequenceEqual("stream"u8))
            _request.Stream = _json.ReadBool("stream");
        else if (name.SequenceEqual("stream_options"u8))
            _request.StreamOptions = StreamOptions.Read(ref _json);
        else if (name.SequenceEqual("max_tokens"u8))
            _request.MaxTokensMember = new(Here, _json.ReadCount("max_tokens", int.MaxValue, min: 0));
        else if (name.SequenceEqual("n"u8))
            _each = _json.ReadCount("n", ModelRequest.MaxChoices) ?? 1;
        else if (name.SequenceEqual("best_of"u8))
            _bestOf = _json.ReadCount("best_of", int.MaxValue, min: 0);
        else if (name.SequenceEqual("echo"u8))
            _echoes = _json.ReadBool("echo");
        else if (name.SequenceEqual("user"u8))
            _request.User = _json.TextOrNull();
        else if (name.SequenceEqual("service_tier"u8))
            ServiceTier.Check(ref _json);
        else
            ChatParameters.CheckTop(name, _json.Token, Decisive);
    }

    readonly ModelRequest.Place Here => new(_json.Start, _json.End - _json.Start);

    /// <summary>
    /// Reads a text, several texts, tokens, or several lists of tokens. Anything else is refused: it could stand for input of any size.
    /// </summary>
    void ReadPrompt()
    {
        if (_json.Token == JsonTokenType.Null)
            return;
        _request.Messages = 1;
        if (_json.Token == JsonTokenType.String)
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw NoPrompt;
        var (kind, count) = (JsonTokenType.None, 0);
        for (; _json.NextElement(); count++)
        {
            if (count == 0)
                kind = _json.Token;
            if (_json.Token != kind || kind is not (JsonTokenType.String or JsonTokenType.Number or JsonTokenType.StartArray))
                throw NoPrompt;
            while (kind == JsonTokenType.StartArray && _json.NextElement())
                if (_json.Token != JsonTokenType.Number)
                    throw NoPrompt;
        }
        if (count == 0)
            throw NoPrompt;
        _request.Messages = kind == JsonTokenType.Number ? 1 : count;
    }

    static ProblemException NoPrompt =>
        Invalid("prompt", "must be a string, an array of strings, an array of tokens or an array of arrays of tokens");
}
