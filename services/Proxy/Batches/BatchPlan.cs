using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Batches;

/// <summary>
/// Adds up what the lines of a batch can cost at most. The reader of the lines' wire reads each line as a request of its own. All lines
/// must name one model, so that the batch has one price. Pure.
/// </summary>
/// <param name="endpoint">The address of every line.</param>
public sealed class BatchPlan(Caller caller, string endpoint)
{
    public const int MaxLines = 10_000, MaxCustomId = 64;

    /// <summary>Largest bound of a batch, nano-dollars: a million dollars. It keeps sums of holds far from overflow.</summary>
    const long MaxBound = 1_000_000 * Money.NanosPerUsd;

    readonly Wire _wire = BatchWires.Of(endpoint)!;
    readonly HashSet<string> _ids = new(StringComparer.Ordinal);
    ModelOffer? _offer;
    string _model = "";
    long _bound, _estimatedInput;

    /// <summary>The route of all lines; null before the first.</summary>
    public Route? Route { get; private set; }

    /// <summary>The sum of all lines that were added.</summary>
    public BatchTerms Terms =>
        new(endpoint, Route!.Model.Id, Route.Model.PriceVersion, Route.Model.Prices!.InBatches, new(_bound), _ids.Count, _estimatedInput);

    /// <summary>Adds a line; returns its body for the provider.</summary>
    /// <param name="at">The line's place as messages name it: <c>requests[3].</c>, <c>line 4: </c>.</param>
    /// <param name="body">The name of the member that holds the body.</param>
    /// <exception cref="ProblemException">The line is refused; the message names the field.</exception>
    public ReadOnlyMemory<byte> Add(string at, string? id, string body, ReadOnlyMemory<byte> json)
    {
        if (_ids.Count == MaxLines)
            throw FieldErrors.Invalid($"{at}{body}", $"is one too many: a batch may have {MaxLines} requests");
        if (id is not { Length: > 0 and <= MaxCustomId })
            throw FieldErrors.Invalid($"{at}custom_id", $"must be a string of 1 to {MaxCustomId} characters");
        if (!_ids.Add(id))
            throw FieldErrors.Invalid($"{at}custom_id", "must be unique in the batch");
        try
        {
            if (!_wire.TryRead(json.Span, default, out var request, out var problem))
                throw new ProblemException(problem);
            return Add(request, json);
        }
        catch (ProblemException e)
        {
            throw new ProblemException(Within($"{at}{body}", ".", e.Problem));
        }
    }

    ReadOnlyMemory<byte> Add(ModelRequest request, ReadOnlyMemory<byte> json)
    {
        if (request.Stream)
            throw FieldErrors.Invalid("stream", "must not be true in a batch");
        if (Route is null)
        {
            Route = RouteOf(request.Model);
            (_model, _offer) = (request.Model, Route.Model with { Prices = Route.Model.Prices!.InBatches });
        }
        if (request.Model != _model)
            throw FieldErrors.Invalid("model", $"must be '{_model}' like that of the first request: a batch has one model");
        if (UpperBound.Check(_offer!, request, passes: true, out var bound) is { } unbounded)
            throw new ProblemException(unbounded);
        // Nobody reads the head of one line's answer.
        var searches = request.Searches(_offer!, passes: true) > 0;
        if (request.LeftOut(searches).Count > 0)
            throw request.Hosted!.Refusal;
        var outputLimit = UpperBound.OutputLimit(request.MaxTokens, _offer!.MaxOutputTokens);
        var most = bound.Cost(outputLimit);
        if (most > MaxBound - _bound)
            throw new ProblemException(
                Problems.WalletExhausted($"The batch may cost more than {new Money(MaxBound)} USD. Make it smaller."));
        _bound += most;
        _estimatedInput += TokenEstimate.OfRequest(json.Span);
        return request.Rewrite(json, _offer.UpstreamModel, outputLimit, injectUsage: false, searches);
    }

    /// <summary>The first provider of the model that the caller may use and that has batches of this wire.</summary>
    Route RouteOf(string model)
    {
        var first = caller.Project.Find(model) ?? throw new ProblemException(Problems.UnknownModel(model));
        Problem? refusal = null;
        for (var route = first; route is not null; route = route.Next)
        {
            var problem = Permit.Check(caller.Credential, route, model);
            if (problem is null && (route.Model.Kind != _wire.Kind || !BatchWires.HasBatches(route.Upstream.Provider.Wire, _wire)))
                problem = Problems.Untranslatable("model", $"The model '{model}' has no batches of {_wire.Name} requests.");
            if (problem is null)
                return route;
            refusal ??= problem;
        }
        throw new ProblemException(refusal!);
    }

    /// <summary>A problem of one line, with the line's place before the field: <c>requests[3].params.max_tokens</c>.</summary>
    public static Problem Within(string place, string separator, Problem problem)
    {
        var field = problem.Param is { } param ? $"{place}{separator}{param}" : place;
        var message = problem.Message.Replace($"'{problem.Param}'", $"'{field}'", StringComparison.Ordinal);
        return problem with
        {
            Param = field, Message = message.Contains(field, StringComparison.Ordinal) ? message : $"'{field}': {message}",
        };
    }
}

/// <summary>The wires that may stand in a batch, by their address outside of one.</summary>
public static class BatchWires
{
    public static Wire? Of(string endpoint) => endpoint switch
    {
        "/v1/messages" => Wires.Messages,
        "/v1/chat/completions" => Wires.Chat,
        "/v1/responses" => Wires.Responses,
        "/v1/embeddings" => Wires.Embeddings,
        _ => null,
    };

    /// <summary>Batches are never translated: the provider must speak the wire of the lines.</summary>
    public static bool HasBatches(string provider, Wire wire) =>
        wire.Speaks(provider) && provider is (ProviderWire.Anthropic or ProviderWire.OpenAi or ProviderWire.OpenAiCompatible);
}
