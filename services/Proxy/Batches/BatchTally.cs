using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.OneShots;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Batches;

/// <summary>
/// Sums up what the results of a batch cost. Each line is metered like an answer and priced with the prices of the batch's creation. A line
/// that failed, was cancelled or has expired costs nothing.
/// </summary>
public sealed class BatchTally(BatchTerms terms)
{
    readonly Wire _wire = BatchWires.Of(terms.Endpoint)!;

    public int Lines { get; private set; }

    /// <summary>Number of lines with an answer.</summary>
    public int Answered { get; private set; }

    /// <summary>Sum of the costs, nano-dollars.</summary>
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

    /// <summary>
    /// Meters a line by the provider's counts. Without counts that can be believed, the output is counted here and the input is the average
    /// of the batch's questions, because the question is not at hand.
    /// </summary>
    MeterReading Meter(ReadOnlySpan<byte> answer)
    {
        WholeMeter meter = _wire is ConversationWire conversation ? new EventMeter(conversation.NewReader()) : new OneShotMeter(new());
        return (meter.See(answer) ? meter.Told : null) ?? MeterReading.OfCounts(
            terms.EstimatedInput / terms.Lines, meter.DeliveredTokens, ProviderUsage.Missing, null, meter.Searches);
    }

    /// <summary>The answer in a line. It is empty when there is none.</summary>
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
                (start, end) = isMessage
                    ? PlaceOf("message"u8, ref reader, "type"u8, "succeeded"u8)
                    : PlaceOf("body"u8, ref reader, "status_code"u8, "200"u8);
            else
                reader.StepOver();
        }
        return line[start..end];
    }

    /// <summary>The place of a member, which is empty when its object does not have the wanted state.</summary>
    static (int Start, int End) PlaceOf(
        ReadOnlySpan<byte> member, ref Utf8JsonReader reader, ReadOnlySpan<byte> state, ReadOnlySpan<byte> wanted)
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
