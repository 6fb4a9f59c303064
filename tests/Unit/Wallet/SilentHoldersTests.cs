using LlmGateway.Wallet;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>A dead proxy costs one wait, not one for each shortage until its leases end.</summary>
public sealed class SilentHoldersTests
{
    readonly FakeTimeProvider _time = new();
    readonly SilentHolders _silent;

    public SilentHoldersTests() => _silent = new(_time);

    [Fact]
    public void Who_missed_a_recall_is_not_waited_for_during_five_seconds()
    {
        _silent.Missed(["dead"]);
        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Equal(["alive"], _silent.Without(["dead", "alive"]));

        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal(["alive", "dead"], _silent.Without(["dead", "alive"]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void An_answer_ends_that_at_once()
    {
        _silent.Missed(["slow"]);
        _silent.Answered("slow");

        Assert.Equal(["slow"], _silent.Without(["slow"]));
    }
}
