using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class HotCacheTests
{
    static readonly TimeSpan InUse = TimeSpan.FromSeconds(4), Second = TimeSpan.FromSeconds(1), Tick = TimeSpan.FromTicks(1);

    readonly FakeTimeProvider _clock = new();
    readonly ChangeFeed _feed;
    readonly Guid _sessions = Ids.New();
    readonly List<bool> _asked = [];

    public HotCacheTests() => _feed = new(_clock);

    [Fact]
    public async Task A_value_in_use_is_read_again_from_its_owner_before_it_is_too_old_while_callers_go_on_with_the_one_at_hand()
    {
        var owner = new TaskCompletionSource<Found<Value>>();
        var first = new Value();
        var cache = NewCache(_ => _asked.Count == 1 ? Task.FromResult(new Found<Value>(first, null)) : owner.Task);
        Assert.Same(first, await cache.GetAsync("key"));

        _clock.Advance(InUse);
        Assert.Same(first, await cache.GetAsync("key"));
        Assert.Same(first, await cache.GetAsync("key"));
        Assert.Equal([false, true], _asked);

        var second = new Value();
        owner.SetResult(new(second, null));
        Assert.Same(second, await cache.GetAsync("key"));
        Assert.Equal(2, _asked.Count);
    }

    [Fact]
    public async Task A_value_that_is_too_old_is_not_used()
    {
        var cache = NewCache();
        var first = await cache.GetAsync("key");

        _clock.Advance(Credential.MaxAge);
        Assert.NotSame(first, await cache.GetAsync("key"));
        Assert.Equal(2, _asked.Count);
    }

    /// <summary>No clock of another machine is looked at. The age begins before the question, because the answer may be late.</summary>
    [Theory]
    [InlineData(1, true)]
    [InlineData(0, false)]
    public async Task The_age_of_a_value_is_measured_from_the_question(int ticksLeft, bool isUsed)
    {
        var cache = NewCache(_ =>
        {
            _clock.Advance(Second); // the owner takes its time
            return Task.FromResult(new Found<Value>(new(), null));
        });
        await cache.GetAsync("key");

        _clock.Advance(Credential.MaxAge - Second - (ticksLeft * Tick));

        Assert.Equal(isUsed, cache.TryGet("key", out _));
    }

    [Fact]
    public async Task A_copy_of_Redis_is_used_no_longer_than_its_owner_s_reading_allows()
    {
        Hear(0);
        Live(TimeSpan.FromSeconds(20)); // every change since the owner's reading was heard of
        var cache = NewCache(_ => Task.FromResult(new Found<Value>(new(), _asked[^1] ? null : InUse)));
        await cache.GetAsync("key");

        Live(Credential.MaxAge - InUse);
        await cache.GetAsync("key");
        Assert.Equal(2, _asked.Count);
    }

    [Fact]
    public async Task While_every_change_is_heard_of_a_value_is_used_for_a_minute()
    {
        Hear(0);
        var cache = NewCache();
        var first = await cache.GetAsync("key");

        Live(TimeSpan.FromSeconds(50));
        Assert.Same(first, await cache.GetAsync("key"));
        Assert.Single(_asked);

        // Read again before its minute is over, without anybody waiting.
        Live(Second);
        Assert.True(cache.TryGet("key", out _));
        Assert.Equal(2, _asked.Count);
    }

    [Theory]
    [InlineData("beat")]
    [InlineData("message")]
    [InlineData("stranger")]
    [InlineData("unknown")]
    [InlineData("owner")]
    public async Task When_something_was_not_heard_the_values_from_before_are_used_for_five_seconds(string missed)
    {
        Hear(0);
        var cache = NewCache();
        await cache.GetAsync("old");
        Live(TimeSpan.FromSeconds(10));
        Assert.True(cache.TryGet("old", out _));
        await cache.GetAsync("young");

        switch (missed)
        {
            case "beat":
                _clock.Advance(Invalidation.BeatMissedAfter);
                break;
            case "message": // the second one is lost, and the beat after the next shows it
                Hear(1, Invalidation.CredentialChanged);
                Hear(3, Invalidation.CredentialChanged);
                Live(Second, 3);
                Assert.True(cache.TryGet("old", out _));
                Live(Second, 3);
                break;
            case "stranger": // another process may have said something before
                _feed.Hear(new(Invalidation.Beat, "") { Sender = Ids.New(), Number = 7 });
                break;
            case "unknown": // a newer version says something that this one does not know
                _feed.Hear(new("news", "") { Sender = _sessions, Number = 1 }, isUnderstood: false);
                break;
            default: // one of two processes falls silent
                _feed.Hear(new(Invalidation.Beat, "") { Sender = Ids.New(), Number = 0 });
                Live(Invalidation.BeatMissedAfter);
                break;
        }

        Assert.False(cache.TryGet("old", out _));
        Assert.True(cache.TryGet("young", out _));
        Live(Credential.MaxAge, 3);
        Assert.False(cache.TryGet("young", out _));
    }

    [Fact]
    public async Task After_a_silence_values_that_are_read_from_then_on_are_used_for_a_minute_again()
    {
        Hear(0);
        _clock.Advance(TimeSpan.FromMinutes(1));
        Hear(5);
        var cache = NewCache();
        await cache.GetAsync("key");

        Live(TimeSpan.FromSeconds(40), 5);
        Assert.True(cache.TryGet("key", out _));
    }

    [Fact]
    public async Task Messages_that_overtake_each_other_are_no_loss()
    {
        Hear(0);
        var cache = NewCache();
        await cache.GetAsync("key");

        foreach (var number in (long[])[2, 3, 1])
            Hear(number, Invalidation.CredentialChanged);
        Live(TimeSpan.FromSeconds(20), 3);
        Hear(5, Invalidation.CredentialChanged);
        Live(Second, 5);
        Hear(4, Invalidation.CredentialChanged); // later than its beat
        Live(TimeSpan.FromSeconds(20), 5);

        Assert.True(cache.TryGet("key", out _));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_change_throws_away_what_is_being_read_of_it_and_nothing_else(bool isOfIt)
    {
        var (owner, value) = (new TaskCompletionSource<Found<Value>>(), new Value());
        var cache = NewCache(_ => owner.Task);
        var waiting = cache.GetAsync("key").AsTask();
        _clock.Advance(Tick);

        cache.InvalidateWhere(changed => isOfIt && changed == value);
        owner.SetResult(new(value, null));
        await waiting;

        Assert.Equal(!isOfIt, cache.TryGet("key", out _));
    }

    [Fact]
    public async Task A_change_that_comes_while_the_question_is_being_sent_is_not_missed()
    {
        HotCache<string, Value> cache = null!;
        cache = NewCache(_ =>
        {
            cache.InvalidateWhere(_ => true);
            return Task.FromResult(new Found<Value>(new(), null));
        });
        await cache.GetAsync("key");

        Assert.False(cache.TryGet("key", out _));
    }

    /// <summary>Who ends the running requests of a revoked credential asks right after the push.</summary>
    [Fact]
    public async Task Who_comes_after_a_change_gets_nothing_that_was_read_before_it()
    {
        var owners = new[] { new TaskCompletionSource<Found<Value>>(), new TaskCompletionSource<Found<Value>>() };
        var (old, changed) = (new Value(), new Value());
        var cache = NewCache(_ => owners[_asked.Count - 1].Task);
        var before = cache.GetAsync("key").AsTask();
        _clock.Advance(Tick);
        cache.InvalidateWhere(_ => true);
        _clock.Advance(Tick);
        var after = cache.GetAsync("key").AsTask();

        owners[0].SetResult(new(old, null));
        Assert.Same(old, await before);
        owners[1].SetResult(new(changed, null));

        Assert.Same(changed, await after);
        Assert.Equal([false, true], _asked);
        Assert.True(cache.TryGet("key", out _));
    }

    [Fact]
    public async Task A_copy_of_Redis_from_before_a_change_is_not_used()
    {
        var cache = NewCache(_ => Task.FromResult(new Found<Value>(new(), _asked[^1] ? null : InUse)));
        cache.InvalidateWhere(_ => true);
        _clock.Advance(Second);

        await cache.GetAsync("key");

        Assert.Equal([false, true], _asked);
    }

    [Fact]
    public async Task More_changes_than_are_remembered_are_taken_as_one_of_the_value()
    {
        var owner = new TaskCompletionSource<Found<Value>>();
        var cache = NewCache(_ => owner.Task);
        var waiting = cache.GetAsync("key").AsTask();
        for (var i = 0; i < 5_000; i++)
            cache.InvalidateWhere(_ => false);
        owner.SetResult(new(new(), null));
        await waiting;

        Assert.False(cache.TryGet("key", out _));
    }

    [Fact]
    public async Task When_memory_is_full_values_that_are_too_old_go_and_those_in_use_stay()
    {
        Hear(0);
        var cache = NewCache(most: 10);
        for (var i = 0; i < 9; i++)
            await cache.GetAsync($"{i}");
        Live(Credential.MaxAgeWhenWatched + Second);
        await cache.GetAsync("in use");

        await cache.GetAsync("new");

        Assert.True(cache.TryGet("in use", out _));
    }

    HotCache<string, Value> NewCache(Func<string, Task<Found<Value>>>? owner = null, int most = 1_000) => new(
        (key, skipRedis) =>
        {
            _asked.Add(skipRedis);
            return owner?.Invoke(key) ?? Task.FromResult(new Found<Value>(new(), null));
        },
        _feed, _clock, most);

    void Hear(long number, string kind = Invalidation.Beat) => _feed.Hear(new(kind, "") { Sender = _sessions, Number = number });

    /// <summary>Time passes, and Sessions is heard every second.</summary>
    void Live(TimeSpan time, long number = 0)
    {
        for (var left = time; left > TimeSpan.Zero; left -= Second)
        {
            _clock.Advance(left < Second ? left : Second);
            Hear(number);
        }
    }

    sealed class Value;
}
