using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>What this proxy has taken of one customer's minute and not used. Tokens may be owed for a moment: corrections are not asked for.</summary>
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
            return Take(rates, tokens, now);
    }

    public RateDecision Add(Rates rates, long requests, long tokens, RateWindow[] windows, long needed, long now)
    {
        lock (_lock)
        {
            _requests += requests;
            _tokens += tokens;
            _windows = windows;
            // Another request's correction may have come between: it was granted all the same.
            return Take(rates, needed, now) ?? new(windows, null);
        }
    }

    /// <summary>Returns what goes back to Redis, or is owed to it: all, once it is more than <paramref name="most"/>.</summary>
    public long Correct(long tokens, long most)
    {
        lock (_lock)
        {
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

    RateDecision? Take(Rates rates, long tokens, long now)
    {
        LastUse = now;
        _rates = rates;
        if ((rates.RequestsPerMinute is not null && _requests < 1) || (rates.TokensPerMinute is not null && _tokens < tokens))
            return null;
        _requests -= rates.RequestsPerMinute is null ? 0 : 1;
        _tokens -= rates.TokensPerMinute is null ? 0 : tokens;
        var windows = (RateWindow[])_windows.Clone();
        foreach (ref var window in windows.AsSpan())
            window = window with { Remaining = Math.Clamp(window.Remaining + (window.Unit == "requests" ? _requests : _tokens), 0, window.Limit) };
        return new(windows, null);
    }
}
