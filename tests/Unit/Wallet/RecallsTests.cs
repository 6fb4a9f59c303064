using LlmGateway.Contracts;
using LlmGateway.UnitTests.Proxy;
using LlmGateway.Wallet;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>For whom a shortage waits: leases live for 60 seconds after each renewal, and their holders renew them every 15.</summary>
public sealed class RecallsTests
{
    readonly FakeTimeProvider _time = new();
    readonly Recalls _recalls;

    readonly LeaseDemand _limit = new(Ids.New(), 1, 1, 1, 1)
    {
        Counter = new(AccountKind.Limit, Unit.Requests, null, 1, DateTimeOffset.UnixEpoch, Term.Ever),
    };

    readonly LeaseDemand _quota = new(Ids.New(), 1, 1, 1, 1), _wallet = new(Ids.New(), 1, 1, 1, 1);

    public RecallsTests() => _recalls = new(null!, RedisInMemory.New((_, _) => null), _time);

    [Fact]
    public void A_limit_is_called_back_at_most_ten_times_a_second_while_recalls_find_nothing()
    {
        for (var i = 0; i < 3; i++)
        {
            Assert.Empty(InUse(1, _limit, _wallet));
            _recalls.FoundInUse([_limit.Register]);
        }
        Assert.Equal([_limit.Register], InUse(1, _limit, _wallet));

        _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Empty(InUse(1, _limit, _wallet));
        _recalls.FoundInUse([_limit.Register]);
        Assert.Equal([_limit.Register], InUse(1, _limit, _wallet));
    }

    [Fact]
    public void A_limit_of_which_something_came_back_or_nobody_asked_for_a_while_is_called_back()
    {
        for (var i = 0; i < 3; i++)
            _recalls.FoundInUse([_limit.Register]);
        _recalls.FoundIdle([_limit.Register]);
        _recalls.FoundInUse([_limit.Register]);
        Assert.Empty(InUse(1, _limit, _wallet));

        _recalls.FoundInUse([_limit.Register]);
        _time.Advance(TimeSpan.FromSeconds(1));
        _recalls.FoundInUse([_limit.Register]);
        Assert.Empty(InUse(1, _limit, _wallet));
    }

    [Fact]
    public void A_source_is_passed_for_a_second_unless_it_is_the_only_one()
    {
        _recalls.FoundInUse([_quota.Register, _wallet.Register]);
        Assert.Equal([_quota.Register, _wallet.Register], InUse(0, _quota, _wallet));
        Assert.Empty(InUse(1, _quota, _wallet));
        Assert.Empty(InUse(null, _quota, _wallet));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(InUse(0, _quota, _wallet));
    }

    IReadOnlySet<Guid> InUse(int? firstSource, params LeaseDemand[] lines) =>
        _recalls.InUse(new(Ids.New(), 1, "proxy", lines) { FirstSource = firstSource });

    [Theory]
    [InlineData(60, true)] // renewed just now
    [InlineData(41, true)]
    [InlineData(40, false)] // not for 20 seconds
    [InlineData(10, false)] // its holder was called dead
    [InlineData(-1, false)]
    [InlineData(86_400, false)] // handed over
    public void A_holder_is_waited_for_while_it_renews_its_leases(int secondsLeft, bool expected) =>
        Assert.Equal(expected, Recalls.HolderLives(TimeSpan.FromSeconds(secondsLeft)));
}
