using System.Text;
using System.Text.Json;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy.Gemini;

/// <summary>
/// The one pass over a Gemini request's body. Throws what <see cref="StrictJson"/> throws; the message names the field. Where Google takes
/// a list, it also takes a single element without brackets, and its own examples use that form.
/// </summary>
ref struct GeminiRequestReader
{
    const int MaxCandidates = 8;

    StrictJson _json;
    readonly GeminiRequest _request;
    bool _hasContents;

    // The current place for messages: contents[_content].parts[_part]. A negative index means that there is no such list.
    string _section = "";
    int _content = -1, _part = -1;

    GeminiRequestReader(ReadOnlySpan<byte> body)
    {
        _json = new StrictJson(body);
        _request = new GeminiRequest { BodyBytes = body.Length };
    }

    public static GeminiRequest Read(ReadOnlySpan<byte> body)
    {
        var reader = new GeminiRequestReader(body);
        reader.ReadBody();
        return reader._request;
    }

    void ReadBody()
    {
        _json.OpenBody();
        ReadOnlySpan<byte> name = default;
        for (ulong seen = 0; _json.NextMember(ref name); _json.Skip())
        {
            switch (Known(GeminiParameters.Top, name, ref seen))
            {
                case "contents": ReadContents(); break;
                case "systemInstruction": ReadSystem(); break;
                case "tools": ReadTools(); break;
                case "generationConfig": ReadConfig(); break;
                case "serviceTier": CheckServiceTier(); break;
                case "model" when _json.Token != JsonTokenType.Null:
                    (_request.Model, _request.ModelValue) = (_json.ReadModel("model"), Here);
                    break;
                case null: ForbiddenMembers.Refuse(name, _json.Token); break;
            }
        }
        _request.Closing = _json.Start;
        _json.Step();
        if (!_hasContents)
            throw new ProblemException(Problems.Missing("contents"));
    }

    void ReadContents()
    {
        _section = "contents";
        var isList = _json.Token == JsonTokenType.StartArray;
        for (_content = 0; !isList || _json.NextElement(); _content++)
        {
            ReadContent();
            if (!isList)
                break;
        }
        _hasContents = isList ? _content > 0 : true;
        if (!_hasContents)
            throw Invalid("contents", "must have at least one content");
        (_section, _content) = ("", -1);
    }

    void ReadSystem()
    {
        _section = "systemInstruction";
        if (_json.Token != JsonTokenType.Null)
            ReadContent();
        _section = "";
    }

    void ReadContent()
    {
        RequireObject();
        _request.Messages++;
        ReadOnlySpan<byte> name = default;
        for (ulong seen = 0; _json.NextMember(ref name); _json.Skip())
            if (Known(GeminiParameters.Content, name, ref seen) == "parts")
                ReadParts();
    }

    void ReadParts()
    {
        if (_json.Token == JsonTokenType.Null)
            return;
        var isList = _json.Token == JsonTokenType.StartArray;
        for (_part = 0; !isList || _json.NextElement(); _part++)
        {
            ReadPart();
            if (!isList)
                break;
        }
        _part = -1;
    }

    void ReadPart()
    {
        RequireObject();
        ReadOnlySpan<byte> name = default;
        for (ulong seen = 0; _json.NextMember(ref name); _json.Skip())
        {
            switch (Known(GeminiParameters.Part, name, ref seen))
            {
                // It may be larger than its text. The model's context bounds it.
                case null or "toolCall" or "toolResponse" or "audioTranscription" or "mediaProcessing" or "speechMetadata":
                    if (_json.Token != JsonTokenType.Null)
                        _request.BeyondText ??= At(name);
                    break;
                case "inlineData" or "fileData": ReadMedia(name); break;
                case "functionResponse": ReadFunctionResponse(); break;
                case "mediaResolution": CheckMediaResolution(); break;
            }
        }
    }

    /// <summary>
    /// Images have a bound without being opened, and documents that of the model's context. Sound has rates of its own, and videos have
    /// sound.
    /// </summary>
    void ReadMedia(ReadOnlySpan<byte> of)
    {
        if (_json.Token == JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid(At(of), "must be an object");
        var (isImage, isDocument) = (false, false);
        ReadOnlySpan<byte> name = default;
        for (ulong seen = 0; _json.NextMember(ref name); _json.Skip())
        {
            var member = Known(GeminiParameters.Media, name, ref seen);
            if (member == "fileUri" && _json.ReadText(At(name)) is { } address && GeminiMedia.IsStored(address))
                throw Unpriceable($"{At(of)}.{Encoding.UTF8.GetString(name)}", GeminiMedia.Foreign);
            if (member != "mimeType" || _json.ReadText(At(name)) is not { } type)
                continue;
            isImage = type.StartsWith("image/", StringComparison.OrdinalIgnoreCase);
            isDocument = type.StartsWith("text/", StringComparison.OrdinalIgnoreCase)
                || type.StartsWith("application/", StringComparison.OrdinalIgnoreCase);
        }
        if (!isImage && !isDocument)
            throw Unpriceable(At(of), "only media whose 'mimeType' says 'image/…', 'text/…' or 'application/…' have a price");
        if (isImage)
            _request.Images++;
        else
            _request.BeyondText ??= At(of);
    }

    /// <summary>A function's response may contain images.</summary>
    void ReadFunctionResponse()
    {
        if (_json.Token != JsonTokenType.StartObject)
            return;
        ReadOnlySpan<byte> name = default;
        for (ulong seen = 0; _json.NextMember(ref name); _json.Skip())
        {
            if (Known(GeminiParameters.FunctionResponse, name, ref seen) != "parts" || _json.Token == JsonTokenType.Null)
                continue;
            if (_json.Token != JsonTokenType.StartArray)
                throw Invalid(At("functionResponse.parts"u8), "must be an array");
            while (_json.NextElement())
                ReadFunctionResponsePart();
        }
    }

    void ReadFunctionResponsePart()
    {
        RequireObject();
        ReadOnlySpan<byte> name = default;
        for (ulong seen = 0; _json.NextMember(ref name); _json.Skip())
        {
            if (Known(GeminiParameters.FunctionResponsePart, name, ref seen) is not null)
                ReadMedia(name);
            else
                _request.BeyondText ??= At(name);
        }
    }

    void CheckMediaResolution()
    {
        if (_json.Token != JsonTokenType.StartObject)
            return;
        ReadOnlySpan<byte> name = default;
        for (ulong seen = 0; _json.NextMember(ref name); _json.Skip())
            Known(GeminiParameters.MediaResolution, name, ref seen);
    }

    /// <summary>Functions are text of known size. For the tools that Google runs see <see cref="HostedTools"/>.</summary>
    void ReadTools()
    {
        _request.HasTools |= _json.Token != JsonTokenType.Null;
        if (_json.Token == JsonTokenType.Null)
            return;
        _section = "tools";
        var (start, own) = (_json.Start, 0);
        var isList = _json.Token == JsonTokenType.StartArray;
        for (_content = 0; !isList || _json.NextElement(); _content++)
        {
            RequireObject();
            ReadOnlySpan<byte> name = default;
            for (ulong seen = 0; _json.NextMember(ref name); _json.Skip())
                if (Known(GeminiParameters.Tool, name, ref seen) is { } known)
                {
                    own += _json.Token == JsonTokenType.Null ? 0 : 1;
                    _request.BuiltInTools += known == "computerUse" ? 1 : 0;
                }
                else if (_json.Token is not (JsonTokenType.Null or JsonTokenType.False))
                    (_request.Hosted ??= new(At(name))).Add(-1, Encoding.UTF8.GetString(name));
            if (!isList)
                break;
        }
        (_section, _content) = ("", -1);
        HostedTools.End(_request.Hosted, new(start, _json.End - start), own);
    }

    void ReadConfig()
    {
        _request.Config = Here;
        if (_json.Token == JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid("generationConfig", "must be an object");
        _section = "generationConfig";
        _request.ConfigIsObject = _request.ConfigIsEmpty = true;
        ReadOnlySpan<byte> name = default;
        for (ulong seen = 0; _json.NextMember(ref name); _json.Skip())
        {
            _request.ConfigIsEmpty = false;
            switch (Known(GeminiParameters.Config, name, ref seen))
            {
                case "maxOutputTokens": _request.MaxOutputTokens = new(Here, _json.ReadCount(At(name), int.MaxValue)); break;
                case "candidateCount": _request.Choices = _json.ReadCount(At(name), MaxCandidates) ?? 1; break;
                case "responseModalities": CheckModalities(name); break;
                case "thinkingConfig": CheckThinking(); break;
            }
        }
        _section = "";
    }

    /// <summary>
    /// Thoughts count toward the output limit. A budget that servers could read differently is refused. 0 means none, -1 no limit.
    /// </summary>
    void CheckThinking()
    {
        if (_json.Token == JsonTokenType.Null)
            return;
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid("generationConfig.thinkingConfig", "must be an object");
        _section = "generationConfig.thinkingConfig";
        ReadOnlySpan<byte> name = default;
        for (ulong seen = 0; _json.NextMember(ref name); _json.Skip())
            if (Known(GeminiParameters.Thinking, name, ref seen) == "thinkingBudget")
                _json.ReadCount(At(name), int.MaxValue, min: -1);
        _section = "generationConfig";
    }

    void CheckModalities(ReadOnlySpan<byte> name)
    {
        if (_json.Token == JsonTokenType.Null || _json.IsString("TEXT"u8))
            return;
        if (_json.Token != JsonTokenType.StartArray)
            throw Unpriceable(At(name), "only 'TEXT' has a price");
        while (_json.NextElement())
            if (!_json.IsString("TEXT"u8))
                throw Unpriceable(At(name), "only 'TEXT' has a price");
    }

    /// <summary>Other service tiers have other prices.</summary>
    readonly void CheckServiceTier()
    {
        var isStandard = _json.Token == JsonTokenType.Null || _json.IsString("standard"u8) || _json.IsString("unspecified"u8)
            || _json.IsString("SERVICE_TIER_STANDARD"u8) || _json.IsString("SERVICE_TIER_UNSPECIFIED"u8);
        if (!isStandard)
            throw Unpriceable("serviceTier", "only the tier 'standard' has a price");
    }

    /// <summary>
    /// The field's name in camel case; null when the object has no such field. Refuses fields without a price, other spellings, and two
    /// spellings at once.
    /// </summary>
    readonly string? Known(GeminiFields fields, ReadOnlySpan<byte> name, ref ulong seen)
    {
        if (fields.Find(name) is not { } field)
            return null;
        if (!field.IsSpelt(name))
            throw Invalid(At(name), $"must be written '{field.Name}'");
        if ((seen & fields.BitOf(field)) != 0)
            throw Invalid(At(name), "stands there in both of its spellings");
        seen |= fields.BitOf(field);
        if (field.Unpriced is { } reason && _json.Token is not (JsonTokenType.Null or JsonTokenType.False))
            throw Unpriceable(At(name), reason);
        return field.Name;
    }

    readonly ModelRequest.Place Here => new(_json.Start, _json.End - _json.Start);

    readonly void RequireObject()
    {
        if (_json.Token != JsonTokenType.StartObject)
            throw Invalid(At(default), "must be an object");
    }

    readonly string At(ReadOnlySpan<byte> name)
    {
        var path = new StringBuilder(_section);
        if (_content >= 0)
            path.Append('[').Append(_content).Append(']');
        if (_part >= 0)
            path.Append(".parts[").Append(_part).Append(']');
        if (name.Length > 0)
            path.Append(path.Length > 0 ? "." : "").Append(Encoding.UTF8.GetString(name));
        return path.ToString();
    }
}
