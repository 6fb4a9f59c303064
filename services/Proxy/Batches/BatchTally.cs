using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.OneShots;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Batches;

/// <summary>
/// Sums up what the results of a batch cost, line by line, each metered like the answer that it is and priced as it was agreed when the batch was created. A line that failed, was cancelled or
/// expired costs nothing.
/// </summary>
public sealed class BatchTally(BatchTerms terms)
{
    readonly Wire _wire = BatchWires.Of(terms.Endpoint)!;

    public int Lines { get; private set; }

    /// <summary>Lines with an answer.</summary>
    public int Answered { get; private set; }

    /// <summary>Nano-dollars.</summary>
    public long Cost { get; private set; }

    public Usage Usage { get; } = new();

    /// <exception cref="JsonException">The line is no JSON.</exception>
    public void Add(ReadOnlySpan<byte> line)
    {
        Lines++;
        var answer = AnswerIn(line);
        if (answer.IsEmpty)
            return;
        Answered++;
        var reading = Meter(answer).OnPricedMeters(terms.Prices);
        Cost = checked(Cost + Contracts.Cost.Of(reading.Usage, terms.Prices));
        for (var meter = Contracts.Meter.Input; meter < (Meter)Usage.Meters; meter++)
            Usage[meter] += reading.Usage[meter];
    }

    /// <summary>By the provider's counts; without any that can be believed by ours of the answer and, because the question is not here, by what questions of this batch have on average.</summary>
    MeterReading Meter(ReadOnlySpan<byte> answer)
    {
        WholeMeter meter = _wire is ConversationWire conversation ? new EventMeter(conversation.NewReader()) : new OneShotMeter(new());
        return meter.See(answer) && meter.UsageIsBelieved
            ? new(meter.Usage!.Usage!, false, null, null)
            : MeterReading.OfCounts(terms.EstimatedInput / terms.Lines, meter.DeliveredTokens, ProviderUsage.Missing, null);
    }

    /// <summary>Empty when the line has none.</summary>
    ReadOnlySpan<byte> AnswerIn(ReadOnlySpan<byte> line)
    {
        var isMessage = _wire == Wires.Messages;
        var reader = new Utf8JsonReader(line);
        reader.Read();
        var (start, end) = (0, 0);
        while (reader.NextMember())
        {
            var isResult = reader.Has(isMessage ? "result"u8 : "response"u8);
            reader.Read();
            if (isResult && reader.TokenType == JsonTokenType.StartObject)
                (start, end) = isMessage ? PlaceOf("message"u8, ref reader, "type"u8, "succeeded"u8) : PlaceOf("body"u8, ref reader, "status_code"u8, "200"u8);
            else
                reader.StepOver();
        }
        return line[start..end];
    }

    /// <summary>Where a member stands, if the object is in the wanted state.</summary>
    static (int Start, int End) PlaceOf(ReadOnlySpan<byte> member, ref Utf8JsonReader reader, ReadOnlySpan<byte> state, ReadOnlySpan<byte> wanted)
    {
        var (good, start, end) = (false, 0, 0);
        while (reader.NextMember())
        {
            var (isState, isMember) = (reader.Has(state), reader.Has(member));
            reader.Read();
            var at = (int)reader.TokenStartIndex;
            good |= isState && reader.ValueSpan.SequenceEqual(wanted);
            reader.StepOver();
            if (isMember)
                (start, end) = (at, (int)reader.BytesConsumed);
        }
        return good ? (start, end) : default;
    }
}
