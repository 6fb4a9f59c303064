using System.Collections.Concurrent;
using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using StackExchange.Redis;
using Redis = LlmGateway.ServiceDefaults.Redis;

namespace LlmGateway.Proxy;

/// <summary>
/// Stage 4: limits per minute of one customer, shared by all proxies through Redis, on Redis' clock. GCRA: a request moves the customer's
/// "theoretical arrival time" ahead by its share of a minute, and is refused when that lies more than a minute ahead.
/// A proxy takes a little more than it needs, at most a tenth of a second's share of the limit, and admits from that without asking again: a busy
/// customer costs Redis a few calls a second, however many requests it makes, and a customer with a small limit is counted exactly.
/// The only limits that may be approximate: tokens are taken by estimate and corrected at the end, and with Redis away nobody is refused.
/// </summary>
public sealed class Rates(Redis redis, TimeProvider time) : BackgroundService
{
    /// <summary>The part of a minute's limit that a proxy takes ahead.</summary>
    const int Ahead = 600;

    static readonly TimeSpan Tick = TimeSpan.FromSeconds(1), IdleTime = TimeSpan.FromSeconds(2);

    /// <summary>Tokens that a request probably uses: about four bytes each for its text, and an answer of usual length.</summary>
    public static long Estimate(long bodyBytes, long outputLimit) => bodyBytes / 4 + Math.Min(outputLimit, UsualOutput);

    const long UsualOutput = 500;

    readonly ConcurrentDictionary<Guid, Allowance> _allowances = new();

    /// <param name="tokens">Estimate of what the request will use.</param>
    public async ValueTask<Taken> TakeAsync(Credential credential, long tokens, CancellationToken token)
    {
        if (credential is not { Rates: { } rates, Customer: { } customer } || rates is { RequestsPerMinute: null, TokensPerMinute: null })
            return Unlimited;
        // A single request larger than a whole minute's allowance may pass alone; otherwise it never could.
        tokens = Math.Min(tokens, rates.TokensPerMinute ?? 0);
        var allowance = _allowances.GetOrAdd(customer, static _ => new());
        if (allowance.TryTake(rates, tokens, time.GetTimestamp()) is { } taken)
            return taken;
        // One call to Redis at a time: it takes for those who wait behind it, too.
        await allowance.Asking.WaitAsync(token);
        try
        {
            return allowance.TryTake(rates, tokens, time.GetTimestamp()) ?? await AskAsync(allowance, rates, customer, tokens);
        }
        finally
        {
            allowance.Asking.Release();
        }
    }

    /// <summary>Corrects the tokens taken at admission to those really used; never refuses.</summary>
    public void Correct(Credential credential, long difference)
    {
        if (difference == 0 || credential is not { Rates: { TokensPerMinute: { } limit } rates, Customer: { } customer })
            return;
        var surplus = _allowances.GetOrAdd(customer, static _ => new()).Correct(-difference, 2 * (limit / Ahead));
        if (surplus != 0)
            GiveBack(rates, customer, 0, surplus);
    }

