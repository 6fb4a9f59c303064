using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// What this proxy has taken of one customer's minute and not used. Tokens may be negative for a moment, because corrections are applied
/// without asking.
/// </summary>
sealed class RateAllowance
{
    readonly Lock _lock = new();
    Rates? _rates;
    RateWindow[] _windows = [];
    long _requests, _tokens;

    public SemaphoreSlim Asking { get; } = new(1);

    public long LastUse { get; private set; }

    public (long Requests, long Tokens) Here
    {
        get
        {
            lock (_lock)
                return (_requests, _tokens);
        }
    }

    /// <summary>Null when Redis has to be asked.</summary>
    public RateDecision? TryTake(Rates rates, long tokens, long now)
    {
        lock (_lock)
            return (rates.RequestsPerMinute is null || _requests >= 1) && (rates.TokensPerMinute is null || _tokens >= tokens)
                ? Take(rates, tokens, now)
                : null;
    }

    public RateDecision Add(Rates rates, long requests, long tokens, RateWindow[] windows, long needed, long now)
    {
        lock (_lock)
        {
            _requests += requests;
            _tokens += tokens;
            _windows = windows;
            // The request was granted, so it takes what it needs although a correction by another one may have left less than that.
            return Take(rates, needed, now);
        }
    }

    /// <summary>
    /// Adds tokens. Once the balance exceeds <paramref name="most"/>, returns all of it, to be given back to Redis or, if negative, to be
    /// charged there.
    /// </summary>
    public long Correct(Rates rates, long tokens, long most)
    {
        lock (_lock)
        {
            _rates = rates;
            _tokens += tokens;
            if (Math.Abs(_tokens) <= most)
                return 0;
            var surplus = _tokens;
            _tokens = 0;
            return surplus;
        }
    }

    public (Rates? Rates, long Requests, long Tokens) Empty()
    {
        lock (_lock)
        {
            var here = (_rates, _requests, _tokens);
            (_requests, _tokens) = (0, 0);
            return here;
        }
    }

    RateDecision Take(Rates rates, long tokens, long now)
    {
        LastUse = now;
        _rates = rates;
        _requests -= rates.RequestsPerMinute is null ? 0 : 1;
        tokens = rates.TokensPerMinute is null ? 0 : tokens;
        _tokens -= tokens;
        var windows = (RateWindow[])_windows.Clone();
        foreach (ref var window in windows.AsSpan())
            window = window with
            {
                Remaining = Math.Clamp(window.Remaining + (window.Unit == "requests" ? _requests : _tokens), 0, window.Limit),
            };
        return new(windows, null) { TakenTokens = tokens };
    }
}
