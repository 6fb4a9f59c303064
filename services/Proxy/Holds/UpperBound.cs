using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// The most that a request can cost, as a function of its output limit. It uses the dearest rate of every meter and long-context tier that
/// the request could reach, so that no usage within the bounds costs more. Amounts are nano-dollars, rounded up once, as in
/// <see cref="Contracts.Cost.Of"/>.
/// </summary>
public readonly struct UpperBound
{
    // In 10^-18 dollars: the cost of the input and the request, and the cost of one output token of all answers together.
    readonly Int128 _fixed, _perOutputToken;

    // Tokens of the input, or -1 when they cannot be bounded, and answers.
    readonly long _inputTokens;
    readonly int _choices;

    // Requests beyond the first, so that the default is one.
    readonly long _more;

    /// <summary>It is that of a batch. How many of its calls will be answered is not known.</summary>
    public bool IsBatch { get; private init; }

    /// <summary>What a limit of requests counts: a batch is as many as it has lines.</summary>
    public long Requests => _more + 1;

    UpperBound(Int128 @fixed, Int128 perOutputToken, long inputTokens = -1, int choices = 0, long requests = 1) =>
        (_fixed, _perOutputToken, _inputTokens, _choices, _more) = (@fixed, perOutputToken, inputTokens, choices, requests - 1);

    /// <summary>The reason why the request must be refused: it could use something that has no price, or no bound. Else null.</summary>
    /// <param name="passes">The provider speaks the caller's wire, so the request passes as it is.</param>
    public static Problem? Check(ModelOffer model, ModelRequest request, bool passes, out UpperBound bound)
    {
        bound = default;
        if (request.Hosted?.RefusalBy(model, passes) is { } refusal)
            return refusal;
        var searches = request.Searches(model, passes);
        if (request.BeyondText is { } path && model.ContextTokens <= 0)
            return FieldErrors.Unpriceable(path, "its size as input is unknown, and so is the context of the model").Problem;
        var isPriced = request.MostUsage(model) is { } most
            ? TryOf(model.Prices, most, out bound)
            : TryOf(
                model.Prices, request.InputBound(model.ContextTokens, searches), request.Choices, request.MayHaveImages, out bound,
                mayBeSound: request.BeyondText is not null, searches);
        return isPriced ? null : Problems.Unpriced(request.Model);
    }

    /// <summary>
    /// The bound of a use that is known before the call. A model is paid by the meters that it has prices for; an image model, for
    /// instance, by the image or by tokens. False when it has no price for anything that the call uses.
    /// </summary>
    public static bool TryOf(Prices? prices, Usage most, out UpperBound bound)
    {
        bound = default;
        if (prices is null)
            return false;
        Int128 attos = 0;
        var priced = false;
        for (var meter = Meter.Input; meter < (Meter)Usage.Meters; meter++)
        {
            if (most[meter] == 0)
                continue;
            long dearest = -1;
            foreach (var rates in (IEnumerable<Prices>)[prices, .. (prices.Tiers ?? []).Select(tier => tier.Prices)])
                dearest = Math.Max(dearest, rates.RateOf(meter)?.Picos ?? -1);
            priced |= dearest >= 0 && (meter != Meter.Request || dearest > 0);
            attos += (Int128)most[meter] * Math.Max(dearest, 0);
        }
        bound = new(attos, 0, TokensOf(most));
        return priced;
    }

    /// <summary>All tokens; -1 where something else is used as well, which a limit of tokens cannot count.</summary>
    static long TokensOf(Usage most)
    {
        Int128 tokens = 0;
        for (var meter = Meter.Input; meter < (Meter)Usage.Meters; meter++)
        {
            if (!Usage.IsToken(meter) && meter != Meter.Request && most[meter] > 0)
                return -1;
            tokens += Usage.IsToken(meter) ? most[meter] : 0;
        }
        return (long)Int128.Min(tokens, long.MaxValue);
    }

    /// <summary>False when a meter that the request will use has no price; then it must be refused.</summary>
    /// <param name="inputTokens">Upper bound of all input tokens together.</param>
    /// <param name="choices">Number of answers. Each has its own output limit.</param>
    /// <param name="hasImages">Some of the input may be billed as image tokens.</param>
    /// <param name="mayBeSound">Some of the input may be billed as audio tokens.</param>
    /// <param name="searches">The most searches of the web that the provider may make.</param>
    public static bool TryOf(
        Prices? prices, long inputTokens, int choices, bool hasImages, out UpperBound bound, bool mayBeSound = false, int searches = 0)
    {
        bound = default;
        if (prices is null || !TryDearest(prices, hasImages, mayBeSound, out var input, out var output, out var request))
            return false;
        var search = SearchRate(prices);
        foreach (var tier in prices.Tiers ?? [])
        {
            if (inputTokens <= tier.AboveInput)
                continue;
            if (!TryDearest(tier.Prices, hasImages, mayBeSound, out var tierInput, out var tierOutput, out var tierRequest))
                return false;
            (input, output, request) = (Math.Max(input, tierInput), Math.Max(output, tierOutput), Math.Max(request, tierRequest));
            search = Math.Max(search, SearchRate(tier.Prices));
        }
        bound = new(
            ((Int128)inputTokens * input) + request + ((Int128)searches * search), (Int128)choices * output, inputTokens, choices);
        return true;
    }

    /// <summary>The bound of a batch whose lines cost at most this much together, whatever their output.</summary>
    public static UpperBound OfBatch(long nanos, int lines) =>
        new((Int128)nanos * Money.AttosPerNano, 0, requests: Math.Max(1, lines)) { IsBatch = true };

    /// <summary>The bound of a call that counts as so many requests, whatever is in it.</summary>
    /// <param name="each">The price of one. Null: it costs nothing.</param>
    public static UpperBound OfRequests(long requests = 1, Rate? each = null) =>
        new((Int128)requests * (each?.Picos ?? 0), 0, requests: requests);

    /// <summary>The bound of a call that is one request and counts as so many tokens.</summary>
    /// <inheritdoc cref="OfRequests"/>
    public static UpperBound OfTokens(long tokens, Rate? each = null) => new((Int128)tokens * (each?.Picos ?? 0), 0, tokens);

    /// <summary>The bound when either of two providers may answer.</summary>
    public static UpperBound Dearest(UpperBound a, UpperBound b) =>
        new(
            Int128.Max(a._fixed, b._fixed),
            Int128.Max(a._perOutputToken, b._perOutputToken),
            a._inputTokens < 0 || b._inputTokens < 0 ? -1 : Math.Max(a._inputTokens, b._inputTokens),
            Math.Max(a._choices, b._choices));

    /// <summary>
    /// Output tokens per answer before money is considered: what the caller asked for, at most what the model can produce (0: unknown).
    /// </summary>
    public static long OutputLimit(int? asked, long modelMaxOutput) =>
        Math.Min(asked ?? int.MaxValue, modelMaxOutput > 0 ? modelMaxOutput : int.MaxValue);

    /// <summary>
    /// The largest cost of the request with so many output tokens per answer. <see cref="long.MaxValue"/> stands for every cost beyond it.
    /// </summary>
    public long Cost(long outputLimit)
    {
        var nanos = Money.NanosOf(_fixed + (_perOutputToken * outputLimit));
        return nanos > long.MaxValue ? long.MaxValue : (long)nanos;
    }

    /// <summary>
    /// The largest output limit whose cost is within <paramref name="granted"/>; 0 when not even one token per answer is.
    /// </summary>
    public long AffordableOutput(long granted)
    {
        var left = ((Int128)granted * Money.AttosPerNano) - _fixed;
        if (left < 0)
            return 0;
        return _perOutputToken == 0 ? int.MaxValue : (long)Int128.Min(left / _perOutputToken, int.MaxValue);
    }

    /// <summary>The most tokens, input and output together. Null when they cannot be known before the call.</summary>
    public long? Tokens(long outputLimit)
    {
        if (_inputTokens < 0)
            return null;
        var tokens = _inputTokens + ((Int128)_choices * outputLimit);
        return tokens > long.MaxValue ? long.MaxValue : (long)tokens;
    }

    /// <summary>The largest output limit with at most so many tokens; 0 when not even one token per answer is.</summary>
    public long AffordableTokens(long granted) =>
        granted < _inputTokens ? 0 : _choices == 0 ? int.MaxValue : Math.Min((granted - _inputTokens) / _choices, int.MaxValue);

    static long SearchRate(Prices prices) => prices.RateOf(Meter.WebSearch)?.Picos ?? 0;

    static bool TryDearest(Prices prices, bool hasImages, bool mayBeSound, out long input, out long output, out long request)
    {
        (input, output, request) = (0, 0, 0);
        if (prices.RateOf(Meter.Input) is null || prices.RateOf(Meter.Output) is null)
            return false;
        foreach (var meter in (ReadOnlySpan<Meter>)[Meter.Input, Meter.CachedInput, Meter.CacheWrite5m, Meter.CacheWrite1h])
            input = Math.Max(input, prices.RateOf(meter)!.Value.Picos);
        if (hasImages)
            input = Math.Max(input, prices.RateOf(Meter.ImageInput)!.Value.Picos);
        if (mayBeSound)
            input = Math.Max(input, prices.RateOf(Meter.AudioInput)?.Picos ?? 0);
        output = Math.Max(prices.RateOf(Meter.Output)!.Value.Picos, prices.RateOf(Meter.Reasoning)!.Value.Picos);
        // Some models answer with images unasked.
        output = Math.Max(output, prices.RateOf(Meter.ImageOutput)?.Picos ?? 0);
        request = prices.RateOf(Meter.Request)!.Value.Picos;
        return true;
    }
}
