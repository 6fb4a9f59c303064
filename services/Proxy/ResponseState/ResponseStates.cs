using System.Security.Cryptography;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Responses;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>
/// What <c>store</c> of a Responses request promises, for every model: an answer can be continued, referred to, read and deleted by its
/// customer. Providers are told to store nothing; the whole conversation is said to them each time.
/// </summary>
public sealed class ResponseStates(KeptResponsesClient sessions, Envelope envelope, BodyBudget bodies, ILogger<ResponseStates> log)
{
    /// <summary>
    /// Reads a request for a response. What it refers to stands in the body then, so that it is priced and sent like any other.
    /// </summary>
    /// <exception cref="ProblemException">What it refers to is not there (404), or it cannot be looked for now (503).</exception>
    public async Task<(ModelRequest? Request, Problem? Problem)> ReadAsync(ModelCall call, RequestBody body)
    {
        var (references, makers, leftOut) = await OpenAsync(call, body);
        if (!Wires.Responses.TryRead(body.Memory.Span, default, out var read, out var problem))
            return (null, problem);
        if (references is null)
            throw new InvalidOperationException("a request was accepted that could not be read");
        var request = (ResponsesRequest)read;
        request.Turn = new(this, call, references.Previous, body, request)
        {
            Stores = references.Stores,
            Makers = makers,
            LeftOut = leftOut,
        };
        return (request, null);
    }

    /// <summary>False when it could not be kept. An answer that exists is not withheld because of that.</summary>
    internal async Task<bool> KeepAsync(
        Caller caller, Guid id, string provider, IReadOnlyDictionary<int, string> makers, ReadOnlyMemory<byte> input, byte[] response)
    {
        try
        {
            using var room = bodies.OpenRoom(caller.Owner);
            room.Take(2L * (input.Length + response.Length)); // as JSON, and packed
            if (Continuable(provider, makers, input, response) is not { } json)
                return false;
            var conversation = KeptConversation.Read(json);
            if (References.TextOf(conversation.Response, "status") == "failed")
                return false;
            var seal = SealOf(caller);
            var marks = conversation.Items.Reverse().Select(kept => References.TextOf(kept.Item, "id")).OfType<string>()
                .Distinct(StringComparer.Ordinal).Take(KeptResponse.MaxMarks).Select(seal.Mark);
            return await sessions.KeepAsync(
                caller.Credential.Customer!.Value, new(id, json.Length, [.. marks], seal.Seal(KeptConversation.Pack(json), id)));
        }
        catch (Exception e)
        {
            log.LogWarning("response {Id} could not be kept: {Message}", Ids.Show(Ids.Response, id), e.Message);
            return false;
        }
    }

    /// <summary>
    /// The conversation as it is kept; null when the request that continues it would be refused. Providers write what no caller may:
    /// that is kept in a form that can be said again.
    /// </summary>
    static byte[]? Continuable(
        string provider, IReadOnlyDictionary<int, string> makers, ReadOnlyMemory<byte> input, ReadOnlyMemory<byte> response)
    {
        if (!CanBeSaid(response))
            response = PlainForm.Of(response);
        var json = KeptConversation.Write(provider, makers, input.Span, response.Span);
        return json.Length <= KeptResponse.MaxBytes && CanBeSaid(response) ? json : null;
    }

