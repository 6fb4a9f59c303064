using System.Diagnostics;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// The span of one batch from the spool to the broker's confirm. It is a trace of its own, with links to the traced requests. A batch
/// without a traced request has no span.
/// </summary>
public static class PublishSpan
{
    /// <summary>Links of one span, as OpenTelemetry limits them. Requests beyond are found from their own trace.</summary>
    const int MaxLinks = 128;

    /// <summary>Where MassTransit looks for the span that a message belongs to.</summary>
    const string Header = "MT-Activity-Id";

    /// <summary>A span that is not recorded: what belongs to it is not recorded either.</summary>
    const string Untraced = "00-00000000000000000000000000000001-0000000000000001-00";

    /// <param name="records">Whole records, as they are sent.</param>
    public static Activity? Start(ReadOnlySpan<byte> records)
    {
        if (!Spans.Source.HasListeners())
            return null;
        List<ActivityLink>? links = null;
        var count = 0;
        for (int length; (length = SettlementRecord.LengthOf(records)) > 0; records = records[length..], count++)
            if ((links?.Count ?? 0) < MaxLinks && SettlementRecord.SpanOf(records[..length]) is var span && span != default)
                (links ??= []).Add(new(span));
        if (links is null)
            return null;
        KeyValuePair<string, object?>[] tags =
        [
            new("messaging.system", "rabbitmq"), new("messaging.destination.name", SettlementBatch.Queue),
            new("messaging.operation.type", "send"), new("messaging.batch.message_count", count),
        ];
        return Spans.Source.StartActivity(ActivityKind.Producer, default, tags, links, name: $"{SettlementBatch.Queue} publish");
    }

    /// <summary>Ties a message to the span that lasts, or to none.</summary>
    public static void Mark(MassTransit.SendHeaders headers)
    {
        if (Spans.Source.HasListeners())
            headers.Set(Header, Activity.Current?.Id ?? Untraced);
    }
}
