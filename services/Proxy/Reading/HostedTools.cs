using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using static LlmGateway.Proxy.FieldErrors;

namespace LlmGateway.Proxy;

/// <summary>
/// The tools of a request that its provider would run itself: searches, code, remote servers. They are billed apart, and what they find
/// becomes input of unknown size, so a request that is about them is refused. Agents offer them to the model beside their own tools, and it
/// need not use them: there they are left out, and the caller is told.
/// <para>
/// A search of the web is sent on to a model that has a price for it, when the request bounds how often the provider may search. Models are
/// known only after the request was read, and those that may take over can differ, so it is decided for each of them.
/// </para>
/// </summary>
/// <param name="path">The first of them, for the refusal.</param>
sealed class HostedTools(string path)
{
    /// <summary>The largest bound. What a request may cost grows with it.</summary>
    const int MaxSearches = 100;

    readonly List<(string Name, bool IsSearch)> _tools = [];

    // Callers choose the names and how many there are.
    readonly HashSet<(string Name, bool IsSearch)> _known = [];
    readonly HashSet<int> _others = [], _searches = [];

    long _most;

    // The member that must bound the searches and does not.
    string? _unbounded;

    // A search of a version that is never sent on, and the one that can be.
    string? _taken;

    // The field for which the request is refused where its search cannot be sent on. Null when it can be left out.
    string? _needed;

    /// <summary>The array of tools in the body.</summary>
    public ModelRequest.Place Tools { get; private set; }

    public bool HasSearch => _searches.Count > 0;

    /// <summary>Beside a search, which may be sent on, it is about the others.</summary>
    public ProblemException Refusal => RefusalOf(HasSearch && _others.Count > 0 ? PathOf(_others) : path, _taken);

    /// <summary>Ends the reading of a request's tools.</summary>
    /// <param name="tools">Those that the provider would run; null when there are none.</param>
    /// <param name="place">The array of tools in the body.</param>
    /// <param name="own">How many tools of the caller's own stand beside them.</param>
    public static void End(HostedTools? tools, ModelRequest.Place place, int own)
    {
        if (tools is null)
            return;
        tools.Tools = place;
        if (own > 0)
            return;
        if (tools._others.Count > 0)
            throw tools.Refusal;
        tools.Demand(path: tools.PathOfSearch);
    }

    /// <param name="index">Place in the array; -1 when it is not a whole element of it.</param>
    public void Add(int index, string name) => Add(index, name, isSearch: false);

    /// <param name="index">Place in the array.</param>
    public void AddSearch(int index, string name) => Add(index, name, isSearch: true);

    /// <summary>A search of a version that is never sent on. The refusal names the version that can be.</summary>
    /// <param name="taken">That version.</param>
    public void AddOtherSearch(int index, string name, string taken)
    {
        Add(index, name, isSearch: false);
        _taken = taken;
    }

    void Add(int index, string name, bool isSearch)
    {
        (isSearch ? _searches : _others).Add(index);
        if (_known.Add((name, isSearch)))
            _tools.Add((name, isSearch));
    }

    public bool Has(string name, bool isSearch) => _known.Contains((name, isSearch));

    public string PathOfSearch => PathOf(_searches);

    static string PathOf(HashSet<int> indexes) => $"tools[{indexes.First()}].type";

    /// <summary>The request is about its search, which therefore cannot be left out.</summary>
    /// <param name="path">The field for the refusal.</param>
    public void Demand(string path) => _needed ??= path;

    /// <summary>Takes a bound. Where there are several, each holds for some of the searches.</summary>
    /// <param name="member">Where it stands or is missing.</param>
    /// <param name="most">Null when there is none that bounds anything.</param>
    public void Bound(string member, int? most)
    {
        _most += most ?? 0;
        if (most is not (>= 1 and <= MaxSearches) || _most > MaxSearches)
            _unbounded ??= member;
    }

    /// <summary>How often the provider of an offer may search; 0 where the search is left out.</summary>
    public int SearchesOf(ModelOffer model) => HasSearch && _unbounded is null && CanBePaid(model) ? (int)_most : 0;

    /// <summary>A model whose price or context is unknown has no bound, however few the searches.</summary>
    static bool CanBePaid(ModelOffer model) =>
        model is { ContextTokens: > 0, Prices.PerWebSearch: not null }
            && (model.Prices.Tiers ?? []).All(tier => tier.Prices.PerWebSearch is not null);

    /// <summary>The reason why a provider cannot take the request, because it is about a search that is not sent on. Null when it can.
    /// </summary>
    /// <param name="passes">The provider speaks the caller's wire.</param>
    public Problem? RefusalBy(ModelOffer model, bool passes)
    {
        if (_needed is null || (passes && SearchesOf(model) > 0))
            return null;
        return passes && _unbounded is not null && CanBePaid(model)
            ? Unpriceable(_needed, $"without '{_unbounded}' from 1 to {MaxSearches} the provider may search as often as it likes").Problem
            : RefusalOf(_needed).Problem;
    }

    static ProblemException RefusalOf(string field, string? taken = null) => Unpriceable(
        field,
        "the provider runs it and bills it apart; only tools that the caller runs cost nothing beyond their tokens"
        + (taken is null ? "" : $", and '{taken}' where the model has a price for its searches"));

    /// <summary>What the caller is told: the tools' kinds.</summary>
    /// <param name="searches">The search is sent on.</param>
    public IReadOnlyList<string> LeftOut(bool searches) =>
        [.. _tools.Where(tool => !(searches && tool.IsSearch)).Select(tool => tool.Name).Distinct()];

    /// <summary>Takes the tools out of the array.</summary>
    /// <param name="searches">The search stays.</param>
    public void Remove(ByteEdits edits, ReadOnlySpan<byte> body, bool searches = false)
    {
        if (searches && _others.Count == 0)
            return;
        var array = body.Slice(Tools.Start, Tools.Length);
        var kept = new List<byte>(array.Length) { (byte)'[' };
        var reader = new Utf8JsonReader(array);
        reader.Read();
        for (var index = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; index++)
        {
            var start = (int)reader.TokenStartIndex;
            reader.StepOver();
            if (_others.Contains(index) || (!searches && _searches.Contains(index)))
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
