using System.Diagnostics.Metrics;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// What an operator looks at first. Labels are routes, outcomes and codes of ours: never a customer, a model or anything else that grows
/// with use. While nobody listens nothing is counted.
/// </summary>
public static class EdgeMetrics
{
    static readonly System.Diagnostics.Metrics.Meter Meter = new("LlmGateway.Proxy");

    static readonly Counter<long>
        Requests = Counter("gateway.requests", "{request}", "Requests that have ended, and attempts that another provider took over from"),
        Refusals = Counter("gateway.refusals", "{request}", "Requests that were refused before anything was reserved"),
        Failures = Counter("gateway.provider.failures", "{answer}", "Answers that a provider failed to begin, or refused"),
        Tokens = Counter("gateway.tokens", "{token}", "Tokens that were settled"),
        Paid = Counter("gateway.paid", "{nanodollar}", "What callers pay for requests that have ended"),
        Leases = Counter("gateway.lease.answers", "{answer}", "What the ledger answered when it was asked for a lease");

    static readonly Histogram<double> FirstByte =
        Meter.CreateHistogram<double>("gateway.first_byte", "s", "Time until the first byte of an answer");

    public static void Ended(UsageRecord usage, Money paid)
    {
        if (!Requests.Enabled)
            return;
        var route = new KeyValuePair<string, object?>("http.route", usage.Endpoint);
        Requests.Add(1, route, new("outcome", usage.AttemptOf is null ? Spans.NameOf(usage.Outcome) : "taken_over"));
        if (usage.AttemptOf is not null)
            return; // it used nothing
        Tokens.Add(MeterReading.InputOf(usage.Meters), route, new("gen_ai.token.type", "input"));
        Tokens.Add(MeterReading.OutputOf(usage.Meters), route, new("gen_ai.token.type", "output"));
        Paid.Add(paid.Nanos, route);
        if (usage.FirstByteMs is { } first)
            FirstByte.Record(first / 1000.0, route);
    }

    /// <param name="code">A code of <see cref="Problems"/>.</param>
    public static void Refused(string route, string code)
    {
        if (Refusals.Enabled)
            Refusals.Add(1, new("http.route", route), new("code", code));
    }

    /// <param name="wire">The provider's wire.</param>
    public static void ProviderFailed(string wire, Problem problem)
    {
        if (Failures.Enabled)
            Failures.Add(1, new("wire", wire), new("code", GenAiSpan.CodeOf(problem)));
    }

    public static void Leased(LeaseAnswer answer)
    {
        if (Leases.Enabled)
            Leases.Add(1, new KeyValuePair<string, object?>("answer", answer.Refusal?.Reason.ToString().ToLowerInvariant() ?? "granted"));
    }

    /// <summary>Figures that are asked for when they are exported.</summary>
    public static void Observe(string name, string unit, string description, Func<long> value) =>
        Meter.CreateObservableGauge(name, value, unit, description);

    static Counter<long> Counter(string name, string unit, string description) => Meter.CreateCounter<long>(name, unit, description);
}