    /// <summary>The input has passed the strict reader already; the answer has not.</summary>
    static bool CanBeSaid(ReadOnlyMemory<byte> response)
    {
        try
        {
            using var json = JsonDocument.Parse(response);
            var items = KeptConversation.OutputOf(json.RootElement).Where(References.IsSayable).Append(AnyMessage);
            return Wires.Responses.TryRead(Flattening.Rewrite(AnyRequest, items, isResolved: false), default, out _, out _);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    static readonly JsonElement AnyRequest = FieldReading.Parse("""{"model":"any"}"""u8);
    static readonly JsonElement AnyMessage = FieldReading.Parse("""{"role":"user","content":"any"}"""u8);

    /// <summary>Null when the customer has no such response.</summary>
    /// <param name="room">Counts what it takes up; the caller of this closes it when that is no longer needed.</param>
    public async Task<KeptConversation?> FindAsync(Caller caller, string id, BodyBudget.Room room) =>
        Ids.TryParse(Ids.Response, id, out var response)
            ? (await LoadAsync(caller, new(response, []), room)).Select(found => found.Conversation).FirstOrDefault()
            : null;

    public BodyBudget.Room OpenRoom(Caller caller) => bodies.OpenRoom(caller.Owner);

    public Task<bool> DeleteAsync(Caller caller, string id) => Ids.TryParse(Ids.Response, id, out var response)
        ? AskAsync(() => sessions.DeleteAsync(caller.Credential.Customer!.Value, response))
        : Task.FromResult(false);

    /// <summary>
    /// Replaces what the request refers to. The result has no references when the body is no JSON, which its reader says better.
    /// </summary>
    async Task<(References? References, IReadOnlyDictionary<int, string> Makers, IReadOnlyList<string> LeftOut)> OpenAsync(
        ModelCall call, RequestBody body)
    {
        if (TryParse(body.Memory) is not ({ } json, { } references))
            return (null, NoMakers, []);
        using (json)
        {
            if (references.IsEmpty)
                return (references, NoMakers, []);
            var leftOut = new List<string>();
            using var room = OpenRoom(call.Caller);
            var items = await FlattenAsync(call.Caller, json.RootElement, references, leftOut, room);
            var makers = items.Index().Where(kept => kept.Item.Maker is not null && References.IsSealed(kept.Item.Item))
                .ToDictionary(kept => kept.Index, kept => kept.Item.Maker!);
            // Last: what was parsed stands in the body that is given back here.
            body.Replace(WithinBounds(
                Flattening.Rewrite(json.RootElement, items.Select(kept => kept.Item), isResolved: references.Previous is not null)));
            return (references, makers, leftOut);
        }
    }

    static (JsonDocument Json, References References)? TryParse(ReadOnlyMemory<byte> body)
    {
        JsonDocument? json = null;
        try
        {
            json = JsonDocument.Parse(body);
            return (json, References.Read(json.RootElement));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            json?.Dispose();
            return null;
        }
    }

    static readonly Dictionary<int, string> NoMakers = [];

    static byte[] WithinBounds(byte[] whole) => whole.Length <= Body.MaxBytes ? whole
        : throw new ProblemException(Problems.TooLarge(Body.MaxBytes) with
        {
            Message = $"The conversation that the request continues has more than {Body.MaxBytes} bytes.",
        });

    async Task<List<(JsonElement Item, string? Maker)>> FlattenAsync(
        Caller caller, JsonElement request, References references, List<string> leftOut, BodyBudget.Room room)
    {
        if (references.Items.Count > KeptResponse.MaxMarks)
            throw FieldErrors.Invalid("input", $"may refer to at most {KeptResponse.MaxMarks} items");
        Guid? named = null;
        if (references.Previous is { } id)
            named = Ids.TryParse(Ids.Response, id, out var response) ? response
                : throw new ProblemException(Problems.ResponseNotFound(Flattening.Cut(id)));
        var found = await LoadAsync(caller, new(named, [.. references.Items.SelectMany(SealOf(caller).Marks)]), room);
        var previous = found.Find(one => one.Id == named).Conversation;
        if (named is not null && previous is null)
            throw new ProblemException(Problems.ResponseNotFound(Flattening.Cut(references.Previous!)));
        return Flattening.Flatten(request, previous, [.. found.Select(one => one.Conversation)], leftOut);
    }

    /// <summary>What is found counts for the customer before it is fetched: packed it may be a thousandth of its length.</summary>
    async Task<List<(Guid Id, KeptConversation Conversation)>> LoadAsync(
        Caller caller, KeptResponseQuestion question, BodyBudget.Room room)
    {
        var (seal, customer) = (SealOf(caller), caller.Credential.Customer!.Value);
        var found = await AskAsync(() => sessions.FindAsync(customer, question));
        room.Take(2L * found.Sum(one => (long)one.PlainBytes)); // sealed, and as JSON
        var opened = new List<(Guid, KeptConversation)>();
        foreach (var one in found)
            if (await AskAsync(() => sessions.GetAsync(customer, one.Id)) is { } bytes && Open(seal, one, bytes) is { } conversation)
                opened.Add((one.Id, conversation));
        return opened;
    }

    /// <summary>Null for what does not open: it was sealed under another master key, or is not this customer's.</summary>
    KeptConversation? Open(StateSeal seal, FoundResponse found, byte[] bytes)
    {
        try
        {
            return KeptConversation.Read(KeptConversation.Unpack(seal.Open(bytes, found.Id), found.PlainBytes));
        }
        catch (Exception e) when (e is CryptographicException or InvalidDataException)
        {
            log.LogError("response {Id} does not open: {Message}", Ids.Show(Ids.Response, found.Id), e.Message);
            return null;
        }
    }

    static async Task<T> AskAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception e) when (e is not ProblemException && Problems.IsOutage(e))
        {
            throw new ProblemException(Problems.Unavailable);
        }
    }

    StateSeal SealOf(Caller caller) =>
        new(envelope, caller.Credential.Project, caller.Credential.Test, caller.Credential.Customer!.Value);
}
