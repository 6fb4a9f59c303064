using System.Net;
using System.Net.Http.Headers;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>Several keys of one provider: shares by weight, and rest for a key that the provider has refused.</summary>
public sealed class KeyRingTests
{
    static readonly ProviderConnection Provider = new(
        "openai",
        ProviderWire.OpenAi,
        "https://api.example.com/v1",
        "bearer",
        null,
        [],
        TimeoutSeconds: 60,
        Retries: 0,
        OnAbort: "cancel",
        Sandbox: false);

    readonly FakeTimeProvider _clock = new();

    [Theory]
    [InlineData(429, null, 5.0)]
    [InlineData(429, 2.0, 2.0)]
    [InlineData(429, 3600.0, 60.0)]
    [InlineData(429, 0.0, null)]
    [InlineData(429, -5.0, null)]
    [InlineData(401, null, 60.0)]
    [InlineData(403, 1.0, 60.0)]
    [InlineData(200, null, null)]
    [InlineData(400, null, null)]
    [InlineData(500, 10.0, null)]
    [InlineData(503, 10.0, null)]
    public void A_key_rests_as_long_as_its_answer_says(int status, double? retryAfter, double? expected) => Assert.Equal(
        Seconds(expected), KeyRing.RestAfter((HttpStatusCode)status, Seconds(retryAfter)));

    [Fact]
    public void Calls_are_shared_by_weight()
    {
        var ring = Ring(("a", 3), ("b", 1));

        var chosen = Enumerable.Range(0, 4000).Select(_ => ring.Next()).ToArray();

        var share = chosen.Count(key => key.Weight == 3) / 4000.0;
        Assert.InRange(share, 0.70, 0.80); // the random numbers are always the same
    }

    [Fact]
    public void A_resting_key_is_passed_over_until_it_is_free_again()
    {
        var ring = Ring(("a", 1000), ("b", 1));
        var heavy = Enumerable.Range(0, 100).Select(_ => ring.Next()).First(key => key.Weight == 1000);

        ring.Answered(heavy, Answer(429, retryAfter: 7));

        Assert.True(ring.HasFree);
        Assert.All(Enumerable.Range(0, 100), _ => Assert.Equal(1, ring.Next().Weight));
        _clock.Advance(TimeSpan.FromSeconds(6.9));
        Assert.Equal(1, ring.Next().Weight);
        _clock.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Contains(Enumerable.Range(0, 100), _ => ring.Next().Weight == 1000);
    }

    [Fact]
    public void When_all_rest_the_one_that_is_free_first_is_used()
    {
        var ring = Ring(("a", 3), ("b", 2), ("c", 1));
        foreach (var (weight, seconds) in ((int, int)[])[(3, 30), (2, 10), (1, 20)])
            ring.Answered(Enumerable.Range(0, 1000).Select(_ => ring.Next()).First(key => key.Weight == weight), Answer(429, seconds));

        Assert.False(ring.HasFree);
        Assert.All(Enumerable.Range(0, 20), _ => Assert.Equal(2, ring.Next().Weight));
    }

    [Fact]
    public void A_later_answer_never_shortens_a_rest()
    {
        var ring = Ring(("a", 1000), ("b", 1));
        var key = Enumerable.Range(0, 100).Select(_ => ring.Next()).First(key => key.Weight == 1000);

        ring.Answered(key, Answer(401));
        ring.Answered(key, Answer(429, retryAfter: 1));
        _clock.Advance(TimeSpan.FromSeconds(59));

        Assert.All(Enumerable.Range(0, 100), _ => Assert.Equal(1, ring.Next().Weight));
    }

    [Fact]
    public void One_key_alone_is_always_used()
    {
        var ring = Ring(("a", 1));

        ring.Answered(ring.Next(), Answer(401));

        Assert.True(ring.HasFree);
        Assert.NotNull(ring.Next());
    }

    /// <summary>Catalogs are read again every few seconds, each time with new copies of the keys.</summary>
    [Fact]
    public void A_rest_outlives_the_copy_of_the_key_and_belongs_to_its_address()
    {
        var rests = new KeyRests();
        var key = new UpstreamKey(Provider, "a", 1, rests);

        key.RestUntil(1000);

        Assert.Equal(1000, new UpstreamKey(Provider, "a", 2, rests).FreeAt);
        Assert.Equal(0, new UpstreamKey(Provider, "b", 1, rests).FreeAt);
        Assert.Equal(0, new UpstreamKey(Provider with { BaseUrl = "https://other.example.com/v1" }, "a", 1, rests).FreeAt);
    }

    [Fact]
    public void Keys_are_chosen_and_put_to_rest_by_many_threads_at_once()
    {
        var ring = Ring(("a", 3), ("b", 2), ("c", 1));

        Parallel.For(0, 20_000, i =>
        {
            var key = ring.Next();
            if (i % 7 == 0)
                ring.Answered(key, Answer(i % 2 == 0 ? 429 : 401, i % 5));
            if (i % 50 == 0)
                _clock.Advance(TimeSpan.FromSeconds(1));
        });

        _clock.Advance(TimeSpan.FromMinutes(2));
        Assert.True(ring.HasFree);
    }

    KeyRing Ring(params (string Secret, int Weight)[] keys) =>
        new([.. keys.Select(key => new UpstreamKey(Provider, key.Secret, key.Weight))], _clock, new LockedRandom());

    static TimeSpan? Seconds(double? seconds) => seconds is { } s ? TimeSpan.FromSeconds(s) : null;

    static HttpResponseMessage Answer(int status, int? retryAfter = null)
    {
        var answer = new HttpResponseMessage((HttpStatusCode)status);
        if (retryAfter is { } seconds)
            answer.Headers.RetryAfter = new RetryConditionHeaderValue(TimeSpan.FromSeconds(seconds));
        return answer;
    }

    /// <summary>The same numbers in every run, for any number of threads.</summary>
    sealed class LockedRandom : Random
    {
        readonly Random _random = new(1);

        public override int Next(int maxValue)
        {
            lock (_random)
                return _random.Next(maxValue);
        }
    }
}
