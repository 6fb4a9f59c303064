using System.Diagnostics;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>The ledger reads every field that a proxy writes.</summary>
public sealed class SettlementRecordTests
{
    [Theory]
    [InlineData("full", 2)]
    [InlineData("sparse", 2)]
    [InlineData("claim", 4)]
    [InlineData("beyond", 4)]
    [InlineData("windows", 6)]
    [InlineData("credits", 10)]
    public void A_settlement_reads_back_as_it_was_written_in_the_lowest_version_that_can_say_it(string what, byte version)
    {
        var settlement = what switch
        {
            "full" => Full(),
            "sparse" => Sparse(),
            "claim" => Claim(),
            "credits" => Claim() with { Charges = [new(Ids.New(), 1) { Denomination = Ids.New() }, new(Ids.New(), 300, Beyond: 200)] },
            "windows" => Full() with { Windows = [Ids.New(), Ids.New()] },
            _ => Full() with { Charges = [new(Ids.New(), 300, Beyond: 200)] },
        };
        var record = SettlementRecord.Encode(settlement).ToArray();
        Assert.Equal(version, record[SettlementRecord.HeadBytes]);

        var read = SettlementRecord.Decode(record, 0, record.Length);

        Assert.Equal(settlement.Charges, read.Charges);
        Assert.Equal(settlement.Usage.Meters, read.Usage.Meters);
        Assert.Equal(settlement.Windows, read.Windows);
        Assert.Equal(
            settlement with { Charges = [], Windows = [], Usage = settlement.Usage with { Meters = [] } },
            read with { Charges = [], Windows = [], Usage = read.Usage with { Meters = [] } });
    }

    [Fact]
    public void Of_records_that_were_cut_anywhere_only_whole_ones_are_read()
    {
        var record = SettlementRecord.Encode(Full()).ToArray();
        byte[] two = [.. record, .. record];
        for (var length = 0; length < record.Length; length++)
        {
            Assert.Equal(0, SettlementRecord.LengthOf(two.AsSpan(0, length)));
            Assert.Equal(record.Length, SettlementRecord.LengthOf(two.AsSpan(0, record.Length + length)));
        }
        Assert.Equal(0, SettlementRecord.LengthOf(new byte[100]));
    }

    [Fact]
    public void What_is_no_settlement_is_refused_and_never_read_as_another()
    {
        var record = SettlementRecord.Encode(Full()).ToArray();
        for (var length = SettlementRecord.HeadBytes; length < record.Length; length++)
            Assert.Throws<InvalidDataException>(() => SettlementRecord.Decode(record, 0, length));
        record[SettlementRecord.HeadBytes] = 0;
        Assert.Throws<InvalidDataException>(() => SettlementRecord.Decode(record, 0, record.Length));
    }

    [Theory]
    [InlineData(0x00), InlineData(0x7F), InlineData(0x80), InlineData(0xFF)]
    [InlineData(0xFF, 0xFF, 0xFF, 0xFF, 0x07), InlineData(0xFF, 0xFF, 0xFF, 0xFF, 0x0F)] // counts and lengths: the largest, and below zero
    public void Whatever_stands_anywhere_in_a_record_it_is_read_or_refused_alone(params int[] bytes)
    {
        var record = SettlementRecord.Encode(Full()).ToArray();
        for (var at = SettlementRecord.HeadBytes; at <= record.Length - bytes.Length; at++)
        {
            byte[] broken = [.. record];
            for (var i = 0; i < bytes.Length; i++)
                broken[at + i] = (byte)bytes[i];
            var failure = Record.Exception(() => SettlementRecord.Decode(broken, 0, broken.Length));
            Assert.True(failure is null or InvalidDataException, $"{at}: {failure}");
        }
    }

    /// <summary>Whoever wrote it: no settlement may raise a wallet or lower a counter.</summary>
    [Fact]
    public void What_would_give_a_register_something_is_no_settlement()
    {
        var full = Full();
        var counter = Ids.New();
        foreach (var wrong in (Settlement[])
            [
                full with { Charges = [new(counter, -1)] }, full with { Charges = [new(counter, 5, Beyond: 6)] },
                full with { Usage = full.Usage with { Cost = new(-1) } },
            ])
        {
            var record = SettlementRecord.Encode(wrong).ToArray();
            Assert.Throws<InvalidDataException>(() => SettlementRecord.Decode(record, 0, record.Length));
        }
    }

