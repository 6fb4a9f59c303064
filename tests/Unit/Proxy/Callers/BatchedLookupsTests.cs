using System.Net;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What the proxies ask Sessions for, with as many users at once as a large deployment has.</summary>
public sealed class BatchedLookupsTests
{
    const int Users = 20_000, Proxies = 2, MostPerSecond = 300;

    static readonly TimeSpan Step = TimeSpan.FromMilliseconds(20), UsedEvery = TimeSpan.FromSeconds(2), Time = TimeSpan.FromSeconds(70);

    readonly FakeTimeProvider _clock = new();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Each user calls every two seconds. Credentials and projects are asked for alike; each user has its own project.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task Twenty_thousand_active_sessions_are_at_most_300_requests_a_second_from_two_proxies(bool heard) => Task.Run(async () =>
    {
        var proxies = Enumerable.Range(0, Proxies).Select(_ => new Edge(_clock)).ToArray();
        var sessions = Ids.New();
        var (most, total, waited) = (0, 0, 0);
        var perStep = (int)(Users / (UsedEvery / Step));
        var next = 0;
        for (var passed = TimeSpan.Zero; passed < Time; passed += Step)
        {
            if (passed.Ticks % TimeSpan.TicksPerSecond == 0)
            {
                var asked = proxies.Sum(edge => edge.TakeAsked());
                (most, total) = (Math.Max(most, asked), total + asked);
                foreach (var edge in proxies.Where(_ => heard))
                    edge.Feed.Hear(new(Invalidation.Beat, "") { Sender = sessions });
            }
            foreach (var edge in proxies)
                for (var i = 0; i < perStep; i++)
                    waited += edge.Use((next + i) % Users, first: passed < UsedEvery) ? 0 : 1;
            next += perStep;
            _clock.Advance(Step);
            foreach (var edge in proxies)
                edge.Settle();
        }

        Assert.InRange(most, 1, MostPerSecond);
        Assert.Equal(0, waited);
        // Copies that live longer are read less often: 20 000 users once or twice in that time, in batches.
        if (heard)
            Assert.InRange(total / Time.TotalSeconds, 0, MostPerSecond / 2);
    }, Token);

    [Fact]
    public async Task A_key_that_comes_alone_is_asked_for_at_once_and_those_that_come_meanwhile_go_together()
    {
        var asked = new List<int>();
        var lookups = new BatchedLookups<int, string>(keys =>
        {
            asked.Add(keys.Count);
            return Known(keys.Where(key => key % 2 == 0));
        }, most: 3, _clock);

        Assert.Equal("0", await lookups.FindAsync(0));
        var waiting = Enumerable.Range(1, 4).Select(lookups.FindAsync).ToArray();
        Assert.Equal([1], asked);

        _clock.Advance(BatchedLookups<int, string>.Interval);
        Assert.Equal((null, "2", null), (await waiting[0], await waiting[1], await waiting[2]));
        Assert.Equal([1, 3], asked);
        _clock.Advance(BatchedLookups<int, string>.Interval);
        Assert.Equal("4", await waiting[3]);
        Assert.Equal([1, 3, 1], asked);
    }

    [Fact]
    public async Task An_owner_that_does_not_answer_fails_those_who_asked_and_holds_up_no_others()
    {
        var first = new TaskCompletionSource<IReadOnlyDictionary<int, string>>();
        var lookups = new BatchedLookups<int, string>(
            keys => keys[0] == 0 ? first.Task : Known(keys), most: 1, _clock);
        var hanging = lookups.FindAsync(0);
        var second = lookups.FindAsync(1);

        _clock.Advance(BatchedLookups<int, string>.Interval);
        Assert.Equal("1", await second.WaitAsync(TimeSpan.FromSeconds(30), Token));

        first.SetException(new HttpRequestException("away"));
        await Assert.ThrowsAsync<HttpRequestException>(() => hanging);
    }