    /// <summary>What customers who have paused left here goes back, so that the limit is whole when they come again.</summary>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Tick, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            foreach (var (customer, allowance) in _allowances)
                if (time.GetElapsedTime(allowance.LastUse) > IdleTime && _allowances.TryRemove(new(customer, allowance))
                    && allowance.Empty() is ({ } rates, var requests, var tokens) && (requests != 0 || tokens != 0))
                    GiveBack(rates, customer, requests, tokens);
    }

    async Task<Taken> AskAsync(Allowance allowance, Contracts.Rates rates, Guid customer, long tokens)
    {
        var (requestsHere, tokensHere) = allowance.Here;
        var ask = new Question(customer);
        ask.Add("requests", rates.RequestsPerMinute, Math.Max(0, 1 - requestsHere));
        ask.Add("tokens", rates.TokensPerMinute, Math.Max(0, tokens - tokensHere));
        var (answered, result) = await redis.TryAsync(database => database.ScriptEvaluateAsync(Script, [.. ask.Keys], [.. ask.Values, "take"]));
        if (!answered)
            return Unlimited;
        var answer = (RedisValue[])result!;
        var windows = new Window[ask.Units.Count];
        for (var i = 0; i < windows.Length; i++)
            windows[i] = new(ask.Units[i].Name, ask.Units[i].Limit, (long)answer[4 * i + 1], Seconds(answer[4 * i + 2]), Math.Max(1, Seconds(answer[4 * i])));
        if ((int)answer[^1] == 0)
            return new(windows, windows[Enumerable.Range(0, windows.Length).First(i => (long)answer[4 * i] > 0)]);
        long Granted(string unit) => Enumerable.Range(0, windows.Length).Where(i => windows[i].Unit == unit).Sum(i => (long)answer[4 * i + 3]);
        return allowance.Add(rates, Granted("requests"), Granted("tokens"), windows, tokens, time.GetTimestamp());
    }

    void GiveBack(Contracts.Rates rates, Guid customer, long requests, long tokens)
    {
        var give = new Question(customer);
        give.Add("requests", rates.RequestsPerMinute, -requests);
        give.Add("tokens", rates.TokensPerMinute, -tokens);
        // Nobody waits for it, and what is lost leaves an estimate.
        _ = redis.TryAsync(database => database.ScriptEvaluateAsync(Script, [.. give.Keys], [.. give.Values, "correct"]));
    }

    /// <summary>Keys and arguments of the script: limit, least, wanted per unit.</summary>
    sealed class Question(Guid customer)
    {
        public List<(string Name, long Limit)> Units { get; } = new(2);
        public List<RedisKey> Keys { get; } = new(2);
        public List<RedisValue> Values { get; } = new(7);

        public void Add(string unit, int? limit, long least)
        {
            if (limit is not { } perMinute)
                return;
            // Owed tokens come on top of what a request needs, and still must not ask for more than there ever is.
            least = Math.Min(least, perMinute);
            Units.Add((unit, perMinute));
            Keys.Add($"llmgw:rate:{customer:N}:{unit}");
            Values.AddRange([perMinute, least, least + perMinute / Ahead]);
        }
    }

    // One round trip for both limits, all or nothing. Times are microseconds; sums stay far below 2^53, where Lua's numbers are exact.
    // Answers per unit: microseconds that are missing, what is left, time until all is free again, what was granted; at last whether it was.
    const string Script = """
        local t = redis.call('TIME')
        local now = t[1] * 1000000 + t[2]
        local minute, taking = 60000000, ARGV[#ARGV] == 'take'
        local before, after, granted, step, ok = {}, {}, {}, {}, 1
        for i, key in ipairs(KEYS) do
            local limit, least, wanted = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
            step[i] = minute / limit
            before[i] = math.max(now, tonumber(redis.call('GET', key) or '0'))
            granted[i] = taking and before[i] + math.floor(wanted * step[i]) - now <= minute and wanted or least
            after[i] = before[i] + math.floor(granted[i] * step[i])
            if taking and granted[i] > 0 and after[i] - now > minute then ok = 0 end
        end
        local out = {}
        for i, key in ipairs(KEYS) do
            local new = ok == 1 and math.max(now, math.min(after[i], now + 2 * minute)) or before[i]
            if ok == 1 then redis.call('SET', key, string.format('%.0f', new), 'PX', 180000) end
            out[4 * i - 3] = granted[i] > 0 and math.max(0, after[i] - now - minute) or 0
            out[4 * i - 2] = math.max(0, math.floor((now + minute - new) / step[i]))
            out[4 * i - 1] = new - now
            out[4 * i] = granted[i]
        end
        out[#out + 1] = ok
        return out
        """;

    static int Seconds(RedisValue microseconds) => (int)(((long)microseconds + 999_999) / 1_000_000);

    /// <summary>Headers in OpenAI's form: one set per unit.</summary>
    public static void WriteHeaders(Taken taken, IHeaderDictionary headers)
    {
        foreach (var window in taken.Windows)
        {
            var (limit, remaining, reset) = window.Unit == "requests" ? RequestHeaders : TokenHeaders;
            headers[limit] = window.Limit.ToString(CultureInfo.InvariantCulture);
            headers[remaining] = window.Remaining.ToString(CultureInfo.InvariantCulture);
            headers[reset] = $"{window.ResetSeconds}s";
        }
    }

    static readonly (string Limit, string Remaining, string Reset)
        RequestHeaders = ("X-RateLimit-Limit-Requests", "X-RateLimit-Remaining-Requests", "X-RateLimit-Reset-Requests"),
        TokenHeaders = ("X-RateLimit-Limit-Tokens", "X-RateLimit-Remaining-Tokens", "X-RateLimit-Reset-Tokens");

    public static Problem Refusal(Window exceeded) => Problems.RateLimited(
        $"The customer's limit of {exceeded.Limit} {exceeded.Unit} per minute is reached. Try again in {exceeded.RetryAfterSeconds} s.", exceeded.RetryAfterSeconds);

    /// <summary>One limit as it stands.</summary>
    public readonly record struct Window(string Unit, long Limit, long Remaining, int ResetSeconds, int RetryAfterSeconds);

    /// <summary>The limits after a request, for headers, and the one that refuses it.</summary>
    public sealed record Taken(Window[] Windows, Window? Exceeded);

    static readonly Taken Unlimited = new([], null);

    /// <summary>What this proxy has taken of one customer's minute and not used. Tokens may be owed for a moment: corrections are not asked for.</summary>
    sealed class Allowance
    {
        readonly Lock _lock = new();
        Contracts.Rates? _rates;
        Window[] _windows = [];
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
        public Taken? TryTake(Contracts.Rates rates, long tokens, long now)
        {
            lock (_lock)
                return Take(rates, tokens, now);
        }

        public Taken Add(Contracts.Rates rates, long requests, long tokens, Window[] windows, long needed, long now)
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

        public (Contracts.Rates? Rates, long Requests, long Tokens) Empty()
        {
            lock (_lock)
            {
                var here = (_rates, _requests, _tokens);
                (_requests, _tokens) = (0, 0);
                return here;
            }
        }

        Taken? Take(Contracts.Rates rates, long tokens, long now)
        {
            LastUse = now;
            _rates = rates;
            if ((rates.RequestsPerMinute is not null && _requests < 1) || (rates.TokensPerMinute is not null && _tokens < tokens))
                return null;
            _requests -= rates.RequestsPerMinute is null ? 0 : 1;
            _tokens -= rates.TokensPerMinute is null ? 0 : tokens;
            var windows = (Window[])_windows.Clone();
            foreach (ref var window in windows.AsSpan())
                window = window with { Remaining = Math.Clamp(window.Remaining + (window.Unit == "requests" ? _requests : _tokens), 0, window.Limit) };
            return new(windows, null);
        }
    }
}