    /// <summary>Our own writer makes no such record. Counts have seven bits in a byte, so those below zero are the longest.</summary>
    [Fact]
    public void A_count_below_zero_is_no_settlement()
    {
        byte[] most = [.. Enumerable.Repeat((byte)0xFF, 8), 0x7F], minusOne = [.. Enumerable.Repeat((byte)0xFF, 9), 0x01];
        for (var meter = 0; meter < Usage.Meters; meter++)
        {
            var units = new long[Usage.Meters];
            units[meter] = long.MaxValue;
            var record = SettlementRecord.Encode(Sparse() with { Usage = Sparse().Usage with { Meters = units } }).ToArray();
            Assert.Equal(units, SettlementRecord.Decode(record, 0, record.Length).Usage.Meters);
            var at = record.AsSpan().IndexOf(most);

            byte[] wrong = [.. record[..at], .. minusOne, .. record[(at + most.Length)..]];
            BitConverter.TryWriteBytes(wrong, wrong.Length - SettlementRecord.HeadBytes);

            var refusal = Assert.Throws<InvalidDataException>(() => SettlementRecord.Decode(wrong, 0, wrong.Length));
            Assert.Contains("below zero", refusal.Message);
        }
    }

    [Fact]
    public void A_record_that_waited_through_an_update_is_still_read()
    {
        var settlement = Sparse();
        var record = SettlementRecord.Encode(settlement).ToArray()[..^16]; // version 1 ended before the last id
        record[0] -= 16;
        record[SettlementRecord.HeadBytes] = 1;
        Assert.Equal(settlement.RequestId, SettlementRecord.Decode(record, 0, record.Length).RequestId);
    }

    [Fact]
    public void A_traced_request_s_span_survives_in_its_record_and_an_untraced_one_s_takes_no_byte()
    {
        foreach (var settlement in (Settlement[])
            [Full(), Claim(), Claim() with { Windows = [Ids.New()] }, Claim() with { Key = KeyEnd.Free },
            Claim() with { Charges = [new(Ids.New(), 1) { Denomination = Ids.New() }] }])
            MustSurvive(settlement);
    }

    static void MustSurvive(Settlement settlement)
    {
        var untraced = SettlementRecord.Encode(settlement).ToArray();
        var traced = SettlementRecord.Encode(settlement, Span(ActivityTraceFlags.Recorded)).ToArray();

        Assert.Equal(Span(ActivityTraceFlags.Recorded, isRemote: true), SettlementRecord.SpanOf(traced));
        Assert.Equal(settlement.RequestId, SettlementRecord.Decode(traced, 0, traced.Length).RequestId);
        Assert.Equal(settlement.Usage.AttemptOf, SettlementRecord.Decode(traced, 0, traced.Length).Usage.AttemptOf);
        Assert.Equal(traced.Length, SettlementRecord.LengthOf(traced));

        Assert.Equal(untraced, SettlementRecord.Encode(settlement, Span(ActivityTraceFlags.None)).ToArray());
        Assert.Equal(default, SettlementRecord.SpanOf(untraced));
        Assert.Equal(untraced.Length + 25, traced.Length);
    }

    [Fact]
    public void A_newer_record_is_read_as_far_as_it_is_known()
    {
        var settlement = Claim() with
        {
            Charges = [new(Ids.New(), 1) { Denomination = Ids.New() }], Windows = [Ids.New()], Key = KeyEnd.Used,
        };
        byte[] newer = [.. SettlementRecord.Encode(settlement), 1, 2, 3, 4, 5]; // version 12 has fields that we do not know
        newer[SettlementRecord.HeadBytes] = 12;
        BitConverter.TryWriteBytes(newer, newer.Length - SettlementRecord.HeadBytes);
        var read = SettlementRecord.Decode(newer, 0, newer.Length);
        Assert.Equal((settlement.RequestId, settlement.Due, settlement.Key), (read.RequestId, read.Due, read.Key));
        Assert.Equal(settlement.Charges, read.Charges);
        Assert.Equal(default, SettlementRecord.SpanOf(newer));
    }

