using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using StackExchange.Redis;
using Redis = LlmGateway.ServiceDefaults.Redis;

namespace LlmGateway.Proxy;

/// <summary>
/// Stage 4: limits per minute of one customer, shared by all proxies through Redis, on Redis' clock. GCRA: a request moves the customer's
/// "theoretical arrival time" ahead by its share of a minute, and is refused when that lies more than a minute ahead.
/// The only limits that may be approximate: tokens are taken by estimate and corrected at the end, and with Redis away nobody is refused.
/// </summary>
public sealed class Rates(Redis redis)
{
    /// <summary>Answers of one limit.</summary>
    public readonly record struct Window(string Unit, long Limit, long Remaining, int ResetSeconds, int RetryAfterSeconds);

    /// <summary>What was taken, for headers and for the correction at the end.</summary>
    public sealed record Taken(IReadOnlyList<Window> Windows, Window? Exceeded);

    static readonly Taken Unlimited = new([], null);

    // One round trip for both limits, all or nothing. Times are microseconds; sums stay far below 2^53, where Lua's numbers are exact.
    const string Script = """
        local t = redis.call('TIME')
        local now = t[1] * 1000000 + t[2]
        local minute, taking = 60000000, ARGV[#ARGV] == 'take'
        local before, after, step, ok = {}, {}, {}, 1
        for i, key in ipairs(KEYS) do
            step[i] = minute / ARGV[2 * i - 1]
            before[i] = math.max(now, tonumber(redis.call('GET', key) or '0'))
            after[i] = before[i] + math.floor(ARGV[2 * i] * step[i])
            if taking and after[i] - now > minute then ok = 0 end
        end
        local out = {}
        for i, key in ipairs(KEYS) do
            local new = ok == 1 and math.max(now, math.min(after[i], now + 2 * minute)) or before[i]
            if ok == 1 then redis.call('SET', key, string.format('%.0f', new), 'PX', 180000) end
            out[3 * i - 2] = math.max(0, after[i] - now - minute)
            out[3 * i - 1] = math.max(0, math.floor((now + minute - new) / step[i]))
            out[3 * i] = new - now
        end
        out[#out + 1] = ok
        return out
        """;

    /// <summary>Tokens that a request probably uses: about four bytes each for its text, and an answer of usual length.</summary>
    public static long Estimate(long bodyBytes, long outputLimit) => bodyBytes / 4 + Math.Min(outputLimit, UsualOutput);

    const long UsualOutput = 500;

    /// <param name="tokens">Estimate of what the request will use.</param>
    public async ValueTask<Taken> TakeAsync(Credential credential, long tokens)
    {
        if (credential is not { Rates: { } rates, Customer: { } customer } || rates is { RequestsPerMinute: null, TokensPerMinute: null })
            return Unlimited;
        var (units, keys, values) = Arguments(rates, customer, requests: 1, tokens);
        var (answered, result) = await redis.TryAsync(database => database.ScriptEvaluateAsync(Script, keys, [.. values, "take"]));
        if (!answered)
            return Unlimited;
        var answer = (RedisValue[])result!;
        var windows = new Window[units.Count];
        for (var i = 0; i < windows.Length; i++)
            windows[i] = new(units[i].Name, units[i].Limit, (long)answer[3 * i + 1], Seconds(answer[3 * i + 2]), Math.Max(1, Seconds(answer[3 * i])));
        Window? exceeded = (int)answer[^1] == 1 ? null : windows[Enumerable.Range(0, windows.Length).First(i => (long)answer[3 * i] > 0)];
        return new(windows, exceeded);
    }

    /// <summary>Corrects the tokens taken at admission to those really used; never refuses.</summary>
    public void Correct(Credential credential, long difference)
    {
        if (difference == 0 || credential is not { Rates.TokensPerMinute: not null, Customer: { } customer })
            return;
        var (_, keys, values) = Arguments(credential.Rates with { RequestsPerMinute = null }, customer, requests: 0, difference);
        // Nobody waits for it, and a correction that is lost leaves an estimate.
        _ = redis.TryAsync(database => database.ScriptEvaluateAsync(Script, keys, [.. values, "correct"]));
    }

    static (List<(string Name, long Limit)> Units, RedisKey[] Keys, List<RedisValue> Values) Arguments(Contracts.Rates rates, Guid customer, long requests, long tokens)
    {
        var units = new List<(string, long)>(2);
        var keys = new List<RedisKey>(2);
        var values = new List<RedisValue>(4);
        void Add(string unit, int? limit, long cost)
        {
            if (limit is not { } perMinute)
                return;
            units.Add((unit, perMinute));
            keys.Add($"llmgw:rate:{customer:N}:{unit}");
            values.Add(perMinute);
            // A single request larger than a whole minute's allowance may pass alone; otherwise it never could.
            values.Add(Math.Min(cost, perMinute));
        }
        Add("requests", rates.RequestsPerMinute, requests);
        Add("tokens", rates.TokensPerMinute, tokens);
        return (units, [.. keys], values);
    }

    static int Seconds(RedisValue microseconds) => (int)(((long)microseconds + 999_999) / 1_000_000);

    /// <summary>Headers in OpenAI's form: one set per unit.</summary>
    public static void WriteHeaders(Taken taken, IHeaderDictionary headers)
    {
        foreach (var window in taken.Windows)
        {
            headers[$"X-RateLimit-Limit-{window.Unit}"] = window.Limit.ToString(CultureInfo.InvariantCulture);
            headers[$"X-RateLimit-Remaining-{window.Unit}"] = window.Remaining.ToString(CultureInfo.InvariantCulture);
            headers[$"X-RateLimit-Reset-{window.Unit}"] = $"{window.ResetSeconds}s";
        }
    }

    public static Problem Refusal(Window exceeded) => Problems.RateLimited(
        $"The customer's limit of {exceeded.Limit} {exceeded.Unit} per minute is reached. Try again in {exceeded.RetryAfterSeconds} s.", exceeded.RetryAfterSeconds);
}
