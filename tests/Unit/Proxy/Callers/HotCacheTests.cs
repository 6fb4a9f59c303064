using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class HotCacheTests
{
    static readonly TimeSpan InUse = TimeSpan.FromSeconds(4);

    readonly Clock _clock = new();

    [Fact]
    public async Task A_value_in_use_is_read_again_from_its_owner_before_it_is_too_old_while_callers_go_on_with_the_one_at_hand()
    {
        var owner = new TaskCompletionSource<Value?>();
        var asked = new List<bool>();
        var first = new Value(_clock.GetUtcNow());
        var cache = new HotCache<string, Value>((_, skipRedis) =>
        {
            asked.Add(skipRedis);
            return asked.Count == 1 ? Task.FromResult<Value?>(first) : owner.Task;
        }, value => value.ReadAt, _clock);
        Assert.Same(first, await cache.GetAsync("key"));

        _clock.Now += InUse;
        Assert.Same(first, await cache.GetAsync("key"));
        Assert.Same(first, await cache.GetAsync("key"));
        Assert.Equal([false, true], asked);

        var second = new Value(_clock.GetUtcNow());
        owner.SetResult(second);
        Assert.Same(second, await cache.GetAsync("key"));
        Assert.Equal(2, asked.Count);
    }

    [Fact]
    public async Task A_value_that_is_too_old_is_not_used()
    {
        var asked = 0;
        var cache = new HotCache<string, Value>((_, _) =>
        {
            asked++;
            return Task.FromResult<Value?>(new(_clock.GetUtcNow()));
        }, value => value.ReadAt, _clock);
        var first = await cache.GetAsync("key");

        _clock.Now += Credential.MaxAge;
        Assert.NotSame(first, await cache.GetAsync("key"));
        Assert.Equal(2, asked);
    }

    sealed record Value(DateTimeOffset ReadAt);

    sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