    /// <summary>As an earlier program wrote it: nothing that it knew may move.</summary>
    [Fact]
    public void An_earlier_reader_finds_what_it_knows_where_it_was()
    {
        var claim = Claim();
        var simple = claim with { Due = null, Charges = [.. claim.Charges.Select(charge => charge with { Beyond = 0 })] };
        var plain = SettlementRecord.Encode(simple).ToArray();
        var record = SettlementRecord.Encode(claim).ToArray();
        Assert.Equal(plain[(SettlementRecord.HeadBytes + 1)..], record[(SettlementRecord.HeadBytes + 1)..plain.Length]);
        var windows = SettlementRecord.Encode(claim with { Windows = [Ids.New()] }).ToArray();
        Assert.Equal(record[(SettlementRecord.HeadBytes + 1)..], windows[(SettlementRecord.HeadBytes + 1)..record.Length]);
        var keyed = SettlementRecord.Encode(claim with { Key = KeyEnd.Free }).ToArray();
        var typed = claim.Charges.Select(charge => charge with { Denomination = Ids.New() });
        var credits = SettlementRecord.Encode(claim with { Key = KeyEnd.Free, Charges = [.. typed] }).ToArray();
        Assert.Equal(keyed[(SettlementRecord.HeadBytes + 1)..], credits[(SettlementRecord.HeadBytes + 1)..keyed.Length]);
    }

    [Theory]
    [InlineData(KeyEnd.Free)]
    [InlineData(KeyEnd.Used)]
    public void What_becomes_of_a_key_survives_and_a_request_without_one_has_the_bytes_that_it_had(KeyEnd end)
    {
        foreach (var settlement in (Settlement[])[Full(), Sparse(), Claim(), Claim() with { Windows = [Ids.New()] }])
        {
            var (record, keyed) = (Encode(settlement), Encode(settlement with { Key = end }));
            Assert.Equal((KeyEnd.None, end), (Decode(record).Key, Decode(keyed).Key));
            Assert.True(record[SettlementRecord.HeadBytes] < 8);
            Assert.Equal(settlement.Due, Decode(keyed).Due);
            Assert.Equal(settlement.Charges, Decode(keyed).Charges);
            Assert.Equal(settlement.Windows, Decode(keyed).Windows);
        }

        static byte[] Encode(Settlement settlement) => SettlementRecord.Encode(settlement).ToArray();
        static Settlement Decode(byte[] record) => SettlementRecord.Decode(record, 0, record.Length);
    }

    static Settlement Claim() => Full() with { Charges = [new(Ids.New(), 300, Beyond: 200), new(Ids.New(), 7)], Due = 12 };

    static ActivityContext Span(ActivityTraceFlags flags, bool isRemote = false) => new(
        ActivityTraceId.CreateFromString("0af7651916cd43dd8448eb211c80319c"), ActivitySpanId.CreateFromString("b7ad6b7169203331"),
        flags, null, isRemote);

    static Settlement Full() => new(
        Ids.New(), Ids.New(), [new(Ids.New(), 123), new(Ids.New(), long.MaxValue)], new(
            Ids.New(),
            Ids.New(),
            Ids.New(),
            Ids.New(),
            Ids.New(),
            true,
            "/v1/chat/completions",
            "modèle",
            "provider",
            "upstream",
            Ids.New(),
            true,
            new DateTimeOffset(2026, 11, 21, 1, 2, 3, 456, TimeSpan.Zero),
            1234,
            56,
            200,
            RequestOutcome.Aborted,
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, long.MaxValue],
            new Money(987_654_321),
            true,
            "aborted, capped",
            """{"prompt_tokens":1}""",
            Ids.New()));

    static Settlement Sparse() => new(
        Ids.New(), null, [], new(
            Ids.New(),
            Ids.New(),
            null,
            Ids.New(),
            null,
            false,
            "",
            "",
            "",
            "",
            null,
            false,
            DateTimeOffset.UnixEpoch,
            0,
            null,
            0,
            RequestOutcome.Completed,
            new long[Usage.Meters],
            Money.Zero,
            false,
            null,
            null));
}
