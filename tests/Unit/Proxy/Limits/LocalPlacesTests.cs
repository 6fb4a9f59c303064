using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class LocalPlacesTests
{
    [Fact]
    public void A_key_has_its_places_and_no_more_until_one_of_them_is_free()
    {
        var places = new LocalPlaces<string>(ofOne: 2, ofAll: 10);
        var first = places.Take("a")!;
        Assert.NotNull(places.Take("a"));
        Assert.Null(places.Take("a"));
        Assert.NotNull(places.Take("b"));

        first.Dispose();
        first.Dispose(); // frees one place, once

        Assert.NotNull(places.Take("a"));
        Assert.Null(places.Take("a"));
    }

    [Fact]
    public void All_keys_together_have_a_bound_too()
    {
        var places = new LocalPlaces<int>(ofOne: 2, ofAll: 3);
        var taken = Enumerable.Range(0, 3).Select(key => places.Take(key)!).ToList();
        Assert.Null(places.Take(3));
        Assert.Null(places.Take(0));

        taken[1].Dispose();

        Assert.NotNull(places.Take(3));
        Assert.Null(places.Take(4));
    }

    [Fact]
    public void However_many_take_and_free_at_once_none_is_lost_and_none_is_there_twice()
    {
        const int ofOne = 3, ofAll = 8;
        var (places, running, most) = (new LocalPlaces<int>(ofOne, ofAll), 0, 0);
        Parallel.For(0, 20_000, new ParallelOptions { MaxDegreeOfParallelism = 32 }, i =>
        {
            using var place = places.Take(i % 5);
            if (place is null)
                return;
            InterlockedMax(ref most, Interlocked.Increment(ref running));
            Interlocked.Decrement(ref running);
        });

        Assert.InRange(most, 1, ofAll);
        for (var i = 0; i < ofAll; i++)
            Assert.NotNull(places.Take(i / ofOne));
        Assert.Null(places.Take(100));
    }

    static void InterlockedMax(ref int most, int value)
    {
        for (var seen = Volatile.Read(ref most); value > seen;)
        {
            var was = Interlocked.CompareExchange(ref most, value, seen);
            if (was == seen)
                return;
            seen = was;
        }
    }
}
