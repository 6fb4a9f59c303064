using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>What cannot be read of a batch stops nothing else of it, and is never dropped without a word.</summary>
public sealed class SettlementConsumerTests
{
    static readonly byte[] Whole = SettlementRecord.Encode(Settlement()).ToArray();

    [Fact]
    public void Whole_records_are_read_and_nothing_is_left()
    {
        var (settlements, unread) = SettlementConsumer.Read([.. Whole, .. Whole]);

        Assert.Equal(2, settlements.Count);
        Assert.Null(unread);
    }

    [Fact]
    public void A_record_that_is_no_settlement_does_not_stop_those_behind_it()
    {
        byte[] other = [.. Whole];
        other[SettlementRecord.HeadBytes] = 0; // no version

        var (settlements, unread) = SettlementConsumer.Read([.. Whole, .. other, .. Whole]);

        Assert.Equal(2, settlements.Count);
        Assert.NotNull(unread);
    }

    [Fact]
    public void What_stands_behind_an_impossible_length_is_told()
    {
        var (settlements, unread) = SettlementConsumer.Read([.. Whole, 0xff, 0xff, 0xff, 0xff, .. Whole]);

        Assert.Single(settlements);
        Assert.Contains($"{Whole.Length + 4} of {2 * Whole.Length + 4} bytes", unread!.Message);
    }

    [Fact]
    public void Any_damaged_byte_is_a_record_that_is_no_settlement_and_no_other_failure()
    {
        for (var at = SettlementRecord.HeadBytes; at < Whole.Length; at++)
            foreach (var damage in (byte[])[0x00, 0x7f, 0x80, 0xff])
            {
                byte[] damaged = [.. Whole];
                damaged[at] = damage;
                SettlementConsumer.Read(damaged); // throws nothing
            }
    }

    static Settlement Settlement() =>
        new(Ids.New(), null, [new(Ids.New(), 5)], UsageRecords.Of(5, Ids.New(), Ids.New(), DateTimeOffset.UnixEpoch));
}
