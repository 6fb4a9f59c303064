using System.Numerics;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

public sealed class WaterfallTests
{
    const long Nanos = 1_000_000_000;

    [Fact]
    public void Quota_that_is_nearly_empty_pays_what_it_can_and_the_wallet_the_rest()
    {
        // At most 4 000 tokens or $0.08, and 1 000 tokens are left.
        Assert.Equal("1000 60000000", Taken([1_000, Nanos], [4_000, 80_000_000]));
        // It turns out to be 2 000 tokens and $0.04: the wallet owes half.
        Assert.Equal(20_000_000, Waterfall.Due((Int128)40_000_000 * Nanos, 2_000, 1_000));
        // It turns out to be 800 tokens: quota paid all of it.
        Assert.Equal(0, Waterfall.Due((Int128)16_000_000 * Nanos, 800, 1_000));
    }

    [Theory]
    [InlineData(new long[] { 5_000, 1, 100 }, "4000 0 0")] // enough quota
    [InlineData(new long[] { 1_000, 1, 100 }, "1000 1 0")] // a call credit pays all the rest
    [InlineData(new long[] { 1_000, 0, 100 }, "1000 0 60")] // there is none
    [InlineData(new long[] { 0, 0, 80 }, "0 0 80")]
    [InlineData(new long[] { 1_000, 0, 59 }, Refused)] // one short
    public void Sources_pay_in_their_order(long[] have, string expected) =>
        Assert.Equal(expected, Taken(have, [4_000, 1, 80], whole: 0b010));

    [Fact]
    public void A_source_that_pays_whole_pays_all_that_is_left_or_nothing()
    {
        Assert.Equal("0 80", Taken([2, 80], [3, 80], whole: 0b01)); // two of three credits stay
        Assert.Equal("3 0", Taken([3, 80], [3, 80], whole: 0b01));
        Assert.Equal(Refused, Taken([80, 2], [100, 30], whole: 0b10)); // a fifth of 30 is 6
    }

    [Fact]
    public void What_costs_nothing_takes_nothing()
    {
        Assert.Equal("0", Taken([0], [0]));
        Assert.Equal("0 0", Taken([0, 0], [0, 10]));
        Assert.Equal(Refused, Taken([], []));
        Assert.Equal(0, Waterfall.Due(0, 0, 0));
    }

    [Fact]
    public void One_source_pays_what_it_would_pay_alone() => Seeds.ForEach(10_000, random =>
    {
        var (have, full) = (Amount(random), Amount(random));
        Assert.Equal(have >= full ? $"{full}" : Refused, Taken([have], [full]));
    });

    [Fact]
    public void No_source_is_passed_while_it_has_and_all_together_cover_the_payment() => Seeds.ForEach(300_000, random =>
    {
        var count = 1 + random.Next(4);
        long[] have = [.. Enumerable.Range(0, count).Select(_ => Amount(random))];
        long[] full = [.. Enumerable.Range(0, count).Select(_ => Amount(random))];
        var whole = (ulong)random.Next(1 << count) & (ulong)random.Next(1 << count);

        var take = new long[count];
        var covers = Waterfall.Take(have, full, whole, take);

        var (paid, of) = (BigInteger.Zero, BigInteger.One); // the part of the payment that is paid, exactly
        var last = Array.FindLastIndex(take, amount => amount > 0);
        for (var k = 0; k < count; k++)
        {
            Assert.InRange(take[k], 0, Math.Min(have[k], full[k]));
            var passed = k < last || !covers;
            if (passed && full[k] > 0 && (whole >> k & 1) == 0)
                Assert.Equal(have[k], take[k]);
            if (passed && (whole >> k & 1) == 1 && (of - paid) * full[k] > 0)
                Assert.True(take[k] == 0 && (of - paid) * full[k] > have[k] * of - of, "a source that pays whole could have paid");
            if (take[k] > 0)
                (paid, of) = (paid * full[k] + take[k] * of, of * full[k]);
        }
        if (!covers || full.Contains(0))
            return;
        Assert.True(paid >= of, "too little is held");
        // One unit less of the last source would not do. After a second source that pays a part, its unit is what may be too much.
        if (take.Take(last).Count(amount => amount > 0) < 2)
            Assert.True(paid * full[last] - of < of * full[last], "too much is held");
    });

    [Fact]
    public void What_was_held_for_the_bounds_pays_whatever_the_request_becomes() => Seeds.ForEach(300_000, random =>
    {
        var (tokens, cost) = (1 + Small(random), Small(random)); // bounds
        var quota = random.NextInt64(tokens + 1);
        var take = new long[2];
        Assert.True(Waterfall.Take([quota, long.MaxValue], [tokens, cost], 0, take));

        var used = random.Next(4) == 0 ? tokens : random.NextInt64(tokens + 1);
        var attos = random.Next(4) == 0 ? (Int128)cost * Nanos : (Int128)(random.NextDouble() * cost) * Nanos;
        attos = Int128.Min(attos, (Int128)cost * Nanos);
        var due = Waterfall.Due(attos, used, Math.Min(used, take[0]));

        Assert.InRange(due, 0, take[1]);
        Assert.Equal(Exact(attos, used, Math.Min(used, take[0])), due);
    });

    [Fact]
    public void The_largest_amounts_do_not_overflow()
    {
        const long max = long.MaxValue;
        Assert.Equal($"{max - 1} 1 0", Taken([max - 1, max, max], [max, max, max]));
        Assert.Equal($"1 {max - 1}", Taken([1, max], [max, max]));
        Assert.Equal($"{max / 2} {max / 2} 1", Taken([max / 2, max / 2, max], [max, max, max]));
        Assert.Equal(Refused, Taken([max / 2, max / 2, 0], [max, max, max]));
        Assert.Equal("1 0 1", Taken([1, max - 2, max], [max, max, 1], whole: 0b010));
        Assert.Equal(max, Waterfall.Due((Int128)max * Nanos, max, 0));
        Assert.Equal(1, Waterfall.Due((Int128)max * Nanos, max, max - 1));
        Assert.Equal(max - 1, Waterfall.Due((Int128)max * Nanos, max, 1));
        Assert.Throws<OverflowException>(() => Waterfall.Due((Int128)max * Nanos + 1, 1, 0));
    }

    static BigInteger Exact(Int128 attos, long tokens, long paid)
    {
        if (paid == tokens)
            return 0;
        var of = (BigInteger)tokens * Nanos;
        return ((BigInteger)attos * (tokens - paid) + of - 1) / of;
    }

    const string Refused = "refused";

    static string Taken(long[] have, long[] full, ulong whole = 0)
    {
        var take = new long[full.Length];
        return Waterfall.Take(have, full, whole, take) ? string.Join(' ', take) : Refused;
    }

    /// <summary>Of every size, with zero and the largest among them.</summary>
    static long Amount(Random random) => random.Next(12) switch
    {
        0 => 0,
        1 => long.MaxValue,
        _ => random.NextInt64(1L << (1 + random.Next(62))),
    };

    static long Small(Random random) => random.NextInt64(1L << (1 + random.Next(62)));
}