    [Fact]
    public async Task A_key_that_the_owner_fails_at_fails_no_other_and_is_left_alone_for_a_while()
    {
        const int bad = 7, most = 500;
        var asked = 0;
        var lookups = new BatchedLookups<int, string>(keys =>
        {
            asked++;
            return keys.Contains(bad) ? throw new HttpRequestException(null, null, HttpStatusCode.InternalServerError) : Known(keys);
        }, most, _clock);
        await lookups.FindAsync(-1);
        var waiting = Enumerable.Range(0, most).Append(bad).Select(lookups.FindAsync).ToArray();

        _clock.Advance(BatchedLookups<int, string>.Interval);
        for (var key = 0; key < most; key++)
            if (key != bad)
                Assert.Equal($"{key}", await waiting[key]);
        await Assert.ThrowsAsync<HttpRequestException>(() => waiting[bad]);
        Assert.InRange(asked, 1, 20);

        _clock.Advance(BatchedLookups<int, string>.Interval);
        asked = 0;
        await Assert.ThrowsAsync<HttpRequestException>(() => lookups.FindAsync(bad));
        Assert.Equal(0, asked);
        _clock.Advance(BatchedLookups<int, string>.FailedFor);
        await Assert.ThrowsAsync<HttpRequestException>(() => lookups.FindAsync(bad));
        Assert.Equal(1, asked);
    }

    [Fact]
    public async Task An_owner_that_fails_at_everything_is_not_asked_for_each_key()
    {
        var asked = 0;
        var lookups = new BatchedLookups<int, string>(keys =>
        {
            asked++;
            return keys[0] < 0 ? Known(keys) : throw new HttpRequestException(null, null, HttpStatusCode.InternalServerError);
        }, 500, _clock);
        await lookups.FindAsync(-1);
        var waiting = Enumerable.Range(0, 500).Select(lookups.FindAsync).ToArray();

        _clock.Advance(BatchedLookups<int, string>.Interval);
        foreach (var lookup in waiting)
            await Assert.ThrowsAsync<HttpRequestException>(() => lookup);

        Assert.InRange(asked, 1, 30);
    }

    static Task<IReadOnlyDictionary<int, string>> Known(IEnumerable<int> keys) =>
        Task.FromResult<IReadOnlyDictionary<int, string>>(keys.ToDictionary(key => key, key => $"{key}"));

    /// <summary>One proxy's copies of credentials and projects.</summary>
    sealed class Edge
    {
        readonly HotCache<int, object>[] _caches;
        int _asked, _answered, _arrived;

        public Edge(TimeProvider time)
        {
            Feed = new(time);
            _caches = [New(CredentialQuestion.MaxAtOnce, time), New(CredentialQuestion.MaxAtOnce, time)];
        }

        public ChangeFeed Feed { get; }

        /// <summary>Returns when every answer has arrived. Time stands still meanwhile.</summary>
        public void Settle() => Assert.True(
            SpinWait.SpinUntil(() => Volatile.Read(ref _arrived) == Volatile.Read(ref _answered), TimeSpan.FromMinutes(1)));

        public int TakeAsked() => Interlocked.Exchange(ref _asked, 0);

        /// <summary>False when a caller has to wait. The first call of a user always does.</summary>
        public bool Use(int user, bool first)
        {
            var known = true;
            foreach (var cache in _caches)
                if (!cache.TryGet(user, out _))
                {
                    known = false;
                    _ = cache.GetAsync(user).AsTask();
                }
            return known || first;
        }

        HotCache<int, object> New(int most, TimeProvider time)
        {
            var lookups = new BatchedLookups<int, object>(keys =>
            {
                Interlocked.Increment(ref _asked);
                Interlocked.Add(ref _answered, keys.Count);
                return Task.FromResult<IReadOnlyDictionary<int, object>>(keys.ToDictionary(key => key, key => (object)"known"));
            }, most, time);
            return new(async (key, _) =>
            {
                var value = await lookups.FindAsync(key);
                Interlocked.Increment(ref _arrived);
                return new(value, null);
            }, Feed, time);
        }
    }
}
