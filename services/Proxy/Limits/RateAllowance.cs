using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>What is to be taken at once: one request, or the tokens of one.</summary>
readonly record struct RateNeed(long Requests, long Tokens);

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
    public RateDecision? TryTake(Rates rates, RateNeed need, long now)
    {
        lock (_lock)
            return (need.Requests > 0 ? _requests >= need.Requests : _tokens >= need.Tokens) ? Take(rates, need, now) : null;
    }

    public RateDecision Add(Rates rates, long requests, long tokens, RateWindow[] windows, RateNeed need, long now)
    {
        lock (_lock)
        {
            _requests += requests;
            _tokens += tokens;
            _windows = windows;
            // The request was granted, so it takes what it needs although a correction by another one may have left less than that.
            return Take(rates, need, now);
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

    RateDecision Take(Rates rates, RateNeed need, long now)
    {
        LastUse = now;
        _rates = rates;
        _requests -= need.Requests;
        _tokens -= need.Tokens;
        var windows = (RateWindow[])_windows.Clone();
        foreach (ref var window in windows.AsSpan())
            window = window with
            {
                Remaining = Math.Clamp(window.Remaining + (window.Unit == "requests" ? _requests : _tokens), 0, window.Limit),
            };
        return new(windows, null) { TakenTokens = need.Tokens };
    }
}
