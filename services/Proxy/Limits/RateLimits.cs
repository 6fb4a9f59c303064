using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using StackExchange.Redis;

namespace LlmGateway.Proxy;

/// <summary>
/// Stage 4: limits per minute of one customer, shared by all proxies through Redis, on Redis' clock. The algorithm is GCRA: a request moves
/// the customer's "theoretical arrival time" ahead by its share of a minute and is refused when that is more than a minute ahead. A proxy
/// takes up to a tenth of a second's share of the limit ahead and admits from that without asking. So a busy customer costs Redis a few
/// calls a second, and a customer with a small limit is counted exactly. These are the only limits that may be approximate: tokens are
/// estimated and corrected at the end, what was used beyond the limit keeps a customer waiting for two minutes at most, and without Redis
/// nobody is refused.
/// </summary>
public sealed class RateLimits(RedisClient redis, TimeProvider time, ILogger<RateLimits> log) : BackgroundService
{
    /// <summary>A proxy takes this fraction of a minute's limit ahead.</summary>
    const int Ahead = 600;

    static readonly TimeSpan Tick = TimeSpan.FromSeconds(1), IdleTime = TimeSpan.FromSeconds(2);

    /// <summary>Estimated tokens of a request: one for four bytes of its body, and an answer of usual length.</summary>
    public static long Estimate(long bodyBytes, long outputLimit) => bodyBytes / 4 + Math.Min(outputLimit, UsualOutput);

    const long UsualOutput = 500;

    static readonly RateDecision Unlimited = new([], null);

    static readonly string Script = ReadScript();

    readonly ConcurrentDictionary<Guid, RateAllowance> _allowances = new();

    /// <summary>Counts a request. This needs no body, so it is asked before one is read.</summary>
    public ValueTask<RateDecision> TakeRequestAsync(Credential credential, CancellationToken token) =>
        credential is { Rates: { RequestsPerMinute: not null } rates, Customer: { } customer }
            ? TakeAsync(rates, customer, new(1, 0), token)
            : new(Unlimited);

    /// <param name="tokens">Estimate of what the request will use.</param>
    public ValueTask<RateDecision> TakeTokensAsync(Credential credential, long tokens, CancellationToken token) =>
        // A request larger than the limit of a minute passes alone. Otherwise it could never pass.
        credential is { Rates: { TokensPerMinute: { } limit } rates, Customer: { } customer }
            ? TakeAsync(rates, customer, new(0, Math.Min(tokens, limit)), token)
            : new(Unlimited);

    async ValueTask<RateDecision> TakeAsync(Rates rates, Guid customer, RateNeed need, CancellationToken token)
    {
        var allowance = _allowances.GetOrAdd(customer, static _ => new());
        if (allowance.TryTake(rates, need, time.GetTimestamp()) is { } taken)
            return taken;
        // Only one call to Redis runs at a time. It also takes for the requests that wait behind it.
        await allowance.Asking.WaitAsync(token);
        try
        {
            return allowance.TryTake(rates, need, time.GetTimestamp()) ?? await AskAsync(allowance, rates, customer, need);
        }
        finally
        {
            allowance.Asking.Release();
        }
    }

    /// <summary>Corrects the tokens taken at admission to the tokens really used. Never refuses.</summary>
    /// <param name="difference">Used less <see cref="RateDecision.TakenTokens"/>.</param>
    public void Correct(Credential credential, long difference)
    {
        if (difference == 0 || credential is not { Rates: { TokensPerMinute: { } limit } rates, Customer: { } customer })
            return;
        var surplus = _allowances.GetOrAdd(customer, static _ => new()).Correct(rates, -difference, 2 * (limit / Ahead));
        if (surplus != 0)
            GiveBack(rates, customer, 0, surplus);
    }

