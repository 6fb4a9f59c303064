using System.Text.Json;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy;

/// <summary>
/// The tools of a request that its provider would run itself: searches, code, remote servers. They are billed apart, and what they find
/// becomes input of unknown size, so a request that is about them is refused. Agents offer them to the model beside their own tools, and it
/// need not use them: there they are left out, and the caller is told.
/// </summary>
/// <param name="path">The first of them, for the refusal.</param>
sealed class HostedTools(string path)
{
    readonly List<string> _names = [];
    readonly List<int> _indexes = [];

    /// <summary>What the caller is told: the tools' kinds.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>The array of tools in the body.</summary>
    public ModelRequest.Place Tools { get; set; }

    public ProblemException Refusal =>
        Unpriceable(path, "the provider runs it and bills it apart; only tools that the caller runs cost nothing beyond their tokens");

    /// <param name="index">Place in the array; -1 when it is not a whole element of it.</param>
    public void Add(int index, string name)
    {
        _indexes.Add(index);
        if (!_names.Contains(name))
            _names.Add(name);
    }

    /// <summary>Takes the tools out of the array.</summary>
    public void Remove(ByteEdits edits, ReadOnlySpan<byte> body)
    {
        var array = body.Slice(Tools.Start, Tools.Length);
        var kept = new List<byte>(array.Length) { (byte)'[' };
        var reader = new Utf8JsonReader(array);
        reader.Read();
        for (var index = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; index++)
        {
            var start = (int)reader.TokenStartIndex;
            reader.StepOver();
            if (_indexes.Contains(index))
                continue;
            if (kept.Count > 1)
                kept.Add((byte)',');
            kept.AddRange(array[start..(int)reader.BytesConsumed]);
        }
        kept.Add((byte)']');
        edits.Replace(Tools.Start, Tools.Length, kept.ToArray());
    }

    /// <summary>Takes out the members of each element that are tools of the provider; elements that have no others go with them.</summary>
    /// <param name="isOwn">True for members of the caller's own.</param>
    public void RemoveMembers(ByteEdits edits, ReadOnlySpan<byte> body, Func<string, bool> isOwn)
    {
        var reader = new Utf8JsonReader(body.Slice(Tools.Start, Tools.Length));
        using var tools = JsonDocument.ParseValue(ref reader);
        var elements = tools.RootElement.ValueKind == JsonValueKind.Array
            ? [.. tools.RootElement.EnumerateArray()]
            : (JsonElement[])[tools.RootElement];
        edits.Replace(Tools.Start, Tools.Length, JsonPen.Write(json =>
        {
            json.WriteStartArray();
            foreach (var element in elements)
            {
                var own = element.EnumerateObject().Where(member => isOwn(member.Name)).ToList();
                if (own.Count == 0)
                    continue;
                json.WriteStartObject();
                foreach (var member in own)
                {
                    json.WritePropertyName(member.Name);
                    json.WriteRawValue(member.Value.GetRawText(), skipInputValidation: true);
                }
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }));
    }
}
