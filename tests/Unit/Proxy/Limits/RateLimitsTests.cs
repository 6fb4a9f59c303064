using Microsoft.Extensions.Logging.Abstractions;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What a customer's minute has lost when everything has ended is what was used: no more was given back than was taken.</summary>
public sealed class RateLimitsTests
{
    const int Limit = 1_000;

    readonly FakeTimeProvider _clock = new();
    readonly Counting _redis = new();
    readonly Credential _credential = SessionsInMemory.Credential(new(null, Limit));

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(10_500, 9_000)] // estimated at more than the limit, which is all that can be taken
    [InlineData(10_500, 0)]     // refused by the wallet, or failed by the provider
    [InlineData(300, 900)]
    [InlineData(300, 20)]
    public async Task What_is_counted_in_the_end_is_what_was_used(long estimate, long used)
    {
        using var limits = new RateLimits(_redis.Client, _clock, NullLogger<RateLimits>.Instance);
        var taken = await limits.TakeTokensAsync(_credential, estimate, Token);

        Assert.Equal(Math.Min(estimate, Limit), taken.TakenTokens);
        limits.Correct(_credential, used - taken.TakenTokens);

        await CountsAsync(limits, used);
    }

    [Fact]
    public async Task What_a_correction_took_while_another_request_was_asking_is_taken_all_the_same()
    {
        using var limits = new RateLimits(_redis.Client, _clock, NullLogger<RateLimits>.Instance);
        _redis.Hold();
        var asking = limits.TakeTokensAsync(_credential, Limit, Token).AsTask();
        limits.Correct(_credential, 2); // too little to be told to Redis at once
        _redis.Release();

        Assert.Equal(Limit, (await asking).TakenTokens);
        limits.Correct(_credential, -Limit);
        await CountsAsync(limits, 2);
    }

    [Fact]
    public async Task Whatever_the_order_of_requests_and_corrections_the_sum_is_what_was_used()
    {
        using var limits = new RateLimits(_redis.Client, _clock, NullLogger<RateLimits>.Instance);
        var random = new Random(11);
        var open = new List<long>();
        long used = 0;
        for (var i = 0; i < 5_000; i++)
            if (open.Count < 20 && random.Next(2) == 0)
                open.Add((await limits.TakeTokensAsync(_credential, random.Next(3 * Limit), Token)).TakenTokens);
            else if (open.Count > 0)
                EndOne();
        while (open.Count > 0)
            EndOne();

        await CountsAsync(limits, used);

        void EndOne()
        {
            var (at, real) = (random.Next(open.Count), random.Next(5) == 0 ? 0 : random.Next(2 * Limit));
            limits.Correct(_credential, real - open[at]);
            open.RemoveAt(at);
            used += real;
        }
    }

    [Fact]
    public void A_refusal_says_which_limit_it_was_and_what_is_missing()
    {
        var problem = RateDecision.Refused([], new("tokens", 300, 20, 56, 12), needed: 205, _clock.GetUtcNow()).Problem!;

        Assert.Equal((429, "rate_limit_exceeded", 12), (problem.Status, problem.Code, problem.RetryAfterSeconds));
        Assert.Equal(new("customer", "tokens", "280", "300", "185", _clock.GetUtcNow().AddSeconds(56)), problem.Limit);
    }

    [Fact]
    public async Task A_caller_without_limits_takes_nothing()
    {
        using var limits = new RateLimits(_redis.Client, _clock, NullLogger<RateLimits>.Instance);

        Assert.Equal(0, (await limits.TakeTokensAsync(SessionsInMemory.Credential(null), 100, Token)).TakenTokens);
        Assert.Equal(0, (await limits.TakeTokensAsync(SessionsInMemory.Credential(new(5, null)), 100, Token)).TakenTokens);
        Assert.Empty((await limits.TakeRequestAsync(_credential, Token)).Windows);
        Assert.Equal(0, _redis.Counted);
    }

    /// <summary>The customer pauses, so what its proxy has left of its minute goes back.</summary>
    async Task CountsAsync(RateLimits limits, long used)
    {
        var counts = _redis.CountsAsync(used);
        await limits.StartAsync(Token);
        for (var second = 0; second < 5; second++)
            _clock.Advance(TimeSpan.FromSeconds(1));
        await counts.WaitAsync(TimeSpan.FromSeconds(30), Token);
        await limits.StopAsync(Token);
        Assert.Equal(used, _redis.Counted);
    }

    /// <summary>Grants what is wanted and counts it, whatever the limit is.</summary>
    sealed class Counting
    {
        readonly Lock _lock = new();
        TaskCompletionSource? _held, _reached;
        long _awaited;

        public Counting() => Client = RedisInMemory.New((method, args) => method == nameof(IDatabase.ScriptEvaluateAsync)
            ? AnswerAsync([.. args.OfType<RedisKey[]>().Single()], [.. args.OfType<RedisValue[]>().Single()])
            : throw new NotSupportedException(method));

        public LlmGateway.ServiceDefaults.RedisClient Client { get; }

        public long Counted { get; private set; }

        public void Hold() => _held = new();

        public void Release() => _held!.SetResult();

        public Task CountsAsync(long tokens)
        {
            lock (_lock)
            {
                (_awaited, _reached) = (tokens, new(TaskCreationOptions.RunContinuationsAsynchronously));
                See();
                return _reached.Task;
            }
        }

        async Task<RedisResult> AnswerAsync(RedisKey[] keys, RedisValue[] values)
        {
            var answer = new List<RedisValue>();
            lock (_lock)
            {
                for (var i = 0; i < keys.Length; i++)
                {
                    var granted = (long)values[(3 * i) + (values[^1] == "take" ? 2 : 1)];
                    Counted += keys[i].ToString().EndsWith("tokens", StringComparison.Ordinal) ? granted : 0;
                    answer.AddRange([0, 0, 0, granted]);
                }
                See();
            }
            if (_held is { } held)
                await held.Task;
            return RedisResult.Create([.. answer, 1]);
        }

        void See()
        {
            if (Counted == _awaited)
                _reached?.TrySetResult();
        }
    }
}
