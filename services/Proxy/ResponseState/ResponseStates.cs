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
public sealed class ResponseStates(KeptResponsesClient sessions, Envelope envelope, ILogger<ResponseStates> log)
{
    /// <summary>
    /// Reads a request for a response. What it refers to stands in the body then, so that it is priced and sent like any other.
    /// </summary>
    /// <exception cref="ProblemException">What it refers to is not there (404), or it cannot be looked for now (503).</exception>
    public async Task<(ModelRequest? Request, Problem? Problem)> ReadAsync(ModelCall call, RequestBody body)
    {
        var turn = await OpenAsync(call, body);
        if (!Wires.Responses.TryRead(body.Memory.Span, default, out var request, out var problem))
            return (null, problem);
        ((ResponsesRequest)request).Turn = turn ?? throw new InvalidOperationException("a request was accepted that could not be read");
        return (request, null);
    }

    /// <summary>False when it could not be kept. An answer that exists is not withheld because of that.</summary>
    internal async Task<bool> KeepAsync(Caller caller, Guid id, string provider, IReadOnlyList<JsonElement> input, byte[] response)
    {
        try
        {
            var conversation = new KeptConversation(provider, input, FieldReading.Parse(response));
            if (References.TextOf(conversation.Response, "status") == "failed")
                return false;
            if (conversation.Pack() is not { Length: <= KeptResponse.MaxBytes - StateSeal.Overhead } packed)
                return false;
            var seal = SealOf(caller);
            var marks = conversation.Items.Reverse().Select(item => References.TextOf(item, "id")).OfType<string>()
                .Distinct(StringComparer.Ordinal).Take(KeptResponse.MaxMarks).Select(seal.Mark);
            return await sessions.KeepAsync(caller.Credential.Customer!.Value, new(id, [.. marks], seal.Seal(packed, id)));
        }
        catch (Exception e)
        {
            log.LogWarning("response {Id} could not be kept: {Message}", Ids.Show(Ids.Response, id), e.Message);
            return false;
        }
    }

    /// <summary>Null when the customer has no such response.</summary>
    public async Task<KeptConversation?> FindAsync(Caller caller, string id) =>
        Ids.TryParse(Ids.Response, id, out var response)
            && await AskAsync(() => sessions.FindAsync(caller.Credential.Customer!.Value, response)) is { } found
                ? Open(SealOf(caller), found)
                : null;

    public Task<bool> DeleteAsync(Caller caller, string id) => Ids.TryParse(Ids.Response, id, out var response)
        ? AskAsync(() => sessions.DeleteAsync(caller.Credential.Customer!.Value, response))
        : Task.FromResult(false);

    /// <summary>Null when the body is no JSON, which its reader says better.</summary>
    async Task<ResponseTurn?> OpenAsync(ModelCall call, RequestBody body)
    {
        JsonElement request;
        References references;
        try
        {
            request = FieldReading.Parse(body.Memory.Span);
            references = References.Read(request);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
        var leftOut = new List<string>();
        var items = await FlattenAsync(call, request, references, leftOut);
        if (!references.IsEmpty)
            body.Replace(WithinBounds(Flattening.Rewrite(request, items)));
        return new(this, call.Caller, call.Id, references.Previous, references.Stores ? items : null) { LeftOut = leftOut };
    }

    static byte[] WithinBounds(byte[] whole) => whole.Length <= Body.MaxBytes ? whole
        : throw new ProblemException(Problems.TooLarge(Body.MaxBytes) with
        {
            Message = $"The conversation that the request continues has more than {Body.MaxBytes} bytes.",
        });

    async Task<List<JsonElement>> FlattenAsync(ModelCall call, JsonElement request, References references, List<string> leftOut)
    {
        KeptConversation? previous = null;
        if (references.Previous is { } id)
            previous = await FindAsync(call.Caller, id) ?? throw new ProblemException(Problems.ResponseNotFound(Flattening.Cut(id)));
        var found = await FindItemsAsync(call.Caller, references.Items);
        var provider = call.Caller.Project.Find(references.Model)?.Upstream.Provider.Id ?? "";
        return Flattening.Flatten(request, previous, found, provider, leftOut);
    }

    async Task<IReadOnlyList<KeptConversation>> FindItemsAsync(Caller caller, IReadOnlyList<string> items)
    {
        if (items.Count == 0)
            return [];
        if (items.Count > KeptResponse.MaxMarks)
            throw FieldErrors.Invalid("input", $"may refer to at most {KeptResponse.MaxMarks} items");
        var seal = SealOf(caller);
        var found = await AskAsync(
            () => sessions.FindAsync(caller.Credential.Customer!.Value, new KeptResponseQuestion([.. items.SelectMany(seal.Marks)])));
        return [.. found.Select(response => Open(seal, response)).OfType<KeptConversation>()];
    }

    /// <summary>Null for what does not open: it was sealed under another master key, or is not this customer's.</summary>
    KeptConversation? Open(StateSeal seal, KeptResponse response)
    {
        try
        {
            return KeptConversation.Unpack(seal.Open(response.Sealed, response.Id));
        }
        catch (Exception e) when (e is CryptographicException or InvalidDataException)
        {
            log.LogError("response {Id} does not open: {Message}", Ids.Show(Ids.Response, response.Id), e.Message);
            return null;
        }
    }

    static async Task<T> AskAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            throw new ProblemException(Problems.Unavailable);
        }
    }

    StateSeal SealOf(Caller caller) =>
        new(envelope, caller.Credential.Project, caller.Credential.Test, caller.Credential.Customer!.Value);
}
