using System.Diagnostics;

namespace LlmGateway.Wallet;

/// <summary>
/// The span of one ledger transaction, which many requests share. It is a trace of its own, with links to the traced requests. Each of
/// those requests gets a short span <c>settle</c> in its own trace.
/// </summary>
public static class CommitSpan
{
    /// <summary>Links of one span, as OpenTelemetry limits them. Settlements beyond are found from their own trace.</summary>
    const int MaxLinks = 128;

    static readonly ActivitySource Source = new("LlmGateway.Wallet");

    public static Activity? Start(List<Intake.Waiting> batch)
    {
        if (!Source.HasListeners())
            return null;
        var links = new HashSet<ActivityContext>();
        foreach (var waiting in batch)
            foreach (var context in (ReadOnlySpan<ActivityContext>)[waiting.Of.Asker, SpanOf(waiting)])
                if (context != default && links.Count < MaxLinks)
                    links.Add(context);
        if (links.Count == 0)
            return null;
        return Source.StartActivity(
            ActivityKind.Internal, default, [new("llmgateway.commands", batch.Count)], links.Select(context => new ActivityLink(context)),
            name: "ledger commit");
    }

    /// <summary>The transaction is committed and everybody is answered.</summary>
    public static void Tell(Activity? commit, List<Intake.Waiting> batch)
    {
        if (commit is null)
            return;
        commit.Stop();
        foreach (var waiting in batch)
        {
            var request = SpanOf(waiting);
            if (request == default)
                continue;
            List<ActivityLink> links = [new(commit.Context)];
            if (waiting.Of.Asker != default)
                links.Add(new(waiting.Of.Asker));
            using var booked = Source.StartActivity(ActivityKind.Internal, request, null, links, commit.StartTimeUtc, "settle");
            booked?.SetEndTime(commit.StartTimeUtc + commit.Duration);
        }
    }

    static ActivityContext SpanOf(Intake.Waiting waiting) => waiting.Command is Settle settle ? settle.Span : default;
}
