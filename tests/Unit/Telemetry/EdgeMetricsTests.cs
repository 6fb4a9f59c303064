using System.Diagnostics.Metrics;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Xunit;
using Meter = LlmGateway.Contracts.Meter;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What is counted, and that no label grows with use.</summary>
[Collection(nameof(Recorded))]
public sealed class EdgeMetricsTests
{
    [Fact]
    public void Requests_tokens_money_refusals_and_failures_are_counted_under_labels_of_ours()
    {
        List<(string Name, double Value, string Labels)> counted = [];
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == "LlmGateway.Proxy")
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => counted.Add((instrument.Name, value, Show(tags))));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => counted.Add((instrument.Name, value, Show(tags))));
        listener.Start();

        EdgeMetrics.Ended(Interrupted, new Money(1000));
        EdgeMetrics.Ended(Interrupted with { AttemptOf = Ids.New() }, Money.Zero);
        EdgeMetrics.Refused("/v1/messages", "expired");
        EdgeMetrics.ProviderFailed("anthropic", new(400, "invalid_request_error", "canary-code", "canary-message"));
        EdgeMetrics.Leased(new(null, new(Ids.New(), RefusalReason.Exhausted, 0)));

        const string chat = "http.route=/v1/chat/completions";
        Assert.Equal(
        [
            ("gateway.requests", 1, $"{chat} outcome=interrupted"),
            ("gateway.tokens", 7, $"{chat} gen_ai.token.type=input"),
            ("gateway.tokens", 3, $"{chat} gen_ai.token.type=output"),
            ("gateway.paid", 1000, chat),
            ("gateway.first_byte", 0.25, chat),
            ("gateway.requests", 1, $"{chat} outcome=taken_over"),
            ("gateway.refusals", 1, "http.route=/v1/messages code=expired"),
            ("gateway.provider.failures", 1, "wire=anthropic code=provider_refused"),
            ("gateway.lease.answers", 1, "answer=exhausted"),
        ], counted);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Counting_a_request_allocates_nothing(bool listens)
    {
        using var listener = new MeterListener();
        var counted = 0;
        if (listens)
            listener.InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == "LlmGateway.Proxy")
                    self.EnableMeasurementEvents(instrument);
            };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => counted++);
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => counted++);
        listener.Start();
        EdgeMetrics.Ended(Interrupted, new Money(1000)); // what is made once

        counted = 0;
        var before = GC.GetAllocatedBytesForCurrentThread();
        EdgeMetrics.Ended(Interrupted, new Money(1000));
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(listens ? 5 : 0, counted);
    }

    static readonly UsageRecord Interrupted = new(
        Ids.New(), Ids.New(), Ids.New(), Ids.New(), null, false, "/v1/chat/completions",
        "canary-model", "canary-provider", "canary-deployment", null, false, DateTimeOffset.UnixEpoch, 5, 250, 200,
        RequestOutcome.Interrupted, new Usage { [Meter.Input] = 5, [Meter.CachedInput] = 2, [Meter.Output] = 3 }.Units,
        new Money(1234), false, null, "canary-usage");

    static string Show(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        string.Join(' ', tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}"));
}