    /// <summary>Gives back what is left of customers who have paused, so that their limit is whole when they return.</summary>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Loop.RunAsync("rate limits", Tick, _ =>
    {
        foreach (var (customer, allowance) in _allowances)
            if (time.GetElapsedTime(allowance.LastUse) > IdleTime && _allowances.TryRemove(new(customer, allowance))
                && allowance.Empty() is ({ } rates, var requests, var tokens) && (requests != 0 || tokens != 0))
                GiveBack(rates, customer, requests, tokens);
        return Task.CompletedTask;
    }, log, time, stoppingToken);

    async Task<RateDecision> AskAsync(RateAllowance allowance, Rates rates, Guid customer, RateNeed need)
    {
        var (requestsHere, tokensHere) = allowance.Here;
        var ask = new Question(customer);
        // Of what is not needed nothing is taken, but how it stands is told.
        var isRequest = need.Requests > 0;
        ask.Add("requests", rates.RequestsPerMinute, isRequest ? Math.Max(0, need.Requests - requestsHere) : 0, ahead: isRequest);
        // Owed tokens are added to what a request needs. The sum must not exceed the limit, which is all that there ever is.
        ask.Add(
            "tokens",
            rates.TokensPerMinute,
            isRequest ? 0 : Math.Clamp(need.Tokens - tokensHere, 0, rates.TokensPerMinute ?? 0),
            ahead: !isRequest);
        var (answered, result) = await redis.RunAsync(Script, [.. ask.Keys], [.. ask.Values, "take"]);
        if (!answered)
            return Unlimited;
        var answer = (RedisValue[])result!;
        var windows = new RateWindow[ask.Units.Count];
        for (var i = 0; i < windows.Length; i++)
            windows[i] = new(
                ask.Units[i].Name,
                ask.Units[i].Limit,
                (long)answer[4 * i + 1],
                Seconds(answer[4 * i + 2]),
                Math.Max(1, Seconds(answer[4 * i])));
        if ((int)answer[^1] == 0)
        {
            var exceeded = Enumerable.Range(0, windows.Length).First(i => (long)answer[4 * i] > 0);
            return RateDecision.Refused(windows, windows[exceeded], (long)ask.Values[3 * exceeded + 1], time.GetUtcNow());
        }
        long Granted(string unit) =>
            Enumerable.Range(0, windows.Length).Where(i => windows[i].Unit == unit).Sum(i => (long)answer[4 * i + 3]);
        return allowance.Add(rates, Granted("requests"), Granted("tokens"), windows, need, time.GetTimestamp());
    }

    void GiveBack(Rates rates, Guid customer, long requests, long tokens)
    {
        var give = new Question(customer);
        give.Add("requests", rates.RequestsPerMinute, -requests, ahead: false);
        give.Add("tokens", rates.TokensPerMinute, -tokens, ahead: false);
        // Nobody waits for the answer. A lost correction leaves the estimate in place.
        _ = redis.RunAsync(Script, [.. give.Keys], [.. give.Values, "correct"]);
    }

    /// <summary>Keys and arguments of the script: limit, least, wanted per unit.</summary>
    sealed class Question(Guid customer)
    {
        public List<(string Name, long Limit)> Units { get; } = new(2);
        public List<RedisKey> Keys { get; } = new(2);
        public List<RedisValue> Values { get; } = new(7);

        public void Add(string unit, int? limit, long least, bool ahead)
        {
            if (limit is not { } perMinute)
                return;
            Units.Add((unit, perMinute));
            Keys.Add($"llmgw:rate:{customer:N}:{unit}");
            Values.AddRange([perMinute, least, least + (ahead ? perMinute / Ahead : 0)]);
        }
    }

    static string ReadScript()
    {
        using var script = new StreamReader(typeof(RateLimits).Assembly.GetManifestResourceStream("rate-limits.lua")!);
        return script.ReadToEnd();
    }

    static int Seconds(RedisValue microseconds) => (int)(((long)microseconds + 999_999) / 1_000_000);
}
