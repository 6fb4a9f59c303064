using System.Text;
using LlmGateway.Contracts;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

public sealed class TimedSealTests
{
    static readonly byte[] Old = new byte[32], New = [.. Enumerable.Repeat((byte)1, 32)];

    static readonly byte[] Value = "what was said"u8.ToArray();

    readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_value_opens_as_it_was_sealed() => Assert.Equal(Value, Of(New).Open("here", Of(New).Seal("here", Value))!.Value.ToArray());

    [Fact]
    public void It_opens_for_nothing_else()
    {
        var value = Of(New).Seal("here", Value);

        Assert.Null(Of(New).Open("there", value));
        Assert.Null(new TimedSeal([New], "another purpose", _time).Open("here", value));
        Assert.Null(Of(Old).Open("here", value));
    }

    [Fact]
    public void A_value_that_was_altered_anywhere_does_not_open()
    {
        var value = Of(New).Seal("here", Value);

        for (var i = 0; i < value.Length; i++)
        {
            value[i] ^= 1;
            Assert.Null(Of(New).Open("here", value));
            value[i] ^= 1;
        }
        Assert.NotNull(Of(New).Open("here", value));
    }

    [Fact]
    public void What_was_never_sealed_does_not_open()
    {
        foreach (var text in (string[])["", "{}", new('x', 43), new('x', 44), new('x', 500)])
            Assert.Null(Of(New).Open("here", Encoding.UTF8.GetBytes(text)));
    }

    [Fact]
    public void It_holds_for_a_minute()
    {
        var value = Of(New).Seal("here", Value);

        _time.Advance(TimedSeal.Lifetime - TimeSpan.FromMilliseconds(1));
        Assert.NotNull(Of(New).Open("here", value));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Null(Of(New).Open("here", value));
    }

    /// <summary>Each step of a rotation is deployed process by process, so neighbours in this list understand each other.</summary>
    [Fact]
    public void A_key_is_replaced_without_a_moment_in_which_services_do_not_understand_each_other()
    {
        TimedSeal[] steps = [Of(Old), Of(Old, New), Of(New, Old), Of(New)];

        foreach (var (before, after) in steps.Zip(steps.Skip(1)))
        {
            Assert.NotNull(after.Open("here", before.Seal("here", Value)));
            Assert.NotNull(before.Open("here", after.Seal("here", Value)));
        }
        Assert.Null(steps[^1].Open("here", steps[0].Seal("here", Value)));
    }

    TimedSeal Of(params byte[][] keys) => new(keys, "tests", _time);
}
