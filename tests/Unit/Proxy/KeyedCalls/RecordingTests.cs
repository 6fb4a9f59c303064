using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>A stream goes to its caller whatever becomes of its record.</summary>
public sealed class RecordingTests
{
    readonly ArrayBufferWriter<byte> _caller = new();

    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(70_000)]
    public void What_is_recorded_is_what_the_caller_got(int piece)
    {
        var (random, budget) = (new Random(piece), new BodyBudget(1 << 30, 1 << 30));
        using var room = budget.OpenRoom(Ids.New());
        var recording = new Recording(_caller, room);

        for (var i = 0; i < 10; i++)
        {
            var span = recording.GetSpan(piece)[..piece];
            random.NextBytes(span);
            recording.Advance(piece);
            recording.Write("words"u8);
        }

        Assert.Equal(_caller.WrittenSpan.ToArray(), recording.Told!.Value.ToArray());
        Assert.True(budget.Held >= _caller.WrittenCount);
    }

    [Fact]
    public void Beyond_its_bound_it_is_dropped_and_the_caller_gets_all()
    {
        using var room = new BodyBudget(1 << 30, 1 << 30).OpenRoom(Ids.New());
        var recording = new Recording(_caller, room);

        recording.Write(new byte[KeyTerms.MaxAnswerBytes]);
        Assert.NotNull(recording.Told);
        recording.Write(new byte[1]);
        recording.Write(new byte[1]);

        Assert.Null(recording.Told);
        Assert.Equal(KeyTerms.MaxAnswerBytes + 2, _caller.WrittenCount);
    }

    [Fact]
    public void Where_there_is_no_room_it_is_dropped_and_what_it_took_is_given_back()
    {
        var budget = new BodyBudget(100_000, 100_000);
        using (var room = budget.OpenRoom(Ids.New()))
        {
            var recording = new Recording(_caller, room);
            recording.Write(new byte[200_000]);
            Assert.Null(recording.Told);
            Assert.Equal(200_000, _caller.WrittenCount);
        }
        Assert.Equal(0, budget.Held);
    }
}
